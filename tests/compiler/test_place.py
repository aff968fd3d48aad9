"""Placement: every tile has one home, spread evenly; what has no room is refused with field and figures."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterclock.chip import Chip
from waterclock.compiler.compile import compile_model
from waterclock.compiler.place import assign
from waterclock.errors import InputError
from waterclock.frontends.graph import Graph
from waterclock.isa.program import Role, Space

SETTING = re.compile(r"--set (\S+)=(\d+)$")


@given(num_blocks=st.integers(1, 40), num_links=st.integers(1, 20), num_mxm=st.sampled_from([1, 2, 4, 8]))
def test_every_link_of_every_block_is_assigned_once(num_blocks: int, num_links: int, num_mxm: int) -> None:
    load = [0] * num_mxm
    blocks = assign(num_blocks, num_links, load)
    assert len(blocks) == num_blocks
    tiles = Counter(mxm for parts in blocks for mxm, links in parts for _ in links)
    for parts in blocks:
        assert sorted(k for _, links in parts for k in links) == list(range(num_links))
        assert len({mxm for mxm, _ in parts}) == len(parts)
    assert load == [tiles[mxm] for mxm in range(num_mxm)]
    assert max(load) - min(load) <= num_links


def test_the_next_matrix_goes_where_there_is_least() -> None:
    load = [5, 0]
    assert assign(1, 1, load) == [[(1, range(1))]]
    assert load == [5, 1]


def test_objects_of_a_deployment_never_overlap(graph: Graph, tiny: Chip) -> None:
    deployment = compile_model(graph, tiny, 16).deployment
    (program,) = deployment.programs.values()
    sizes = {
        Space.MEM: tiny.mem.num_words,
        Space.RERAM: tiny.mxm.num_reram_tiles,
        Space.SRAM: tiny.mxm.num_sram_tiles,
    }
    taken: dict[tuple[str, Space, int], str] = {}
    for obj in program.objects:
        for layer in range(obj.num_layers):
            for place in range(obj.base + layer * obj.stride, obj.base + layer * obj.stride + obj.size):
                assert taken.setdefault((obj.slice, obj.space, place), obj.name) == obj.name
                assert 0 <= place < sizes[obj.space]
    num_places = sum(obj.num_layers * obj.size for obj in program.objects)
    assert num_places == len(taken)


def test_the_image_holds_every_weight_once(graph: Graph, tiny: Chip) -> None:
    reram = compile_model(graph, tiny, 16).deployment.reram
    weights = np.concatenate([c.reshape(-1) for c in graph.constants.values() if c.dtype == np.int8])
    held = Counter(reram[reram != 0].tolist())
    assert held == Counter(weights[weights != 0].tolist())


def test_only_layers_are_strided(graph: Graph, tiny: Chip) -> None:
    deployment = compile_model(graph, tiny, 16).deployment
    assert {obj.num_layers for obj in deployment.objects if obj.space is Space.SRAM} == {2}
    assert all(obj.role is Role.STATE for obj in deployment.objects if obj.space is Space.SRAM)


@pytest.mark.parametrize("field", ["mem.num_words", "mxm.num_reram_tiles", "mxm.num_sram_tiles"])
def test_a_chip_without_room_is_refused_with_what_would_do(graph: Graph, tiny: Chip, field: str) -> None:
    """Whoever does what the message says, as often as it is said, ends with a chip on which the model runs."""
    chip = tiny.with_fields({field: 2, "mxm.num_reram_banks": 2, "mxm.num_sram_banks": 2})
    needs: list[int] = []
    for _ in range(100):
        try:
            compile_model(graph, chip, 16)
            break
        except InputError as refused:
            message = str(refused)
        setting = SETTING.search(message)
        assert setting and setting[1] == field and "\n" not in message, message
        assert f"{field} = {chip[field]}" in message
        assert int(setting[2]) > (needs[-1] if needs else 0)
        needs.append(int(setting[2]))
        chip = chip.with_fields({field: needs[-1]})
    assert needs
    assert compile_model(graph, chip, 16).deployment.programs
    if field == "mem.num_words":
        return  # slices of another size are shared out otherwise: a little less may do
    with pytest.raises(InputError):
        compile_model(graph, chip.with_fields({field: needs[-1] - 1}), 16)
