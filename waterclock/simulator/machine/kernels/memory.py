"""What kernels work on, and the form that all kernels have.

A value is a row of `values`, [lanes] int32, whatever it means; a byte vector is a row of which the low bytes count.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from waterclock.simulator.machine.kernels.compiled import compiled

Ints = npt.NDArray[np.int32]

Kernel = Callable[..., None]
"""kernel(m, r, a, b, c, at, place, extra): the memory, the rows of the result and of the operands, three numbers."""

kernel = compiled(inline=True)


class Memory(NamedTuple):
    """Everything a kernel can touch. `mem`, `reram`, `sram` and `params` are views of a State."""

    values: Ints
    """[num_rows, lanes]: the values in flight."""
    floats: npt.NDArray[np.float32]
    """[num_rows, lanes]: the same memory as fp32."""
    bytes: npt.NDArray[np.uint8]
    """[num_rows, 4 * lanes]: the same memory as bytes."""
    mem: Ints
    """[num_mem * num_words, lanes]."""
    reram: npt.NDArray[np.int8]
    """[all elements]: tiles one after another, MXM by MXM."""
    sram: npt.NDArray[np.int8]
    """[all elements]."""
    acc: Ints
    """[num_mxm * num_accumulators, lanes]."""
    params: Ints
    """[num_params]."""
    limits: Ints
    """[num_params, 2]: the lowest and highest value that `icu.set_param` may give."""
    operand: npt.NDArray[np.int16]
    """[lanes]: scratch for the operand of a product."""
    stopped: npt.NDArray[np.bool_]
    """[1]: a kernel sets it to stop the machine."""


@kernel
def copy(x: Any, y: Any) -> None:
    """y = x."""
    for i in range(len(y)):
        y[i] = x[i]


@kernel
def fill(y: Any, value: Any) -> None:
    """y = value in every lane."""
    for i in range(len(y)):
        y[i] = value
