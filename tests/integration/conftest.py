"""A real model: whole, and its first layer alone."""

from dataclasses import replace

import pytest

from tests.integration.executions import Built, build, built_of
from waterclock.chip import load
from waterclock.compiler.deployment import Deployment
from waterclock.frontends.graph import Graph
from waterclock.quantize import Scheme, quantize
from waterclock.quantize.rewrite import with_nodes
from waterclock.runtime.model import Model

CONTEXT = 256
NUM_LAYER_TOKENS = 500
"""The vocabulary of the cut model: no multiple of 64 lanes."""


@pytest.fixture(scope="session")
def smollm2(smollm2_quantized: Graph, smollm2_deployment: Deployment) -> Built:
    """The whole model on the chip that was made for it."""
    return built_of(smollm2_quantized, smollm2_deployment)


@pytest.fixture(scope="session")
def smollm2_layer(smollm2_model: Model) -> Built:
    """Its first layer between embedding and head of its first tokens, on the same chip."""
    return build(quantize(cut(smollm2_model.graph, NUM_LAYER_TOKENS), Scheme()), load("demonstrator"), CONTEXT)


def cut(graph: Graph, vocab: int) -> Graph:
    """The model with its first layer only and its first `vocab` tokens."""
    kept = [node for node in graph.nodes if node.layer in (None, 0)]
    final = next(node for node in kept if node.layer is None and node.inputs[0] not in graph.inputs)
    leaving = [node for node in kept if node.layer == 0][-1].outputs
    nodes = [replace(node, inputs=leaving) if node is final else node for node in kept]
    tables = {name: table[:vocab] for name, table in graph.constants.items() if len(table) == graph.config.vocab}
    return replace(
        with_nodes(graph, nodes, {**graph.constants, **tables}),
        config=replace(graph.config, num_layers=1, vocab=vocab),
    )
