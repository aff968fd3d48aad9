"""The switch in gates: where a lane has its word from, for every bit of an index, from both directions."""

import numpy as np
import pytest

from tests.rtl.compare import assembled, compare
from waterclock.chip import Chip, SliceKind
from waterclock.simulator.state import State

WORD_BITS = 32
INDEX_MEM, WORDS_MEM = 0, 1


@pytest.mark.parametrize("place", [0, -1])
def test_every_bit_of_an_index_counts(chip: Chip, place: int) -> None:
    """Row w of the indices has bit w changed in a permutation of the lanes: one far outside, 0 is due, or another."""
    rng, state = np.random.default_rng(60), State.zero(chip)
    switch = [one for one in chip.slices if one.kind is SliceKind.SXM][place]
    words, indices = (chip.slice_by_name[f"mem{number}"] for number in (WORDS_MEM, INDEX_MEM))
    lanes = np.array([rng.permutation(chip.lanes) for _ in range(WORD_BITS)])
    state.mem[WORDS_MEM, :WORD_BITS] = rng.integers(-(2**31), 2**31, (WORD_BITS, chip.lanes))
    state.mem[INDEX_MEM, :WORD_BITS] = (lanes ^ 1 << np.arange(WORD_BITS)[:, None]).astype(np.uint32).view(np.int32)
    way = "e" if switch.x > words.x else "w"
    cycles = {one.name: abs(switch.x - one.x) for one in (words, indices)}
    first = max(cycles.values())
    read = f"mem.read32 word[0 + 1*r] -> s{{}}{way}\nicu.repeat n={WORD_BITS - 1}, distance=1"
    queues = {
        one.name: f"icu.nop n={1 + first - cycles[one.name]}\n{read.format(stream)}"
        for one, stream in ((words, 0), (indices, 4))
    }
    permute = f"sxm.permute s0{way}, s4{way} -> s8ew\nicu.repeat n={WORD_BITS - 1}, distance=1"
    queues[switch.name] = f"icu.nop n={1 + first + chip.latency.mem_read}\n{permute}"
    compare(chip, assembled(queues), state)
