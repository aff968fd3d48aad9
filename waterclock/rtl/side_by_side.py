"""Operations of equally many steps beside one another, on named values: what sequences of operations are built of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Const, Module, Value

from waterclock.rtl.pipeline import Step, Values
from waterclock.rtl.streams import WORD_BITS

Source = str | np.float32
"""Where an operand comes from: the name of a value, or a number."""
INSIDE = "__"
"""Between the name of a result and the name of what its operation carries from step to step."""


@dataclass(frozen=True)
class Operation:
    """The result of `steps` for the operands `a` and `b`."""

    steps: Sequence[Step]
    a: Source
    b: Source

    def operands(self, values: Values) -> Values:
        return {"a": _value(self.a, values), "b": _value(self.b, values)}


def _value(source: Source, values: Values) -> Value:
    return values[source] if isinstance(source, str) else Const(int(source.view(np.uint32)), WORD_BITS)


def side_by_side(operation_by_result: Mapping[str, Operation], keep: Sequence[str]) -> tuple[Step, ...]:
    """Steps that add the results to the values; of those given, the ones that are named in `keep` go along."""
    lengths = {len(operation.steps) for operation in operation_by_result.values()}
    if len(lengths) != 1:
        raise ValueError("operations side by side take equally many steps")
    (length,) = lengths
    return tuple(_step(number, length, operation_by_result, keep) for number in range(length))


def _step(number: int, length: int, operation_by_result: Mapping[str, Operation], keep: Sequence[str]) -> Step:
    is_first, is_last = number == 0, number == length - 1

    def step(m: Module, values: Values) -> Values:
        out = {key: values[key] for key in keep}
        for result, operation in operation_by_result.items():
            m.submodules[f"{result}_{number}"] = inner = Module()
            given = operation.operands(values) if is_first else _inside(result, values)
            given = operation.steps[number](inner, given)
            out |= {result: given["result"]} if is_last else _named(result, given)
        return out

    return step


def _named(result: str, values: Values) -> Values:
    return {f"{result}{INSIDE}{key}": value for key, value in values.items()}


def _inside(result: str, values: Values) -> Values:
    prefix = f"{result}{INSIDE}"
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
