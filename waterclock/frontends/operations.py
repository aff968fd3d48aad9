"""The operations a Graph may hold: one row per operation, each with its type signature.

A signature reads ``x: f32[n], y: f32[n] -> f32[n]``; constants follow a semicolon. A dimension is a number or a
product of names (``num_heads*head_dim``). Names are attributes of the node or free; equal names are equal sizes, and
one free name in a product is solved for, so ``f32[blocks*block]`` says that the attribute ``block`` divides the size.
Shapes are those of one token.
"""

import enum
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Attribute = int | float | str | bool


class DType(enum.Enum):
    """The element types of values and constants."""

    F32 = "f32"
    I8 = "i8"
    U8 = "u8"
    I32 = "i32"

    @property
    def numpy(self) -> np.dtype[np.generic]:
        return np.dtype(_NUMPY_NAMES[self])


_NUMPY_NAMES = {DType.F32: "float32", DType.I8: "int8", DType.U8: "uint8", DType.I32: "int32"}


@dataclass(frozen=True)
class TensorType:
    """The type of one tensor: element type and shape, without the token axis."""

    dtype: DType
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype.value}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Term:
    """One tensor of a signature: its role and its dimensions, each a product of numbers and names."""

    role: str
    dtype: DType
    dimensions: tuple[tuple[str, ...], ...]

    def bind(self, actual: TensorType, sizes: dict[str, int]) -> None:
        """Unify with an actual type, adding newly known sizes; raises ValueError on any difference."""
        if actual.dtype is not self.dtype or len(actual.shape) != len(self.dimensions):
            raise ValueError(f"{self.role} is {actual}, expected {self}")
        for factors, size in zip(self.dimensions, actual.shape, strict=True):
            free = [factor for factor in factors if not factor.isdigit() and factor not in sizes]
            known = math.prod(_size(factor, sizes) for factor in factors if factor not in free)
            if free and known > 0 and size % known == 0:
                sizes[free[0]] = size // known
            elif free or size != known:
                raise ValueError(f"{self.role} is {actual}, expected {self} with {_listing(sizes)}")

    def resolve(self, sizes: Mapping[str, int]) -> TensorType:
        """The actual type once every name has a size."""
        return TensorType(self.dtype, tuple(math.prod(_size(f, sizes) for f in factors) for factors in self.dimensions))

    def __str__(self) -> str:
        return f"{self.dtype.value}[{', '.join('*'.join(factors) for factors in self.dimensions)}]"


@dataclass(frozen=True)
class OpRow:
    """One operation: its ATen-like name, its type signature, the attributes it requires and what it computes."""

    name: str
    signature: str
    attributes: Mapping[str, type[Attribute]]
    meaning: str

    @cached_property
    def inputs(self) -> tuple[Term, ...]:
        return _terms(self.signature.partition("->")[0].partition(";")[0])

    @cached_property
    def constants(self) -> tuple[Term, ...]:
        return _terms(self.signature.partition("->")[0].partition(";")[2])

    @cached_property
    def outputs(self) -> tuple[Term, ...]:
        return _terms(self.signature.partition("->")[2])

    def infer(
        self, inputs: Sequence[TensorType], constants: Mapping[str, TensorType], attributes: Mapping[str, Attribute]
    ) -> tuple[TensorType, ...]:
        """The output types of one node; raises ValueError with the reason if the node does not fit the row."""
        _check_attributes(self.attributes, attributes)
        _check_names("constants", [term.role for term in self.constants], list(constants))
        if len(inputs) != len(self.inputs):
            raise ValueError(f"takes {len(self.inputs)} inputs, got {len(inputs)}")
        sizes = {name: value for name, value in attributes.items() if type(value) is int}
        for term, actual in zip(self.inputs, inputs, strict=True):
            term.bind(actual, sizes)
        for term in self.constants:
            term.bind(constants[term.role], sizes)
        return tuple(term.resolve(sizes) for term in self.outputs)


_TERM = re.compile(r"(?:(?P<role>\w+):\s*)?(?P<dtype>\w+)\[(?P<dimensions>[^\]]*)\]")


def _terms(text: str) -> tuple[Term, ...]:
    return tuple(
        Term(
            role=match["role"] or f"output {index}",
            dtype=DType(match["dtype"]),
            dimensions=tuple(tuple(d.strip().split("*")) for d in match["dimensions"].split(",") if d.strip()),
        )
        for index, match in enumerate(_TERM.finditer(text))
    )


def _size(factor: str, sizes: Mapping[str, int]) -> int:
    return int(factor) if factor.isdigit() else sizes[factor]


def _listing(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items()) or "nothing known"


def _check_names(what: str, expected: Sequence[str], actual: Sequence[str]) -> None:
    if sorted(expected) != sorted(actual):
        raise ValueError(f"{what} are {sorted(actual)}, expected {sorted(expected)}")


def _check_attributes(expected: Mapping[str, type[Attribute]], actual: Mapping[str, Attribute]) -> None:
    _check_names("attributes", list(expected), list(actual))
    for name, kind in expected.items():
        value = actual[name]
        if type(value) is not kind:
            raise ValueError(f"attribute {name} is {value!r}, expected {kind.__name__}")
        if kind in (int, float) and not (float(value) > 0 and math.isfinite(float(value))):
            raise ValueError(f"attribute {name} is {value!r}, expected a positive finite number")


_HEADS: Mapping[str, type[Attribute]] = {"num_heads": int, "num_kv_heads": int, "head_dim": int}
_ATTENTION = "q: f32[num_heads*head_dim], k: f32[num_kv_heads*head_dim], v: f32[num_kv_heads*head_dim]"

_ROWS = (
    OpRow("embedding", "token: i32[]; weight: f32[vocab, n] -> f32[n]", {}, "the row of the table that token selects"),
    OpRow("rms_norm", "x: f32[n]; weight: f32[n] -> f32[n]", {"eps": float}, "x / sqrt(mean(x^2) + eps) * weight"),
    OpRow("linear", "x: f32[n]; weight: f32[m, n] -> f32[m]", {}, "weight @ x"),
    OpRow(
        "rope",
        "x: f32[num_heads*head_dim] -> f32[num_heads*head_dim]",
        {"num_heads": int, "head_dim": int, "theta": float},
        "rotates pair (2i, 2i+1) of each head by position * theta^(-2i / head_dim)",
    ),
    OpRow(
        "scaled_dot_product_attention",
        f"{_ATTENTION} -> f32[num_heads*head_dim]",
        _HEADS,
        "appends k and v to the layer's KV cache; softmax(q K^T / sqrt(head_dim)) V per head, causal",
    ),
    OpRow("silu", "x: f32[n] -> f32[n]", {}, "x / (1 + exp(-x))"),
    OpRow("mul", "x: f32[n], y: f32[n] -> f32[n]", {}, "x * y, element by element"),
    OpRow("add", "x: f32[n], y: f32[n] -> f32[n]", {}, "x + y, element by element"),
    OpRow(
        "embedding_int8",
        "token: i32[]; weight: i8[vocab, n], scale: f32[vocab] -> f32[n]",
        {},
        "the row of the table that token selects, times the row's scale",
    ),
    OpRow("rms_scale", "x: f32[n] -> f32[1]", {"eps": float}, "1 / sqrt(mean(x^2) + eps)"),
    OpRow(
        "hadamard",
        "x: f32[num_blocks*block] -> f32[num_blocks*block]",
        {"block": int},
        "the Walsh-Hadamard transform of each block, not normalised",
    ),
    OpRow("quantize_int8", "x: f32[n] -> i8[n], f32[1]", {}, "x = q * scale with one symmetric scale for the token"),
    OpRow(
        "linear_int8",
        "q: i8[n], q_scale: f32[1]; weight: i8[m, n], scale: f32[m] -> f32[m]",
        {},
        "(weight @ q, exact in int32) * q_scale * scale",
    ),
    OpRow(
        "attention_int8",
        f"{_ATTENTION} -> f32[num_heads*head_dim]",
        _HEADS,
        "scaled_dot_product_attention with int8 q, K and V (a scale per token and head) and uint8 probabilities",
    ),
    OpRow("scale", "x: f32[n]; weight: f32[n] -> f32[n]", {}, "x * weight, element by element, weight constant"),
)

OPS: Mapping[str, OpRow] = {row.name: row for row in _ROWS}
