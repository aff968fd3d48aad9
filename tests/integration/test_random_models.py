"""Random models of awkward shapes on many chips: every execution gives the same bits in the same cycles."""

from pathlib import Path

import numpy as np
import pytest

from tests.integration.executions import assert_executions_equal, build, random_graph, random_tokens
from waterclock.chip import RULE_BY_FIELD, Chip

CONTEXT = 16
Shape = dict[str, int | bool]


def shape(
    hidden: int, intermediate: int, num_heads: int, num_kv_heads: int, head_dim: int, **more: int | bool
) -> Shape:
    """What `random_graph` is told of a model."""
    heads = {"num_heads": num_heads, "num_kv_heads": num_kv_heads, "head_dim": head_dim}
    return {"num_layers": 2, "vocab": 270, "hidden": hidden, "intermediate": intermediate, **heads, **more}


SHAPES = {
    "a kv head each": shape(20, 28, 3, 3, 6, vocab=300),
    "three to a kv head": shape(22, 24, 3, 1, 6, vocab=261),
    "four to a kv head": shape(26, 22, 4, 1, 4, vocab=290),
}
OTHER_SHAPES = {
    "heads of three vectors": shape(24, 16, 2, 1, 20, num_layers=1),
    "untied head": shape(12, 20, 2, 2, 6, tied=False),
    "not rotated": shape(18, 21, 2, 1, 4, rotate=False),
    "odd dimensions": shape(15, 9, 2, 2, 6, vocab=263),
    "less than a vector": shape(5, 3, 1, 1, 2, vocab=264),
    "whole vectors": shape(32, 64, 4, 2, 8, vocab=320),
    "one layer": shape(10, 12, 2, 1, 8, num_layers=1),
    "four layers": shape(10, 12, 2, 1, 8, num_layers=4),
}
LATENCIES = [field for field in RULE_BY_FIELD if field.startswith("latency.")]
CHIPS: dict[str, dict[str, int]] = {
    "4 lanes": {"lanes": 4, "mxm.num_reram_tiles": 2048, "mxm.num_sram_tiles": 512, "mem.num_words": 1024},
    "16 lanes": {"lanes": 16},
    "no hold register": {"vxm.num_holds": 0},
    "16 hold registers": {"vxm.num_holds": 16},
    "latency 1": dict.fromkeys(LATENCIES, 1),
    "odd latencies": {name: 3 + 2 * i for i, name in enumerate(reversed(LATENCIES))},
}
MORE_CHIPS: dict[str, dict[str, int]] = {
    "2 lanes": {"lanes": 2, "mxm.num_reram_tiles": 8192, "mxm.num_sram_tiles": 2048, "mem.num_words": 2048},
    "32 lanes": {"lanes": 32},
    "one ALU": {"vxm.num_alus": 1},
    "eight ALUs": {"vxm.num_alus": 8, "vxm.num_special": 2, "vxm.num_reduce": 2},
    "one hold register": {"vxm.num_holds": 1},
    "one accumulator": {"mxm.num_accumulators": 1},
    "one MXM": {"layout.num_mxm_west": 0, "layout.num_mxm_east": 1, "mxm.num_reram_tiles": 512},
    "four MXM": {"layout.num_mxm_west": 2, "layout.num_mxm_east": 2},
    "MEM on one side": {"layout.num_mem_west": 0, "layout.num_mem_east": 4, "mem.num_words": 1024},
    "three MEM": {"layout.num_mem_west": 1, "layout.num_mem_east": 2, "vxm.num_holds": 2, "mem.num_words": 1024},
    "few streams": {"num_streams": 16},
    "one bank": {"mxm.num_reram_banks": 1, "mxm.num_sram_banks": 1},
    "slow cells": {"mxm.sense_cycles": 11, "mxm.write_row_cycles": 9, "mxm.num_sram_banks": 3},
    "slow parameters": {"param_latency_cycles": 40},
}


def assert_equal(folder: Path, chip: Chip, seed: int, context: int = CONTEXT, **shape: int | bool) -> None:
    built = build(random_graph(folder, seed=seed, **shape), chip, max(context, chip.lanes))
    assert built.deployment.explanations[built.program.name].bound_cycles <= built.program.length_cycles
    last_of_vector, last = chip.lanes - 1, built.deployment.max_context - 1
    assert_executions_equal(built, random_tokens(built, last + 1, seed), {0, last_of_vector, last})


@pytest.fixture(scope="module")
def roomy(tiny: Chip) -> Chip:
    """The small chip with room for all models here."""
    return tiny.with_fields({"mxm.num_reram_tiles": 512, "mem.num_words": 768})


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_executions_are_equal(tmp_path: Path, tiny: Chip, shape: str, seed: int) -> None:
    assert_equal(tmp_path, tiny, seed, **SHAPES[shape])


@pytest.mark.parametrize("shape", OTHER_SHAPES)
def test_executions_are_equal_for_other_shapes(tmp_path: Path, roomy: Chip, shape: str) -> None:
    assert_equal(tmp_path, roomy, 4, **OTHER_SHAPES[shape])


@pytest.mark.parametrize("changed", CHIPS)
def test_executions_are_equal_on_other_chips(tmp_path: Path, roomy: Chip, changed: str) -> None:
    assert_equal(tmp_path, roomy.with_fields(CHIPS[changed]), 5, **SHAPES["three to a kv head"])


@pytest.mark.slow
@pytest.mark.parametrize("shape", [*SHAPES, *OTHER_SHAPES])
@pytest.mark.parametrize("changed", [*CHIPS, *MORE_CHIPS])
def test_executions_are_equal_for_every_shape_on_every_chip(
    tmp_path: Path, roomy: Chip, changed: str, shape: str
) -> None:
    chip = roomy.with_fields({**CHIPS, **MORE_CHIPS}[changed])
    assert_equal(tmp_path, chip, 6, **{**SHAPES, **OTHER_SHAPES}[shape])


@pytest.mark.slow
@pytest.mark.parametrize("context", [24, 32, 64])
def test_executions_are_equal_in_larger_contexts(tmp_path: Path, roomy: Chip, context: int) -> None:
    chip = roomy.with_fields({"mxm.num_sram_tiles": 512, "mem.num_words": 1024})
    assert_equal(tmp_path, chip, 7, context, **SHAPES["a kv head each"])


def test_executions_are_equal_where_the_position_table_is_in_pieces(tmp_path: Path, roomy: Chip) -> None:
    """Three pieces of 64 positions; the fourth would be beyond the context."""
    chip = roomy.with_fields({"layout.num_mem_west": 8, "layout.num_mem_east": 8, "mem.num_words": 128,
                              "mxm.num_sram_tiles": 512})  # fmt: skip
    built = build(random_graph(tmp_path, seed=8, **OTHER_SHAPES["one layer"]), chip, 160)
    assert [obj.size for obj in built.program.objects if obj.name.startswith("rope")] == [64, 64, 64]
    assert_executions_equal(built, random_tokens(built, 160, 8), {0, 63, 64, 127, 128, 159})


@pytest.mark.parametrize("name", ["a kv head each", "three to a kv head"])
def test_the_bound_knows_that_heads_share_the_alus(tmp_path: Path, roomy: Chip, name: str) -> None:
    """With one ALU, a further vector of positions costs each of three heads in two layers its twelve operations."""
    chip = roomy.with_fields({"vxm.num_alus": 1, "mxm.num_sram_tiles": 512, "mem.num_words": 1024})
    graph, bounds = random_graph(tmp_path, seed=6, **SHAPES[name]), list[int]()
    for context in (64, 128):
        built = build(graph, chip, context)
        bounds.append(built.deployment.explanations[built.program.name].bound_cycles)
        assert bounds[-1] <= built.program.length_cycles
    assert bounds[1] - bounds[0] == 2 * 3 * 12 * (128 - 64) // chip.lanes


def test_a_sequence_that_starts_again_leaves_no_trace_of_the_one_before(tmp_path: Path, tiny: Chip) -> None:
    built = build(random_graph(tmp_path, **SHAPES["four to a kv head"]), tiny, CONTEXT)
    machine = built.machine()
    for seed in (1, 2):
        tokens = random_tokens(built, CONTEXT, seed)
        for position, (token, expected) in enumerate(zip(tokens, built.reference(tokens), strict=True)):
            machine.launch(built.params(position, token))
            assert (machine.output("logits") == expected).all()


def test_the_chip_feeds_itself_its_own_tokens(tmp_path: Path, tiny: Chip) -> None:
    """With the token left as the launch before set it, the text is the reference's greedy one."""
    built = build(random_graph(tmp_path, **SHAPES["three to a kv head"]), tiny, CONTEXT)
    machine, tokens = built.machine(), [7]
    machine.state.params[built.param("token")] = tokens[0]
    for position in range(CONTEXT):
        machine.launch({built.param("position"): position})
        tokens.append(int(machine.state.params[built.param("token")]))
    greedy = [int(np.argmax(row)) for row in built.reference(tokens[:-1]).view(np.float32)]
    assert tokens[1:] == greedy
