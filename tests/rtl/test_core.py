"""Small programs on the whole row of slices: every stream register in every cycle is what the stepper says."""

import numpy as np
import pytest

from tests.rtl.compare import assembled, compare
from waterclock.chip import Chip
from waterclock.simulator.state import State


def ordinary_state(chip: Chip) -> State:
    """Ordinary numbers, now and then a special one, in MEM; any bytes in tiles."""
    random = np.random.default_rng(40)
    state = State.zero(chip)
    words = random.normal(size=state.mem.shape).astype(np.float32).view(np.int32)
    anything = random.integers(-(2**31), 2**31, state.mem.shape, dtype=np.int64).astype(np.int32)
    state.mem[:] = np.where(random.random(state.mem.shape) < 0.2, anything, words)
    state.reram[:] = random.integers(-128, 128, state.reram.shape)
    state.sram[:] = random.integers(-128, 128, state.sram.shape)
    return state


@pytest.fixture(scope="module")
def state(chip: Chip) -> State:
    return ordinary_state(chip)


def hops(chip: Chip, source: str, target: str) -> int:
    return abs(chip.slice_by_name[target].x - chip.slice_by_name[source].x)


def after(cycles: int, text: str) -> str:
    return f"icu.nop n={cycles}\n{text}" if cycles else text


def test_read_add_write_read_in_a_loop(chip: Chip, state: State) -> None:
    """Words of both memories are added as they meet, written, and read again, twelve times over."""
    read, add = chip.latency.mem_read, chip.latency.vxm_add
    at_vxm = read + hops(chip, "mem0", "vxm")
    written = at_vxm + add + hops(chip, "vxm", "mem1")
    trace, final = compare(chip, assembled({
        "mem0": "mem.read32 word[2 + 1*l1] -> s0e\nicu.loop n=12, distance=16, body=1",
        "vxm.alu0": after(at_vxm, "vxm.add s0e, s4w -> s8ew\nicu.loop n=12, distance=16, body=1"),
        "mem1": f"mem.read32 word[1 + 1*l1] -> s4w\nicu.nop n={written - 1}\n"
        "mem.write32 s8e, word[16 + 1*l1]\nmem.read32 word[16 + 1*l1] -> s12ew\n"
        "icu.loop n=12, distance=16, body=4",
    }), state)  # fmt: skip
    assert len(trace.issued) == 12 * 5
    assert (final.mem[1, 16:28] != state.mem[1, 16:28]).any(axis=1).all()


@pytest.mark.parametrize("cells", ["", ", sram"])
@pytest.mark.parametrize("kind", ["", ", unsigned"])
def test_matvec_into_accumulators(chip: Chip, state: State, cells: str, kind: str) -> None:
    """Bytes from MEM meet three tiles in two accumulators; the sums come back west and are added to themselves."""
    at_mxm = chip.latency.mem_read + hops(chip, "mem1", "mxm0")
    at_vxm = at_mxm + 4 + chip.latency.matvec + hops(chip, "mxm0", "vxm")
    queues = assembled({
        "mem1": "mem.read8 byte[5 + 3*r] -> s3e\nicu.repeat n=4, distance=1",
        "mxm0": after(at_mxm, "\n".join(f"mxm.matvec s3e, tile[{tile}], acc={acc}{rest}{kind}{cells}{result}" for
                                        tile, acc, rest, result in [
            (3, 1, ", first", ""), (4, 2, ", first, emit", " -> s4ew"), (5, 1, "", ""), (6, 2, ", emit", " -> s8w"),
            (7, 1, ", emit", " -> s0w"),
        ])),
        "vxm.alu0": after(at_vxm, "vxm.add s0w, s0w -> s12e"),
    })  # fmt: skip
    trace, _ = compare(chip, queues, state)
    assert len(trace.issued) == 5 + 5 + 1


def test_partial_writes(chip: Chip, state: State) -> None:
    """A byte plane and a lane are written, at an address that a parameter chooses, and the words read back."""
    arrives = chip.latency.mem_read + hops(chip, "mem0", "mem1")
    changed = state.copy()
    changed.params[:2] = 2, 5
    _, final = compare(chip, assembled({
        "mem0": "mem.read8 byte[13] -> s2e\nmem.read32 word[9] -> s4e\nmem.read32 word[10] -> s8e",
        "mem1": after(arrives, "mem.write8 s2e, byte[42]\nmem.write_lane s4e, word[10], lane[1 + 1*((p0+0)>>1&1)]\n"
                      "mem.write32 s8e, word[6 + 1*((p1+0)>>0&7)]\nmem.read32 word[10] -> s12ew\n"
                      "mem.read32 word[11] -> s0w"),
    }), changed)  # fmt: skip
    before, after_it = state.mem[1, 10].view(np.uint8).reshape(-1, 4), final.mem[1, 10].view(np.uint8).reshape(-1, 4)
    assert (after_it[:, 2] == state.mem[0, 3].view(np.uint8).reshape(-1, 4)[:, 1])[[0, 1, 3]].all()
    assert (after_it[2] == state.mem[0, 9].view(np.uint8).reshape(-1, 4)[2]).all()
    assert (after_it[:, 0] == before[:, 0])[[0, 1, 3]].all()


def test_holds_immediates_and_parameters(chip: Chip, state: State) -> None:
    """The ALU's other operands, each also read across lanes; a hold is seen from its arrival on and not before."""
    at_vxm, add = chip.latency.mem_read + hops(chip, "mem0", "vxm"), chip.latency.vxm_add
    changed = state.copy()
    changed.params[:2] = 0x3F800000, -7
    text = [
        "vxm.add 0x40490fdb, s0e -> s0e h1",
        "vxm.add p0+5, s4e^1 -> s4w h0",
        f"icu.nop n={add - 1}",
        "vxm.add h1, h0^1 -> s8ew h1",
        "vxm.sub h1^2, h0 -> s12w",
        f"icu.nop n={add - 1}",
        "vxm.sub h1, p1-9{r:3} -> s0ew",
        "icu.repeat n=3, distance=2",
    ]
    queues = {
        "mem0": "mem.read32 word[0] -> s0e\nmem.read32 word[1] -> s4e",
        "vxm.alu0": after(at_vxm, "\n".join(text)),
    }
    compare(chip, assembled(queues), changed)


@pytest.mark.parametrize("seed", range(12))
def test_random_reads_and_sums(chip: Chip, state: State, seed: int) -> None:
    """Sums and differences of random pairs of words, many under way at once and leaving either way."""
    random = np.random.default_rng(100 + seed)
    at_vxm = chip.latency.mem_read + hops(chip, "mem0", "vxm")
    reads: dict[str, list[str]] = {"mem0": [], "mem1": []}
    adds: list[str] = []
    for _ in range(int(random.integers(8, 24))):
        streams = random.choice(chip.num_groups, 2, replace=False) * 4
        for queue, letter, stream in zip(reads, "ew", streams, strict=True):
            way = random.choice([letter, "ew"])
            reads[queue].append(f"mem.read32 word[{random.integers(chip.mem.num_words)}] -> s{stream}{way}")
        operation, way = random.choice(["vxm.add", "vxm.sub"]), random.choice(["e", "w", "ew"])
        xors = (f"^{1 << random.integers(chip.log2_lanes)}" * int(random.integers(2)) for _ in streams)
        a, b = (f"s{stream}{letter}{xor}" for stream, letter, xor in zip(streams, "ew", xors, strict=True))
        result = random.choice([group * 4 for group in range(chip.num_groups)])
        adds.append(f"{operation} {a}, {b} -> s{result}{way}")
        gap = int(random.integers(2, 4))
        reads = {queue: [*lines, f"icu.nop n={gap}"] for queue, lines in reads.items()}
        adds.append(f"icu.nop n={gap}")
    queues = {queue: "\n".join(lines) for queue, lines in reads.items()}
    trace, _ = compare(chip, assembled({**queues, "vxm.alu0": after(at_vxm, "\n".join(adds))}), state)
    assert len(trace.issued) > 20
