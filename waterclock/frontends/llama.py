"""The llama architecture in GGUF -> Graph.

Anything that this reading would silently get wrong is refused by name: other architectures, metadata whose meaning is
not implemented, tensors that the graph would not use (biases, rotary factors, experts).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from waterclock.frontends.builder import GraphBuilder
from waterclock.frontends.gguf_file import GgufError, GgufFile
from waterclock.frontends.graph import DType, Graph, ModelConfig
from waterclock.frontends.llama_config import read_config


def load_llama(file: GgufFile) -> Graph:
    """The float graph of a llama-architecture GGUF; raises GgufError naming what is missing or not supported."""
    return _LlamaBuilder(file, read_config(file)).build()


def _shape_by_role(config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
    """The shape of each kind of tensor, outermost first."""
    hidden, intermediate = config.hidden, config.intermediate
    q, kv = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    return {
        "token_embd": (config.vocab, hidden),
        "attn_norm": (hidden,),
        "attn_q": (q, hidden),
        "attn_k": (kv, hidden),
        "attn_v": (kv, hidden),
        "attn_output": (hidden, q),
        "ffn_norm": (hidden,),
        "ffn_gate": (intermediate, hidden),
        "ffn_up": (intermediate, hidden),
        "ffn_down": (hidden, intermediate),
        "output_norm": (hidden,),
        "output": (config.vocab, hidden),
    }


class _LlamaBuilder:
    """Adds one operation after another; every tensor it reads is ticked off, the rest is refused."""

    def __init__(self, file: GgufFile, config: ModelConfig) -> None:
        self._file = file
        self._config = config
        self._graph = GraphBuilder(config.name, config)
        self._shapes = _shape_by_role(config)
        self._used: set[str] = set()

    def build(self) -> Graph:
        token = self._graph.input("token", (), DType.I32)
        x = self._weighted("embedding", token, "token_embd", None)
        for layer in range(self._config.num_layers):
            x = self._attention(x, layer)
            x = self._feed_forward(x, layer)
        x = self._norm(x, "output_norm", None)
        tied = "output.weight" not in self._file.tensors
        logits = self._weighted("linear", x, "token_embd" if tied else "output", None, source="output")
        if unused := sorted(self._file.tensors.keys() - self._used):
            raise GgufError(f"{self._file.path}: tensor {unused[0]} is not supported in a llama model")
        return self._graph.build((logits,))

    def _attention(self, x: str, layer: int) -> str:
        block = f"blk.{layer}"
        normed = self._norm(x, f"{block}.attn_norm", layer)
        q, k, v = (self._weighted("linear", normed, f"{block}.attn_{role}", layer) for role in "qkv")
        q = self._rope(q, self._config.num_heads, f"{block}.attn_q", layer)
        k = self._rope(k, self._config.num_kv_heads, f"{block}.attn_k", layer)
        (attended,) = self._graph.add(
            "scaled_dot_product_attention",
            (q, k, v),
            source=f"{block}.attn",
            layer=layer,
            attributes={
                "num_heads": self._config.num_heads,
                "num_kv_heads": self._config.num_kv_heads,
                "head_dim": self._config.head_dim,
            },
        )
        return self._residual(x, self._weighted("linear", attended, f"{block}.attn_output", layer), layer, "attn")

    def _feed_forward(self, x: str, layer: int) -> str:
        block = f"blk.{layer}"
        normed = self._norm(x, f"{block}.ffn_norm", layer)
        gate = self._weighted("linear", normed, f"{block}.ffn_gate", layer)
        up = self._weighted("linear", normed, f"{block}.ffn_up", layer)
        (activated,) = self._graph.add("silu", (gate,), source=f"{block}.ffn_gate", layer=layer)
        (product,) = self._graph.add("mul", (activated, up), source=f"{block}.ffn_up", layer=layer)
        return self._residual(x, self._weighted("linear", product, f"{block}.ffn_down", layer), layer, "ffn")

    def _residual(self, x: str, y: str, layer: int, part: str) -> str:
        return self._graph.add("add", (x, y), source=f"blk.{layer}.{part}", layer=layer)[0]

    def _rope(self, x: str, num_heads: int, source: str, layer: int) -> str:
        attributes = {"num_heads": num_heads, "head_dim": self._config.head_dim, "theta": self._config.rope_theta}
        return self._graph.add("rope", (x,), source=source, layer=layer, attributes=attributes)[0]

    def _norm(self, x: str, tensor: str, layer: int | None) -> str:
        constants = {"weight": self._constant(tensor)}
        attributes = {"eps": self._config.rms_eps}
        return self._graph.add(
            "rms_norm", (x,), source=tensor, layer=layer, constants=constants, attributes=attributes
        )[0]

    def _weighted(self, op: str, x: str, tensor: str, layer: int | None, *, source: str | None = None) -> str:
        constants = {"weight": self._constant(tensor)}
        return self._graph.add(op, (x,), source=source or tensor, layer=layer, constants=constants)[0]

    def _constant(self, tensor: str) -> str:
        name = f"{tensor}.weight"
        if name not in self._used:
            self._graph.constant(name, self._checked(name, self._shapes[tensor.rpartition(".")[2]]))
            self._used.add(name)
        return name

    def _checked(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        tensor = self._file.tensors.get(name)
        if tensor is not None and tensor.shape != shape:
            raise GgufError(f"{self._file.path}: shape of {name} is {tensor.shape}, expected {shape} by the metadata")
        return self._file.tensor(name)
