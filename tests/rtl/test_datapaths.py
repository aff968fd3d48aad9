"""Every datapath of a lane in gates, against the contract of numbers: all of them side by side in one component."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

pytest.importorskip("amaranth", reason="the RTL needs the Python package amaranth")

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tests.numerics.vectors import operands
from waterclock.chip import load
from waterclock.isa.table import INSTRUCTIONS, Area
from waterclock.numerics import fp32
from waterclock.rtl import lane
from waterclock.rtl.across_lanes import BUTTERFLY, HALVINGS
from waterclock.rtl.pipeline import Step, chain
from waterclock.rtl.verilated import Design, Simulation
from waterclock.rtl.vxm import FETCH_CYCLES
from waterclock.simulator.semantics import ELEMENTWISE

CHIP = load("demonstrator")
DATAPATHS = MappingProxyType({name: lane.DATAPATHS[name] for name in ELEMENTWISE})
OPERANDS = ("a", "b", "c")


@dataclass(frozen=True)
class Case:
    """A datapath, the cycles it is granted, and what it gives for arrays of raw words."""

    steps: Sequence[Step]
    cycles: int
    expected: Callable[..., np.ndarray]
    num_operands: int


def elementwise(mnemonic: str) -> Case:
    cycles = INSTRUCTIONS[mnemonic].latency(CHIP) - FETCH_CYCLES
    row = ELEMENTWISE[mnemonic]
    return Case(DATAPATHS[mnemonic], cycles, row, len(row.operands))


def where_flag(if_set: Callable, otherwise: Callable) -> Callable[..., np.ndarray]:
    """One function of a and b where the lowest bit of c is set, another elsewhere."""

    def expected(*words: np.ndarray) -> np.ndarray:
        a, b = (word.view(np.float32) for word in words[:2])
        return np.where(words[2] & 1, if_set(a, b).view(np.int32), otherwise(a, b).view(np.int32))

    return expected


def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a


BUTTERFLY_CYCLES = INSTRUCTIONS["vxm.butterfly"].latency(CHIP) - FETCH_CYCLES
CASES = MappingProxyType({mnemonic: elementwise(mnemonic) for mnemonic in DATAPATHS} | {
    "butterfly": Case(
        BUTTERFLY, BUTTERFLY_CYCLES, where_flag(lambda a, b: fp32.sub(b, a), fp32.add), 3
    ),
    "halving_add": Case(HALVINGS["vxm.reduce_add"], CHIP.latency.reduce_add_stage, where_flag(fp32.add, same), 3),
    "halving_max": Case(HALVINGS["vxm.reduce_max"], CHIP.latency.reduce_max_stage, where_flag(fp32.maximum, same), 3),
})  # fmt: skip


ONE, FRACTION_BITS, FIXED_POINT_BITS = 0x3F800000, 23, 24


def _from_one(log2_end: int) -> np.ndarray:
    """Every number from 1 to 2^log2_end, as words."""
    return np.arange(ONE, ONE + (log2_end << FRACTION_BITS), dtype=np.int32)


def _fractions() -> np.ndarray:
    """Every multiple of 2^-24 from 0 to 1, as words."""
    return (np.arange(1 << FIXED_POINT_BITS) / (1 << FIXED_POINT_BITS)).astype(np.float32).view(np.int32)


SIGNIFICANDS: Mapping[str, Callable[[], np.ndarray]] = MappingProxyType({
    "vxm.exp2": _fractions,
    "vxm.reciprocal": lambda: _from_one(1),
    "vxm.rsqrt": lambda: _from_one(2),
})  # fmt: skip
"""All that the fp32 operations of a function can meet: its power of two goes beside them to the end."""
NUM_SIGNIFICANDS = 1 << 20


def some_significands(name: str) -> np.ndarray:
    """A million of them."""
    return np.random.default_rng(80).choice(SIGNIFICANDS[name](), NUM_SIGNIFICANDS)


def port(name: str) -> str:
    return name.replace(".", "_")


SIGNATURE = wiring.Signature({name: In(32) for name in OPERANDS} | {port(name): Out(32) for name in CASES})


class Datapaths(wiring.Component):
    """All datapaths on the same operands; flags are the lowest bit of c."""

    def __init__(self) -> None:
        super().__init__(SIGNATURE)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        values = {name: getattr(self, name) for name in OPERANDS} | dict.fromkeys(("upper", "joins"), self.c[0])
        for name, case in CASES.items():
            m.submodules[port(name)] = inner = Module()
            out = chain(inner, "step", case.steps, case.cycles, values)
            m.d.comb += getattr(self, port(name)).eq(out["result"])
        return m


class Results:
    """What every datapath makes of the vectors for one, two or three operands, cycle by cycle."""

    def __init__(self) -> None:
        identity = f"{Path(__file__).read_text()}\0{CHIP.latency}"
        self.simulation = Simulation(Design.of(SIGNATURE, Datapaths, identity))
        self.outputs = [self._outputs(operands(count)) for count in range(1, len(OPERANDS) + 1)]

    def _outputs(self, words: tuple[np.ndarray, ...]) -> np.ndarray:
        inputs = self.simulation.blank(len(words[0]) + max(case.cycles for case in CASES.values()))
        for name, column in zip(OPERANDS, words, strict=False):
            self.simulation.column(inputs, name)[: len(column), 0] = column.view(np.uint32)
        return self.simulation.step(inputs)

    def of(self, name: str) -> np.ndarray:
        """The output in each cycle; one vector for the datapath goes in in each cycle from 0 on."""
        return self.simulation.column(self.outputs[CASES[name].num_operands - 1], port(name))[:, 0].view(np.int32)

    def on(self, name: str, words: np.ndarray) -> np.ndarray:
        """What the datapath of a function makes of these words."""
        cycles = CASES[name].cycles
        inputs = self.simulation.blank(len(words) + cycles)
        self.simulation.column(inputs, "a")[: len(words), 0] = words.view(np.uint32)
        outputs = self.simulation.step(inputs)
        return self.simulation.column(outputs, port(name))[cycles - 1 :][: len(words), 0].view(np.int32)


@pytest.fixture(scope="module")
def results() -> Results:
    return Results()


@pytest.mark.parametrize("name", CASES)
def test_a_datapath_equals_the_contract_in_the_cycle_it_is_granted(name: str, results: Results) -> None:
    case = CASES[name]
    words = operands(case.num_operands)
    expected = case.expected(*words)
    got = results.of(name)[case.cycles - 1 :][: len(expected)]
    wrong = np.flatnonzero(got != expected)
    shown = [f"{[hex(word[i]) for word in words]}: {got[i]:#x}, not {expected[i]:#x}" for i in wrong[:3].tolist()]
    assert len(expected) >= 40_000
    assert not shown, f"{len(wrong)} of {len(expected)}"


@pytest.mark.parametrize("name", SIGNIFICANDS)
def test_a_function_of_many_significands(name: str, results: Results) -> None:
    words = some_significands(name)
    assert (results.on(name, words) == CASES[name].expected(words)).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", SIGNIFICANDS)
def test_a_function_of_every_significand(name: str, results: Results) -> None:
    words = SIGNIFICANDS[name]()
    for some in np.array_split(words, len(words) // NUM_SIGNIFICANDS):
        assert (results.on(name, some) == CASES[name].expected(some)).all()


def test_every_instruction_of_the_vxm_has_a_datapath() -> None:
    assert {*lane.DATAPATHS, *lane.HALVINGS} == {name for name, row in INSTRUCTIONS.items() if row.area is Area.VXM}
