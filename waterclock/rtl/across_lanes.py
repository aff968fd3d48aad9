"""One lane of the instructions that go across lanes, as steps: a butterfly, and a halving of a reduction.

Value a is this lane's, b that of the lane it is paired with; by the contract of `waterclock.numerics.reductions`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from amaranth.hdl import Cat, Module, Mux, Value

from waterclock.rtl import fp32, simple
from waterclock.rtl.float_word import magnitude, sign
from waterclock.rtl.pipeline import Prepared, Step, Values
from waterclock.rtl.side_by_side import Operation, side_by_side


def pair(values: Values) -> Values:
    """A butterfly is b + a, or b - a in the `upper` lane of a pair."""
    a: Value = values["a"]
    return {"a": values["b"], "b": Cat(magnitude(a), sign(a) ^ values["upper"])}


def _halving(combine: Sequence[Step]) -> tuple[Step, ...]:
    """a and b combined if the halving `joins` lanes of one segment, else a."""
    return (*side_by_side({"combined": Operation(combine, "a", "b")}, keep=("a", "joins")), _choose)


def _choose(m: Module, values: Values) -> Values:
    return {"result": Mux(values["joins"], values["combined"], values["a"])}


BUTTERFLY = (Prepared(pair, fp32.ADD[0]), *fp32.ADD[1:])

DATAPATHS: Final[Mapping[str, tuple[Step, ...]]] = MappingProxyType({"vxm.butterfly": BUTTERFLY})
HALVINGS: Final[Mapping[str, tuple[Step, ...]]] = MappingProxyType({
    "vxm.reduce_add": _halving(fp32.ADD),
    "vxm.reduce_max": _halving(simple.MAX),
})  # fmt: skip
