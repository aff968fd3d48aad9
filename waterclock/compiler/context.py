"""What lowering functions share: where they build, what is placed where, and the vectors of each Graph value."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.compiler.builder import Builder, bits_of
from waterclock.compiler.layout import Layout, heads, plain
from waterclock.compiler.model import LayeredGraph
from waterclock.compiler.place import Placement, TileGrid, reference
from waterclock.compiler.tileops import Immediate, Reference, Segment, Vector
from waterclock.frontends.graph import Graph, Node
from waterclock.isa.program import Object, Role

NUM_PARAMS = 3
POSITION, TOKEN, LAST = range(NUM_PARAMS)
"""Launch parameters: the position of the first token of the launch, the token at hand, and which of the launch's tokens
is the last, whose logits are wanted."""

LOG2_E = math.log2(math.e)
MINUS_INFINITY = Immediate(bits_of(-math.inf))


@dataclass(frozen=True, order=True)
class Shape:
    """What a program is made for: `num_tokens` tokens in a launch, `num_positions` positions of context."""

    num_tokens: int
    num_positions: int

    @property
    def name(self) -> str:
        """What the program is called."""
        return (
            f"decode-{self.num_positions}"
            if self.num_tokens == 1
            else f"prefill-{self.num_tokens}-{self.num_positions}"
        )


@dataclass
class Placed:
    """What all programs of a model share: where its weights, constants and caches are."""

    chip: Chip
    model: LayeredGraph
    placement: Placement
    layouts: dict[str, Layout]
    plan: dict[str, list[list[tuple[int, range]]]]
    tables: dict[str, tuple[Object, ...]] = field(default_factory=lambda: dict[str, tuple[Object, ...]]())
    grids: dict[str, TileGrid] = field(default_factory=lambda: dict[str, TileGrid]())
    head: Segment | None = None


@dataclass
class Context:
    """What lowering functions need: where they build, what is placed where, and the vectors of each Graph value."""

    placed: Placed
    shape: Shape
    builder: Builder
    vectors: dict[str, list[Vector]] = field(default_factory=lambda: dict[str, list[Vector]]())
    stores: dict[Vector, Reference] = field(default_factory=lambda: dict[Vector, Reference]())
    cos: list[Vector] = field(default_factory=lambda: list[Vector]())
    sin: list[Vector] = field(default_factory=lambda: list[Vector]())
    masks: list[Vector] = field(default_factory=lambda: list[Vector]())

    @property
    def chip(self) -> Chip:
        return self.placed.chip

    @property
    def model(self) -> LayeredGraph:
        return self.placed.model

    @property
    def placement(self) -> Placement:
        return self.placed.placement

    @property
    def num_blocks(self) -> int:
        """Vectors that hold one value per position of the program's context bucket."""
        return self.shape.num_positions // self.chip.lanes

    def word_of_token(self, name: str) -> Reference:
        """A word for every token of the launch, written in one segment and read in others."""
        return reference(self.placement.words(name, self.shape.num_tokens, Role.TEMPORARY), token_stride=1)

    def stored(self, name: str, vector: Vector, copies: int = 1) -> Vector:
        """The vector, to be read in later segments: `copies` places in MEM, each written in this segment."""
        homes = tuple(self.word_of_token(f"{name}.{i}") for i in range(copies))
        for i, home in enumerate(homes):
            self.stores[vector if i == 0 else self.builder.alu("vxm.move", vector)] = home
        return Vector(name, vector.width, homes)

    def constant(self, name: str, data: npt.NDArray[np.generic], index: int = 0) -> Vector:
        """A constant vector: `data[layer or 0, word, lane]`, read at word `index`."""
        return Vector(name, homes=(reference(self.placement.constant(name, data), index),))


def model_layouts(graph: Graph, lanes: int) -> dict[str, Layout]:
    """The layout of every value: each head starts a vector of its own where heads are told apart, else plain."""
    layouts = {name: plain(math.prod(value.shape), lanes) for name, value in graph.values.items()}
    headed: dict[str, Layout] = {}
    for node in reversed(graph.nodes):
        if "head_dim" in node.attributes:
            head_dim = int(node.attributes["head_dim"])
            for name in (*node.inputs, *node.outputs):
                headed[name] = heads(math.prod(graph.values[name].shape) // head_dim, head_dim, lanes)
    for node in graph.nodes:
        if node.op == "quantize_int8" and node.inputs[0] in headed:
            headed[node.outputs[0]] = headed[node.inputs[0]]
    return layouts | headed


def mask_of(count: int) -> int:
    """The smallest mask 2^n - 1 that keeps all of 0 .. count - 1."""
    return (1 << max(count - 1, 0).bit_length()) - 1


Lowering = Callable[[Context, Node], list[list[Vector]]]
"""Builds one Graph operation; returns the vectors of each of its outputs."""
