"""The proofs hold, and each of them fails for a design with a bug planted where it looks."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

pytest.importorskip("amaranth", reason="the RTL needs the Python package amaranth")

from amaranth.hdl import Cat, Const, Module, Mux, Value

from waterclock.rtl import fp32, fp32_mul, icu
from waterclock.rtl.float_word import is_nan, is_zero, sign
from waterclock.rtl.formal import PROOFS
from waterclock.rtl.formal.proof import Method
from waterclock.rtl.formal.sby import Verdict, missing_tools, prove
from waterclock.rtl.icu import Level, Sequencer
from waterclock.rtl.pipeline import Step, Values
from waterclock.rtl.streams import Streams

TIMEOUT_S = 600
BUG_CYCLES = 12
"""Cycles in which a planted bug of a queue or of the streams shows."""

pytestmark = pytest.mark.skipif(missing_tools() is not None, reason=str(missing_tools()))

Change = Callable[[Values, Values], Values]
"""From what goes into a step and what comes out of it to what comes out instead, as far as it differs."""


def with_bug(steps: tuple[Step, ...], number: int, change: Change) -> tuple[Step, ...]:
    """The steps, one of which gives something else."""

    def step(m: Module, values: Values) -> Values:
        out = steps[number](m, values)
        return {**out, **change(values, out)}

    return (*steps[:number], step, *steps[number + 1 :])


def unflushed(values: Values, out: Values) -> Values:
    """A result below the normal numbers keeps its fraction."""
    low = fp32.SIGNIFICAND_BITS - fp32.FRACTION_BITS
    kept = Cat(values["total"][low:][: fp32.FRACTION_BITS], Const(0, 8), values["sign"])
    tiny = (values["exponent"] <= 0) & ~values["is_zero"] & ~values["nan"] & ~values["infinite"]
    return {"result": Mux(tiny, kept, out["result"])}


def unflushed_product(values: Values, out: Values) -> Values:
    tiny = (values["exponent"] < 0) & ~values["is_zero"] & ~values["nan"] & ~values["infinite"]
    return {"result": Mux(tiny, Cat(values["product"][:23], Const(0, 8), values["sign"]), out["result"])}


def no_sticky(values: Values, out: Values) -> Values:
    return {"small": Cat(Const(0, 1), out["small"][1:])}


def ties_go_up(values: Values, out: Values) -> Values:
    return {"total": Cat(Const(1, 1), out["total"][1:])}


def round_up_ties(m: Module, values: Values) -> Values:
    return fp32_mul.round_product(m, {**values, "product": values["product"] | 1})


ADD, MUL = fp32.ADD, fp32_mul.MUL
SUM_BUGS = {
    "add.commutes": with_bug(ADD, 0, lambda values, out: {"sign": sign(values["a"])}),
    "add.odd": with_bug(ADD, 1, lambda values, out: {"zero_sign": values["sign"]}),
    "add.zero": with_bug(ADD, 0, lambda values, out: {"zero_sign": sign(values["a"]) | sign(values["b"])}),
    "add.nan": with_bug(ADD, 0, lambda values, out: {"nan": is_nan(values["a"]) | is_nan(values["b"])}),
    "add.flush": with_bug(ADD, 2, unflushed),
    "add.infinity": with_bug(ADD, 0, lambda values, out: {"infinite": Const(0, 1)}),
    "add.nearest.0": with_bug(ADD, 1, lambda values, out: {"exponent": (out["exponent"] + 1)[:10].as_signed()}),
    "add.nearest.1": with_bug(ADD, 1, ties_go_up),
    "add.nearest.9": with_bug(ADD, 0, no_sticky),
    "add.nearest.far": with_bug(ADD, 0, lambda values, out: {"small": out["small"] | 4}),
}
PRODUCT_BUGS = {
    "mul.odd": with_bug(MUL, 0, lambda values, out: {"sign": sign(values["a"])}),
    "mul.one": with_bug(MUL, 0, lambda values, out: {"exponent": (out["exponent"] + 1)[:10].as_signed()}),
    "mul.nan": with_bug(MUL, 0, lambda values, out: {"nan": is_nan(values["a"]) | is_nan(values["b"])}),
    "mul.flush": with_bug(MUL, 2, unflushed_product),
    "mul.commutes": with_bug(MUL, 0, lambda values, out: {"is_zero": is_zero(values["a"])}),
    "mul.digits": with_bug(MUL, 0, lambda values, out: {"digit_6": out["digit_6"] - (values["a"][:23] == 5)}),
    "mul.sum": with_bug(MUL, 1, lambda values, out: {"product": out["product"] ^ values["digit_12"][29]}),
    "mul.nearest": (*MUL[:2], round_up_ties),
}


class NoRepeat(Sequencer):
    """Takes no notice of repeats."""

    def _is(self, place: int, mnemonic: str) -> Value:
        return Const(0, 1) if mnemonic == "icu.repeat" else super()._is(place, mnemonic)


class ShortFirstRound(Sequencer):
    """Counts the cycle in which a body begins twice."""

    def _entered(self, m: Module, levels: list[Level]) -> tuple[list[Level], Value]:
        inside, crowded = super()._entered(m, levels)
        return [replace(level, elapsed=level.elapsed | self.fresh) for level in inside], crowded


class OneEnd(Sequencer):
    """Passes over a loop end that stands right behind another."""

    def _walk(self, m: Module, levels: list[Level], kept: list[Any], window: Any, first: Value, at: int) -> None:
        super()._walk(m, levels, kept, window, first, at if at == 0 else 3)


class Turned(Streams):
    """What arrives is put down turned by one byte."""

    def _arrive(self, m: Module, arrival: Any, widths: Any, word: Value, flowing: Any) -> None:
        flipped = Cat(word[8:], word[:8])
        super()._arrive(m, arrival, widths, flipped, flowing)


CLOCKED_BUGS = {
    "icu.straight": NoRepeat, "icu.in_turn": ShortFirstRound, "icu.nested": ShortFirstRound,
    "icu.heads_meet": ShortFirstRound,
    "icu.ends_meet": OneEnd, "streams.kept": Turned,
}  # fmt: skip
BUGS = MappingProxyType({**SUM_BUGS, **PRODUCT_BUGS, **CLOCKED_BUGS})


def long(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow) if PROOFS[name].is_long else name


@pytest.mark.parametrize("name", [long(name) for name in PROOFS])
def test_a_claim_is_proven(name: str) -> None:
    outcome = prove(PROOFS[name], TIMEOUT_S)
    assert outcome.verdict is Verdict.PROVEN, outcome.log


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    proof = PROOFS[name].about(BUGS[name])
    if proof.method is Method.INDUCTION:
        proof = replace(proof, method=Method.BOUNDED, depth=BUG_CYCLES)
    assert prove(proof, TIMEOUT_S).verdict is Verdict.REFUTED


def test_a_count_that_begins_anew_is_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows after 33 million cycles, which induction reaches and no simulation."""
    monkeypatch.setattr(icu, "_counted", lambda cycles: (cycles + 1)[: icu.COUNT_BITS])
    assert prove(PROOFS["icu.in_turn"], TIMEOUT_S).verdict is Verdict.UNKNOWN


def test_every_claim_has_a_planted_bug() -> None:
    """The cases of `add.nearest` share theirs."""
    assert {name for name in PROOFS if not name.startswith("add.nearest.")} <= set(BUGS)
    assert set(BUGS) <= set(PROOFS)
