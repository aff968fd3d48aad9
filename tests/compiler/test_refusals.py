"""What can't be compiled is refused in one line that names the place and the figures."""

from dataclasses import replace

import pytest

from waterclock.chip import Chip, load
from waterclock.compiler.compile import compile_model
from waterclock.errors import InputError, WaterclockError
from waterclock.frontends.graph import Graph, Node


def refusal(graph: Graph, chip: Chip, context: int = 16) -> str:
    with pytest.raises(InputError) as refused:
        compile_model(graph, chip, context)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def with_node(graph: Graph, changed: Node, **fields: object) -> Graph:
    return replace(graph, nodes=tuple(replace(n, **fields) if n is changed else n for n in graph.nodes))


def node_of(graph: Graph, op: str, layer: int | None) -> Node:
    return next(node for node in graph.nodes if node.op == op and node.layer == layer)


def test_a_chip_whose_weights_are_installed(graph: Graph) -> None:
    assert "groq-tsp: no resident tiles" in refusal(graph, load("groq-tsp"), 320)


@pytest.mark.parametrize("context", [0, -8, 4, 12, 17])
def test_a_context_that_is_no_multiple_of_the_lanes(graph: Graph, tiny: Chip, context: int) -> None:
    assert refusal(graph, tiny, context) == f"context {context}: must be a positive multiple of the chip's 8 lanes"


def test_a_context_that_has_no_room(graph: Graph, tiny: Chip) -> None:
    assert "mem.num_words = 512" in refusal(graph, tiny.with_fields({"mxm.num_sram_tiles": 1024}), 1024)


def test_a_program_that_fills_more_than_a_queue(graph: Graph, tiny: Chip) -> None:
    fullest = max(
        len(queue) for queue in compile_model(graph, tiny, 16).deployment.programs["decode-16"].queues.values()
    )
    compile_model(graph, tiny.with_fields({"max_queue_entries": fullest}), 16)
    message = refusal(graph, tiny.with_fields({"max_queue_entries": fullest - 1}))
    assert f"max_queue_entries = {fullest - 1}: decode-16 needs {fullest} in " in message
    assert f"--set max_queue_entries={fullest}" in message


def test_a_chip_with_too_few_parameters(graph: Graph, tiny: Chip) -> None:
    assert "num_params = 1" in refusal(graph, tiny.with_fields({"num_params": 1}))


def test_mxm_slices_that_are_no_power_of_two(graph: Graph, tiny: Chip) -> None:
    assert "3 MXM slices" in refusal(graph, tiny.with_fields({"layout.num_mxm_west": 2}))


def test_a_graph_that_is_not_quantized(graph: Graph, tiny: Chip) -> None:
    node = node_of(graph, "silu", 1)
    assert f"gelu at {node.source}" in refusal(with_node(graph, node, op="gelu"), tiny)


def test_layers_that_are_not_alike(graph: Graph, tiny: Chip) -> None:
    node = node_of(graph, "rms_scale", 1)
    other = with_node(graph, node, attributes={**node.attributes, "eps": 1e-3})
    assert "layer 1 is not like layer 0" in refusal(other, tiny)


def test_layers_that_are_not_one_chain(graph: Graph, tiny: Chip) -> None:
    first, second = (node_of(graph, "rms_scale", layer) for layer in (0, 1))
    assert "layer 1: 2 values enter" in refusal(with_node(graph, second, inputs=first.inputs), tiny)


def test_a_graph_without_layers(graph: Graph, tiny: Chip) -> None:
    flat = replace(graph, nodes=tuple(replace(node, layer=None) for node in graph.nodes))
    assert "no layers" in refusal(flat, tiny)


def test_a_chip_on_which_an_operation_fits_nowhere(graph: Graph, tiny: Chip) -> None:
    """One MEM slice has one port: three operands of its words never arrive together."""
    chip = tiny.with_fields({"layout.num_mem_west": 0, "layout.num_mem_east": 1, "vxm.num_holds": 0})
    with pytest.raises(WaterclockError, match=r"tiny: segment prologue: no place for vxm\.") as refused:
        compile_model(graph, chip.with_fields({"mem.num_words": 2048}), 16)
    assert "\n" not in str(refused.value)
