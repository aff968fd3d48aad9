"""How a copy of the package handles an instruction that was added to it, an average: assertions for `python -c`."""

import numpy as np

from tests.programs import random_state
from tests.rtl.compare import assembled, program_of
from waterclock.chip import Chip, load
from waterclock.isa.assembly import assemble, disassemble
from waterclock.isa.document import render
from waterclock.isa.encoding import decode_queue, encode_queue
from waterclock.isa.program import Program
from waterclock.isa.table import CONTROL, INSTRUCTIONS
from waterclock.simulator.events import Event
from waterclock.simulator.link import rebuild
from waterclock.simulator.machine import Machine
from waterclock.simulator.machine.kernels import KERNELS
from waterclock.simulator.semantics import SEMANTICS
from waterclock.simulator.state import State
from waterclock.simulator.stepper import Stepped, step

CHIP = load("tiny").with_fields({
    "lanes": 4, "num_streams": 16, "num_params": 5, "max_queue_entries": 64,
    "layout.num_mxm_west": 0, "layout.num_mem_west": 1, "layout.num_mem_east": 1,
    "vxm.num_alus": 1, "vxm.num_holds": 2, "mxm.num_reram_tiles": 16, "mxm.num_sram_tiles": 8,
})  # fmt: skip
"""A memory on either side of a VXM with one ALU, so that its RTL is built in seconds."""
A, B, RESULT = 40, 50, 60
"""The first words of the operands, in MEM 0 and MEM 1, and of the results, in MEM 0."""
NUM_WORDS = 4


def text_by_queue(chip: Chip, mnemonic: str) -> dict[str, str]:
    """Words of two memories meet in the VXM, b's lanes exchanged with their neighbours; results go back to MEM 0."""
    flight = chip.latency.mem_read + 1
    back = flight + INSTRUCTIONS[mnemonic].latency(chip) + 1
    again = f"icu.repeat n={NUM_WORDS - 1}, distance=1"
    return {
        "mem0": f"mem.read32 word[{A} + 1*r] -> s0e\n{again}\nicu.nop n={back - NUM_WORDS}\n"
        f"mem.write32 s8w, word[{RESULT} + 1*r]\n{again}",
        "vxm.alu0": f"icu.nop n={flight}\n{mnemonic} s0e, s4w^1 -> s8w\n{again}",
        "mem1": f"mem.read32 word[{B} + 1*r] -> s4w\n{again}",
    }


def check_key_sets(mnemonic: str) -> None:
    """Table, value functions, kernels and datapaths are of the same instructions, this one among them."""
    from waterclock.rtl import lane, mem, mxm, sxm
    from waterclock.rtl.icu import SET_PARAM

    datapaths = {*lane.DATAPATHS, *lane.HALVINGS, *mem.DATAPATHS, *sxm.DATAPATHS, *mxm.DATAPATHS, SET_PARAM}
    assert set(INSTRUCTIONS) - CONTROL == set(SEMANTICS) == set(KERNELS) == datapaths
    assert mnemonic in datapaths


def check_text_and_words(mnemonic: str) -> None:
    """A program survives as text and as words, and the page has a section on the instruction."""
    queues = assembled(text_by_queue(CHIP, mnemonic))
    text = disassemble(queues)
    assert f"    {mnemonic} s0e, s4w^1 -> s8w\n" in text
    assert f"\n### `{mnemonic}`\n\n{INSTRUCTIONS[mnemonic].meaning}.\n" in render(CHIP)
    again = assemble(text)
    for name, records in queues.items():
        kind = CHIP.queue_by_name[name].slice.kind
        assert again[name].tobytes() == records.tobytes()
        assert decode_queue(encode_queue(records, kind), kind).tobytes() == records.tobytes()


def stepped(mnemonic: str) -> tuple[Program, State, Stepped, list[Event]]:
    """The assembled program, the state before it, and what the stepper makes of it."""
    program, state = program_of(CHIP, assembled(text_by_queue(CHIP, mnemonic))), random_state(CHIP, seed=0)
    events: list[Event] = []
    return program, state, step(CHIP, program, state, events.append), events


def check_stepper(mnemonic: str) -> None:
    """Averages, rounded down, of whole numbers without bounds."""
    _, before, after, _ = stepped(mnemonic)
    a, b = (before.mem[number, word : word + NUM_WORDS].astype(object) for number, word in ((0, A), (1, B)))
    averages = (a + b[:, np.arange(CHIP.lanes) ^ 1]) // 2
    assert (after.state.mem[0, RESULT : RESULT + NUM_WORDS] == averages).all()


def check_machine(mnemonic: str) -> None:
    """The machine leaves the stepper's state, in as many cycles."""
    program, before, after, _ = stepped(mnemonic)
    launched = Machine(rebuild(program, CHIP), before.copy()).launch()
    assert after.state.first_difference(launched.state) is None
    assert launched.length_cycles == after.length_cycles


def check_rtl(mnemonic: str) -> None:
    """The RTL does what the stepper does, in the same cycles."""
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    program, before, after, events = stepped(mnemonic)
    lockstep = Lockstep(CHIP, program, Memories(before.mem, before.reram, before.sram, before.params))
    checked = lockstep.launch({}, events, after.length_cycles)
    assert checked.difference is None, checked.difference
    assert checked.num_changes > NUM_WORDS
    assert (lockstep.mem == after.state.mem).all()
