"""One lane of the instructions that go across lanes, as steps: a butterfly, and a halving of a reduction.

Value a is this lane's, b that of the lane it is paired with; by the contract of `waterclock.numerics.reductions`.
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Value

from waterclock.rtl import fp32, simple
from waterclock.rtl.float_word import magnitude, sign
from waterclock.rtl.pipeline import Step, Values
from waterclock.rtl.side_by_side import Operation, side_by_side


def pair(m: Module, values: Values) -> Values:
    """The first step of a butterfly: b + a, or b - a in the `upper` lane of a pair."""
    a: Value = values["a"]
    return fp32.align(m, {"a": values["b"], "b": Cat(magnitude(a), sign(a) ^ values["upper"])})


def _halving(combine: Sequence[Step]) -> tuple[Step, ...]:
    """a and b combined if the halving `joins` lanes of one segment, else a."""
    return (*side_by_side({"combined": Operation(combine, "a", "b")}, keep=("a", "joins")), _choose)


def _choose(m: Module, values: Values) -> Values:
    return {"result": Mux(values["joins"], values["combined"], values["a"])}


BUTTERFLY = (pair, *fp32.ADD[1:])
HALVING_ADD = _halving(fp32.ADD)
HALVING_MAX = _halving(simple.MAX)
