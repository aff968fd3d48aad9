"""Clock gates: a clock takes edges while something is under way behind its gate, and no longer."""

from collections.abc import Iterator

from tests.rtl.compare import assembled
from waterclock.chip import Chip, Slice, SliceKind
from waterclock.isa.table import INSTRUCTIONS

LOADING = "row.clock_loading"
ENOUGH_CYCLES = 60
"""For an instruction of every latency, one after another in each queue."""
ENTRY_BY_KIND = {
    SliceKind.MEM: "mem.read32 word[0] -> s0e discard",
    SliceKind.SXM: "sxm.rotate s0e, amount[1] -> s0w discard",
    SliceKind.MXM: "mxm.read_row tile[0], row[0], sram -> s4w discard",
}
ALU_ENTRIES = {
    "vxm.move": "s0e", "vxm.to_fp32": "s0e", "vxm.add": "s0e, s4e", "vxm.reduce_max": "s0e, segment=2",
    "vxm.exp2": "s0e", "vxm.reciprocal": "s0e",
}  # fmt: skip


def alu_mnemonics(chip: Chip, alu: int) -> list[str]:
    """What an ALU issues here: one instruction of each of its latencies."""
    from waterclock.rtl.vxm import executed_by

    ours = executed_by(chip, alu)
    return list({INSTRUCTIONS[name].latency(chip): name for name in ALU_ENTRIES if name in ours}.values())


def entries(chip: Chip) -> dict[str, list[str]]:
    """What each queue issues."""
    found: dict[str, list[str]] = {}
    for queue in chip.queues:
        if queue.slice.kind in ENTRY_BY_KIND:
            found[queue.name] = [ENTRY_BY_KIND[queue.slice.kind]]
        elif queue.slice.kind is SliceKind.VXM:
            ours = alu_mnemonics(chip, queue.index)
            found[queue.name] = [f"{mnemonic} {ALU_ENTRIES[mnemonic]} -> s8w discard" for mnemonic in ours]
    return found


def due_of_slice(chip: Chip, piece: Slice) -> int:
    """Edges for one instruction: in its cycle and in as many more as the longest latency of its slice."""
    write_row = chip.mxm.sense_cycles + chip.mxm.write_row_cycles
    latencies = {
        SliceKind.MEM: chip.latency.mem_read,
        SliceKind.SXM: chip.latency.sxm,
        SliceKind.MXM: max(chip.latency.matvec, chip.latency.read_row, write_row),
    }
    return 1 + latencies[piece.kind]


def due(chip: Chip) -> Iterator[tuple[str, int]]:
    """The gates of a chip, but for that which a freeze stops, and how many edges each must pass on."""
    from waterclock.rtl.icu import LEAD_CYCLES

    yield LOADING, 0
    for queue, texts in entries(chip).items():
        yield f"row.icu_{queue.replace('.', '_')}.clock_active", len(texts) + LEAD_CYCLES
    yield from ((f"row.{piece.name}.clock_active", due_of_slice(chip, piece))
                for piece in chip.slices if piece.kind in ENTRY_BY_KIND)  # fmt: skip
    for alu in range(chip.vxm.num_alus):  # the fetch has a gate of its own; the last cycle needs no register
        latencies = [INSTRUCTIONS[mnemonic].latency(chip) for mnemonic in alu_mnemonics(chip, alu)]
        yield f"row.vxm.alu{alu}.clock_fetch", len(latencies)
        yield from ((f"row.vxm.alu{alu}.clock_after_{latency}", latency - 2) for latency in latencies if latency > 2)


def test_a_clock_takes_edges_while_something_is_under_way_and_no_longer(chip: Chip) -> None:
    """From the end of loading on, every gate passes on as many edges as what is under way needs."""
    from waterclock.rtl import cosim, verilated
    from waterclock.rtl.core import LAUNCH_CYCLES
    from waterclock.rtl.images import Memories, encoded, writes

    queues = assembled({name: "\n".join(texts) for name, texts in entries(chip).items()})
    simulation = verilated.Simulation(cosim.design_of(chip))
    simulation.drive(cosim.loading(simulation, writes(chip, encoded(chip, queues), Memories())))
    assert not simulation.is_stopped(LOADING)
    simulation.drive(simulation.blank(ENOUGH_CYCLES))
    inputs = simulation.blank(LAUNCH_CYCLES + ENOUGH_CYCLES)
    simulation.column(inputs, "launch")[0] = 1
    edges = dict.fromkeys(dict(due(chip)), 0)
    for cycle in range(len(inputs)):
        simulation.drive(inputs[cycle : cycle + 1])
        for gate in edges:
            edges[gate] += not simulation.is_stopped(gate)
    assert edges == dict(due(chip))
