"""Every operation on one or more words that gives one word, so that tests and tables can loop over all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import numpy as np

from waterclock.numerics import convert, fp32, functions, int32


class Operand(Enum):
    """What 32 bits mean to an operation; the value is the numpy type that carries them."""

    FP32 = np.float32
    INT32 = np.int32


@dataclass(frozen=True)
class Operation:
    """One element-wise operation: `function` takes one array or scalar per operand and returns the result's type."""

    name: str
    function: Callable[..., Any]
    operands: tuple[Operand, ...]
    result: Operand


F, I = Operand.FP32, Operand.INT32  # noqa: E741

OPERATIONS: Final = (
    Operation("fp32.add", fp32.add, (F, F), F),
    Operation("fp32.sub", fp32.sub, (F, F), F),
    Operation("fp32.mul", fp32.mul, (F, F), F),
    Operation("fp32.maximum", fp32.maximum, (F, F), F),
    Operation("fp32.minimum", fp32.minimum, (F, F), F),
    Operation("fp32.absolute", fp32.absolute, (F,), F),
    Operation("fp32.compare_lt", fp32.compare_lt, (F, F), I),
    Operation("fp32.compare_le", fp32.compare_le, (F, F), I),
    Operation("fp32.compare_eq", fp32.compare_eq, (F, F), I),
    Operation("fp32.select", fp32.select, (I, I, I), I),
    Operation("int32.add", int32.add, (I, I), I),
    Operation("int32.bit_and", int32.bit_and, (I, I), I),
    Operation("int32.bit_or", int32.bit_or, (I, I), I),
    Operation("int32.bit_xor", int32.bit_xor, (I, I), I),
    Operation("int32.shl", int32.shl, (I, I), I),
    Operation("int32.shr", int32.shr, (I, I), I),
    Operation("int32.sar", int32.sar, (I, I), I),
    Operation("convert.to_int8", convert.to_int8, (F,), I),
    Operation("convert.to_uint8", convert.to_uint8, (F,), I),
    Operation("convert.to_int32", convert.to_int32, (F,), I),
    Operation("convert.to_fp32", convert.to_fp32, (I,), F),
    Operation("convert.widen8", convert.widen8, (I,), I),
    Operation("functions.exp2", functions.exp2, (F,), F),
    Operation("functions.reciprocal", functions.reciprocal, (F,), F),
    Operation("functions.rsqrt", functions.rsqrt, (F,), F),
)
