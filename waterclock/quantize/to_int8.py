"""Replace float operations by int8 ones: weights with a scale per output channel, activations with one per token.

An rms_norm only multiplies a token by a number, so its input is quantized by its own maximum, in parallel with the
number's computation, which then multiplies the token's scale.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waterclock.frontends.builder import GraphBuilder
from waterclock.frontends.graph import Graph, GraphError, Node
from waterclock.quantize.compiled import compiled

MIN_NORMAL = np.float32(2.0**-126)


def quantize_weight(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 codes and a scale per row of weight [m, n].

    scale = max |w| / 127, rounded to float32; code = w / scale, rounded to the nearest even in float64. A row whose
    scale would be subnormal, which the machine takes for zero, becomes a row of zeros with scale zero.
    """
    scale = (np.abs(weight).max(axis=1) / np.float32(127)).astype(np.float32)
    scale[scale < MIN_NORMAL] = 0
    codes = np.empty(weight.shape, np.int8)
    _divide(weight, np.where(scale == 0, np.inf, scale.astype(np.float64)), codes)
    return codes, scale


@compiled
def _divide(weight: Any, divisor: Any, codes: Any) -> None:
    for row in range(len(weight)):
        for column in range(weight.shape[1]):
            codes[row, column] = np.int8(min(max(np.rint(weight[row, column] / divisor[row]), -127), 127))


def to_int8(graph: Graph) -> Graph:
    """The graph in operations of int8 products; raises GraphError for an operation that has no such form."""
    return _Lowering(graph).build()


class _Lowering:
    """Walks the float graph once. A value that a norm would scale is held as (what is scaled, the token's number)."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._builder = GraphBuilder(graph.name, graph.config)
        self._weights: dict[str, Mapping[str, str]] = {}
        self._norms: dict[str, tuple[str, str]] = {}
        self._codes: dict[str, tuple[str, str]] = {}

    def build(self) -> Graph:
        for name in self._graph.inputs:
            self._builder.input(name, self._graph.values[name].shape, self._graph.values[name].dtype)
        for node in self._graph.nodes:
            if node.op not in _LOWERINGS:
                raise GraphError(f"{self._place(node)}: has no int8 form")
            _LOWERINGS[node.op](self, node)
        return self._builder.build(self._graph.outputs)

    def embedding(self, node: Node) -> None:
        self._add(replace(node, op="embedding_int8", constants=self._weight(node.constants["weight"])))

    def rms_norm(self, node: Node) -> None:
        (x,), (output,) = node.inputs, node.outputs
        number = f"{node.source}.rms_scale"
        self._add(replace(node, op="rms_scale", outputs=(number,), constants={}))
        gain = self._graph.constants[node.constants["weight"]]
        if np.any(gain != 1):
            self._add(replace(node, op="scale", outputs=(f"{node.source}.scale",), attributes={}))
            x = f"{node.source}.scale"
        self._norms[output] = (x, number)

    def linear_in_token(self, node: Node) -> None:
        """An operation that a token's number passes through: f(x) * number = f(x * number)."""
        x, number = self._norms.get(node.inputs[0], (node.inputs[0], None))
        self._add(replace(node, inputs=(x,)))
        if number is not None:
            self._norms[node.outputs[0]] = (node.outputs[0], number)

    def linear(self, node: Node) -> None:
        codes = self._quantized(node.inputs[0], node)
        self._add(replace(node, op="linear_int8", inputs=codes, constants=self._weight(node.constants["weight"])))

    def attention(self, node: Node) -> None:
        self.keep(replace(node, op="attention_int8"))

    def keep(self, node: Node) -> None:
        if any(name in self._norms for name in node.inputs):
            raise GraphError(f"{self._place(node)}: reads a norm; only linear operations may")
        self._add(node)

    def _quantized(self, name: str, reader: Node) -> tuple[str, str]:
        """The int8 codes and the scale of a value, computed once however many linear operations read it."""
        if name in self._codes:
            return self._codes[name]
        x, number = self._norms.get(name, (name, None))
        codes, scale = f"{name}.codes", f"{name}.scale"
        quantizer = replace(reader, op="quantize_int8", constants={}, attributes={})
        self._add(replace(quantizer, inputs=(x,), outputs=(codes, scale)))
        if number is not None:
            self._add(replace(quantizer, op="mul", inputs=(scale, number), outputs=(f"{name}.token_scale",)))
            scale = f"{name}.token_scale"
        self._codes[name] = (codes, scale)
        return codes, scale

    def _weight(self, name: str) -> Mapping[str, str]:
        if name not in self._weights:
            codes, scale = quantize_weight(self._graph.constants[name].astype(np.float32, copy=False))
            roles = {"weight": name, "scale": f"{name}.scale"}
            self._builder.constant(roles["weight"], codes)
            self._builder.constant(roles["scale"], scale)
            self._weights[name] = roles
        return self._weights[name]

    def _add(self, node: Node) -> None:
        if node.op == "scale":
            name = node.constants["weight"]
            self._builder.constant(name, self._graph.constants[name])
        self._builder.add(
            node.op,
            node.inputs,
            source=node.source,
            layer=node.layer,
            outputs=node.outputs,
            constants=node.constants,
            attributes=node.attributes,
        )

    def _place(self, node: Node) -> str:
        return f"graph {self._graph.name}: node {node.op} at {node.source}"


_LOWERINGS: Mapping[str, Callable[[_Lowering, Node], None]] = {
    "embedding": _Lowering.embedding,
    "rms_norm": _Lowering.rms_norm,
    "hadamard": _Lowering.linear_in_token,
    "scale": _Lowering.linear_in_token,
    "linear": _Lowering.linear,
    "scaled_dot_product_attention": _Lowering.attention,
    "rope": _Lowering.keep,
    "silu": _Lowering.keep,
    "mul": _Lowering.keep,
    "add": _Lowering.keep,
}
