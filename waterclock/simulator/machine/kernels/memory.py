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
    """Everything a kernel can touch, for some tokens. `mem`, `reram`, `sram` and `params` are views of a State."""

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
    links: Ints
    """[num_links, 4]: what chains of products multiply, see `products.LINK_COLUMNS`."""
    operands: npt.NDArray[np.int8]
    """[longest chain, num_tokens, lanes]: scratch for the operands of a chain."""
    places: npt.NDArray[np.int64]
    """[2, longest chain]: scratch for where the tiles of a chain begin, and those of the next."""
    beginnings: Ints
    """[blocks of columns, num_tokens, parts of a sum]: scratch for where sums begin."""
    runs: Ints
    """[2]: the run of the inner and of the outer loop; the inner one is that of the first token here."""
    counters: npt.NDArray[np.int64]
    """[barrier.APART * num_threads]: how often each thread has waited for the others."""
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
def part_of(parts: Any, number: int) -> Any:
    """The memory of one of a thread's parts: what is a token's own is one dimension less. Scratch is the thread's."""
    return Memory(
        parts.values[number], parts.floats[number], parts.bytes[number], parts.by_token[number],
        parts.mem, parts.reram, parts.sram, parts.acc[number], parts.acc_by_token[number],
        parts.params, parts.limits, parts.operand, parts.links, parts.operands, parts.places, parts.beginnings,
        parts.runs, parts.counters, parts.stopped, parts.at, parts.place, parts.shared, parts.written,
        parts.rows_before, parts.lanes_before,
    )  # fmt: skip


@kernel
def tokens(m: Any) -> int:
    """How many tokens are worked on at once."""
    return len(m.at)


@kernel
def later_tokens(m: Any, t: int) -> tuple[int, int]:
    """The first of all tokens whose part the t-th token here does not see yet, and the number of all."""
    return max(0, m.runs[0] + t + m.shared[1] + 1), m.written.shape[2]


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
