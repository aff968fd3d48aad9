"""Building a Graph node by node: output types are inferred, so that a front end states only what it read."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from waterclock.frontends.graph import (
    OPS,
    Attribute,
    DType,
    Graph,
    GraphError,
    ModelConfig,
    Node,
    Value,
    constant_type,
)


class GraphBuilder:
    """Collects values, nodes and constants; `build` returns the validated Graph."""

    def __init__(self, name: str, config: ModelConfig) -> None:
        self._name = name
        self._config = config
        self._inputs: list[str] = []
        self._nodes: list[Node] = []
        self._values: dict[str, Value] = {}
        self._constants: dict[str, NDArray[np.generic]] = {}

    def input(self, name: str, shape: tuple[int, ...], dtype: DType) -> str:
        """Declare an input of the graph."""
        self._inputs.append(name)
        self._values[name] = Value(name, shape, dtype)
        return name

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Add a constant; adding the same array again under its name is allowed (tied weights)."""
        if self._constants.setdefault(name, value) is not value:
            raise GraphError(f"graph {self._name}: constant {name} is given twice")
        return name

    def add(
        self,
        op: str,
        inputs: tuple[str, ...],
        *,
        source: str,
        layer: int | None = None,
        outputs: tuple[str, ...] = (),
        constants: Mapping[str, str] | None = None,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> tuple[str, ...]:
        """Append a node and return the names of its outputs (made from `source` unless given).

        Raises GraphError if the operation does not exist or does not fit its operands.
        """
        constants, attributes = constants or {}, attributes or {}
        if op not in OPS:
            raise GraphError(f"graph {self._name}: node {op} at {source}: unknown operation")
        try:
            types = OPS[op].infer(
                [self._values[name].type for name in inputs],
                {role: constant_type(self._constants[name]) for role, name in constants.items()},
                attributes,
            )
        except (KeyError, ValueError) as error:
            raise GraphError(f"graph {self._name}: node {op} at {source}: {error}") from error
        names = outputs or _default_names(f"{source}.{op}", len(types))
        self._nodes.append(Node(op, inputs, names, attributes, constants, layer, source))
        self._values.update({name: Value(name, t.shape, t.dtype) for name, t in zip(names, types, strict=True)})
        return names

    def build(self, outputs: tuple[str, ...]) -> Graph:
        """The Graph, validated."""
        graph = Graph(
            name=self._name,
            inputs=tuple(self._inputs),
            outputs=outputs,
            values=self._values,
            nodes=tuple(self._nodes),
            constants=self._constants,
            config=self._config,
        )
        graph.validate()
        return graph


def _default_names(stem: str, num_outputs: int) -> tuple[str, ...]:
    return (stem,) if num_outputs == 1 else tuple(f"{stem}.{index}" for index in range(num_outputs))
