"""How fast the virtual machine is: nanoseconds for each kernel, and tokens a second for a program of a model's size.

    python benchmarks/machine.py

The program is synthetic: as many matrix products, vector operations and memory moves as one token of SmolLM2-135M takes
on the demonstrator, each operand a result of the last few hundred. It is never linked and means nothing; its work is
real.
"""

import time
from collections.abc import Callable

import numpy as np

from waterclock.chip import Chip, SliceKind, load
from waterclock.isa.program import Program, empty_instructions
from waterclock.isa.record import NUM_LEVELS, OPERAND_NAMES, OperandKind
from waterclock.isa.table import INSTRUCTIONS, OPCODES, Form, Width
from waterclock.simulator.link import Linked, Rows
from waterclock.simulator.machine import Machine
from waterclock.simulator.state import State

NUM_PRODUCTS, NUM_VECTOR, NUM_MOVES = 33_000, 45_000, 45_000
VECTOR_SHARES = {
    "vxm.mul": 25, "vxm.add": 25, "vxm.to_fp32": 12, "vxm.to_int8": 8, "vxm.max": 6, "vxm.move": 5, "vxm.sub": 4,
    "vxm.butterfly": 4, "vxm.reduce_add": 2, "vxm.reduce_max": 2, "vxm.exp2": 2, "vxm.reciprocal": 2, "vxm.select": 2,
    "vxm.abs": 1,
}  # fmt: skip
REACH = 300
"""How many events back an operand is made."""


def synthetic(chip: Chip, mnemonics: list[str], seed: int = 0) -> Linked:
    """Events with these mnemonics whose operands are recent results. Nothing is proven of them."""
    rng, n = np.random.default_rng(seed), len(mnemonics)
    record, producer = empty_instructions(n), np.full((n, len(OPERAND_NAMES)), -1, np.int32)
    queues_by_kind = {kind: [queue.number for queue in chip.queues if queue.slice.kind is kind] for kind in SliceKind}
    queue, tile = np.zeros(n, np.int32), dict.fromkeys(queues_by_kind[SliceKind.MXM], 0)
    recent: list[int] = []
    for event, mnemonic in enumerate(mnemonics):
        row, numbers = INSTRUCTIONS[mnemonic], queues_by_kind[INSTRUCTIONS[mnemonic].area.slice_kind or SliceKind.MEM]
        record["op"][event], queue[event] = OPCODES[mnemonic], numbers[event % len(numbers)]
        for place, name in enumerate(OPERAND_NAMES[: len(row.sources)]):
            if recent:
                record[name]["kind"][event] = OperandKind.EAST
                producer[event, place] = recent[-1 - int(rng.integers(min(len(recent), REACH)))]
            else:
                record[name]["kind"][event] = OperandKind.IMMEDIATE
        _set_fields(record[event : event + 1], mnemonic, chip, rng, tile, int(queue[event]), event)
        if row.result is not None and row.result.width is Width.WORD and (row.field("emit") is None or event % 4 == 0):
            recent.append(event)
    rows = _rows(record, queue)
    numbers, nothing = np.arange(n, dtype=np.int32), np.zeros((n, 7), np.int32)
    program = Program("synthetic", chip.sha256, {}, {}, {}, (), (), (), (), n)
    levels = np.zeros((n, NUM_LEVELS), np.int32)
    return Linked(
        program, chip, rows, numbers, numbers, queue, numbers, levels, None,
        length_cycles=n, producer=producer, acc=nothing[:, 0] - 1, memory=nothing[:, 0] - 1, param=nothing - 1,
    )  # fmt: skip


def _rows(record: np.ndarray, queue: np.ndarray) -> Rows:
    n = len(record)
    levels = np.zeros((n, NUM_LEVELS), np.int64)
    return Rows(record, queue.astype(np.int64), np.arange(n), np.arange(n), levels + 1, levels, levels - 1)


def _set_fields(
    row: np.ndarray, mnemonic: str, chip: Chip, rng: np.random.Generator, tile: dict[int, int], queue: int, event: int
) -> None:
    instruction = INSTRUCTIONS[mnemonic]
    for operand in instruction.operands:
        if operand.form is Form.ADDRESS:
            limit = {"word": chip.mem.num_words, "byte": 4 * chip.mem.num_words}.get(operand.word, chip.lanes)
            row[operand.field]["base"] = rng.integers(limit)
    if instruction.field("acc") is not None:
        row["first"], row["emit"] = event % 4 == 1, event % 4 == 0
        row["address"]["base"] = tile[queue] % chip.mxm.num_reram_tiles
        tile[queue] += 1
    if instruction.field("mask") is not None:
        row["mask"] = 1 << rng.integers(chip.log2_lanes)
    if instruction.field("segment") is not None:
        row["segment"] = chip.lanes


def token(seed: int = 0) -> list[str]:
    """The mnemonics of a token, shuffled as eight queues and more would issue them."""
    rng = np.random.default_rng(seed)
    shares = np.array(list(VECTOR_SHARES.values()))
    vector = rng.choice(list(VECTOR_SHARES), NUM_VECTOR, p=shares / shares.sum()).tolist()
    moves = rng.choice(["mem.read32", "mem.write32", "mem.read8"], NUM_MOVES, p=[0.5, 0.4, 0.1]).tolist()
    mnemonics = np.array(["mxm.matvec"] * NUM_PRODUCTS + vector + moves)
    return mnemonics[rng.permutation(len(mnemonics))].tolist()


def seconds(run: Callable[[], object], times: int) -> float:
    """The shortest of a few runs."""
    took: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return min(took)


def main() -> None:
    chip = load("demonstrator")
    state, rng = State.zero(chip), np.random.default_rng(0)
    state.reram[:] = rng.integers(-128, 128, (1, *state.reram.shape[1:]), np.int8)
    state.mem[:] = rng.normal(size=state.mem.shape).astype(np.float32).view(np.int32)
    start = time.perf_counter()
    machine = Machine(synthetic(chip, ["vxm.lane_index"]), state)
    machine.launch()
    print(f"first launch, with compiling or loading the loop: {time.perf_counter() - start:.1f} s")
    linked = synthetic(chip, token())
    start = time.perf_counter()
    machine = Machine(linked, state)
    print(f"tape of {len(linked)} events: {time.perf_counter() - start:.2f} s, {machine.num_rows} rows of values")
    took = seconds(machine.launch, 20)
    print(f"token: {took * 1e3:.1f} ms, {1 / took:.0f} tokens/s on one core")
    for mnemonic in [*VECTOR_SHARES, "vxm.rsqrt", "mem.read32", "mem.write32", "mxm.matvec", "mxm.matvec_t"]:
        count = 4000
        machine = Machine(synthetic(chip, ["vxm.lane_index", *[mnemonic] * count]), state)
        print(f"{mnemonic:16} {seconds(machine.launch, 5) / count * 1e9:6.0f} ns")


if __name__ == "__main__":
    main()
