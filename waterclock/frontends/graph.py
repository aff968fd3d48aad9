"""The Graph: the compiler's only input, whatever the model came from.

A Graph describes the decode step of one token in SSA form: each value is defined once, by an input or by the output
of one node, and nodes are in an order in which they can be executed. Shapes are per token; an evaluator may carry a
leading token axis. The position of the token is implicit: `rope` and the attention operations know it, and the KV
cache lives inside the attention operations, one per layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waterclock.errors import InputError
from waterclock.frontends.operations import OPS, Attribute, DType, OpRow, TensorType

__all__ = ["OPS", "Attribute", "DType", "Graph", "GraphError", "ModelConfig", "Node", "OpRow", "TensorType", "Value"]


class GraphError(InputError):
    """A Graph that is not well formed; the message names the node and its place in the model."""


@dataclass(frozen=True)
class Value:
    """A tensor that one token computes: `shape` is without the token axis."""

    name: str
    shape: tuple[int, ...]
    dtype: DType

    @property
    def type(self) -> TensorType:
        return TensorType(self.dtype, self.shape)


@dataclass(frozen=True)
class Node:
    """One operation.

    `constants` maps each role of the operation's row to a name in `Graph.constants`; `layer` is the index of the
    repeated layer or None outside of it; `source` is the place in the model, for messages.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    constants: Mapping[str, str]
    layer: int | None
    source: str


@dataclass(frozen=True)
class ModelConfig:
    """The dimensions of a decoder-only transformer."""

    name: str
    hidden: int
    intermediate: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocab: int
    context_length: int
    rope_theta: float
    rms_eps: float
    bos_token_id: int | None
    eos_token_ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """A model: nodes in execution order, the types of all values, and the constants by name (read-only by custom)."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: Mapping[str, Value]
    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[np.generic]]
    config: ModelConfig

    def validate(self) -> None:
        """Check SSA form, operations, attributes, types and shapes; raises GraphError naming the first bad node."""
        defined: set[str] = set()
        for name in self.inputs:
            self._define(name, defined, f"input {name}")
        for node in self.nodes:
            self._validate_node(node, defined)
        if missing := [name for name in self.outputs if name not in defined]:
            raise GraphError(f"graph {self.name}: output {missing[0]} is never computed")
        if unused := sorted(self.values.keys() - defined):
            raise GraphError(f"graph {self.name}: value {unused[0]} is declared but never computed")

    def _validate_node(self, node: Node, defined: set[str]) -> None:
        place = f"node {node.op} at {node.source}"
        for name in node.inputs:
            if name not in defined:
                raise self._error(place, f"input {name} is used before it is computed")
        for name in node.constants.values():
            if name not in self.constants:
                raise self._error(place, f"constant {name} is missing")
        if node.op not in OPS:
            raise self._error(place, f"unknown operation; known are {', '.join(OPS)}")
        try:
            expected = OPS[node.op].infer(
                [self.values[name].type for name in node.inputs],
                {role: constant_type(self.constants[name]) for role, name in node.constants.items()},
                node.attributes,
            )
        except ValueError as error:
            raise self._error(place, str(error)) from error
        if len(expected) != len(node.outputs):
            raise self._error(place, f"has {len(node.outputs)} outputs, expected {len(expected)}")
        for name, type_ in zip(node.outputs, expected, strict=True):
            self._define(name, defined, place)
            if self.values[name].type != type_:
                raise self._error(place, f"output {name} is declared {self.values[name].type}, computed {type_}")

    def _define(self, name: str, defined: set[str], place: str) -> None:
        if name in defined:
            raise self._error(place, f"value {name} is defined twice")
        if name not in self.values or self.values[name].name != name:
            raise self._error(place, f"value {name} is not declared under its name")
        defined.add(name)

    def _error(self, place: str, reason: str) -> GraphError:
        return GraphError(f"graph {self.name}: {place}: {reason}")


_DTYPES = {dtype.numpy: dtype for dtype in DType}


def constant_type(constant: NDArray[np.generic]) -> TensorType:
    """The type of a constant; raises ValueError for an element type that no operation takes."""
    if constant.dtype not in _DTYPES:
        raise ValueError(f"constant of {constant.dtype}, expected one of {', '.join(map(str, _DTYPES))}")
    return TensorType(_DTYPES[constant.dtype], constant.shape)
