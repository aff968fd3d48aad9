"""What kernels work on, and the form that all kernels have.

A value is a row of `values`: a vector of `lanes` int32, whatever it means, for each token that is worked on at once.
Of a byte vector the low bytes count.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from waterclock.simulator.machine.kernels.compiled import compiled

Ints = npt.NDArray[np.int32]

Kernel = Callable[..., None]
"""kernel(m, r, a, b, c, at, place, extra): the memory, the rows of the result and of the operands, three numbers. What
may differ from token to token is in `m.at` and `m.place`."""

kernel = compiled(inline=True)


class Memory(NamedTuple):
    """Everything a kernel can touch. `mem`, `reram`, `sram` and `params` are views of a State."""

    values: Ints
    """[num_rows, num_tokens * lanes]: the values in flight."""
    floats: npt.NDArray[np.float32]
    """[num_rows, num_tokens * lanes]: the same memory as fp32."""
    bytes: npt.NDArray[np.uint8]
    """[num_rows, num_tokens * 4 * lanes]: the same memory as bytes."""
    by_token: Ints
    """[num_rows, num_tokens, lanes]: the same memory, token by token."""
    mem: Ints
    """[num_mem * num_words, lanes]."""
    reram: npt.NDArray[np.int8]
    """[all elements]: tiles one after another, MXM by MXM."""
    sram: npt.NDArray[np.int8]
    """[all elements]."""
    acc: Ints
    """[num_mxm * num_accumulators, num_tokens * lanes]."""
    acc_by_token: Ints
    """[num_mxm * num_accumulators, num_tokens, lanes]: the same memory, token by token."""
    params: Ints
    """[num_params]."""
    limits: Ints
    """[num_params, 2]: the lowest and highest value that `icu.set_param` may give."""
    operand: npt.NDArray[np.int16]
    """[lanes]: scratch for the operand of a product."""
    operands: npt.NDArray[np.int16]
    """[3, num_tokens, lanes]: scratch for the operands of linked products."""
    stopped: npt.NDArray[np.bool_]
    """[1]: a kernel sets it to stop the machine."""
    at: Ints
    """[num_tokens]: the address of each token."""
    place: Ints
    """[num_tokens]: the lane or row of each token."""
    shared: Ints
    """[2]: which write of parts (1 and on, 0: none) the operation is or reads, and how many tokens it sees ahead."""
    written: Ints
    """[num_slots + 1, 2, num_tokens]: address and place of each token's part, by write of parts."""
    rows_before: npt.NDArray[np.int8]
    """[num_slots + 1, num_tokens, lanes]: what rows held before their tokens wrote them."""
    lanes_before: Ints
    """[num_slots + 1, num_tokens]: what lanes of words held before their tokens wrote them."""


@kernel
def tokens(m: Any) -> int:
    """How many tokens are worked on at once."""
    return len(m.at)


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
