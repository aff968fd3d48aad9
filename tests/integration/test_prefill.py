"""Prefill: many tokens in a launch give the bits and cycles that stepper, machine and reference evaluator agree on."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from tests.integration.executions import random_graph
from waterclock.chip import Chip, load
from waterclock.compiler.compile import compile_model
from waterclock.compiler.context import Shape
from waterclock.compiler.deployment import Deployment
from waterclock.errors import InputError
from waterclock.frontends.graph import Graph
from waterclock.quantize import evaluate_quantized
from waterclock.runtime.device import Device
from waterclock.simulator.link import Linked, link, rebuild_every_run
from waterclock.simulator.machine import parts
from waterclock.simulator.stepper import step

MODELS = {
    "two layers": {"num_layers": 2, "hidden": 20, "intermediate": 28, "num_heads": 3, "num_kv_heads": 3, "head_dim": 6},
    "five layers": {
        "num_layers": 5,
        "hidden": 12,
        "intermediate": 9,
        "num_heads": 2,
        "num_kv_heads": 1,
        "head_dim": 10,
    },
    "one layer": {"num_layers": 1, "hidden": 15, "intermediate": 9, "num_heads": 2, "num_kv_heads": 2, "head_dim": 6},
}
CHIPS = {
    "8 lanes": {"mxm.num_reram_tiles": 512, "mem.num_words": 768},
    "16 lanes": {"lanes": 16, "mem.num_words": 768},
    "short queues": {"mxm.num_reram_tiles": 512, "mem.num_words": 768, "max_queue_entries": 700},
    "little MEM": {"mxm.num_reram_tiles": 512, "mem.num_words": 118},
    "one hold register": {"mxm.num_reram_tiles": 512, "mem.num_words": 1024, "vxm.num_holds": 1},
}
VOCAB, CONTEXT = 270, 32


@cache
def graph_of(model: str) -> Graph:
    with TemporaryDirectory() as folder:
        return random_graph(Path(folder), seed=1, vocab=VOCAB, **MODELS[model])


@cache
def deployed(model: str, chip: str, shapes: tuple[Shape, ...]) -> Deployment:
    changed = load("tiny").with_fields(CHIPS[chip])
    return compile_model(graph_of(model), changed, CONTEXT, shapes=shapes).deployment


def tokens_of(count: int, seed: int = 0) -> list[int]:
    return [VOCAB - 1, 0, *np.random.default_rng(seed).integers(0, VOCAB, max(0, count - 2)).tolist()][:count]


def reference(model: str, tokens: Sequence[int]) -> np.ndarray:
    """The logits of every token as raw bits."""
    return evaluate_quantized(graph_of(model), np.array(tokens)).view(np.int32)


def stepped(device: Device, name: str, tokens: Sequence[int], position: int) -> None:
    """Launch tokens, and step the same launch: the states after it are the same in every cell, and the cycles."""
    program, before = device.programs[name], device.state.fork()
    launched = device.launch(program, tokens, position)
    words = next(obj for obj in program.program.objects if obj.name == "tokens")
    piece = device.deployment.chip.slice_by_name[words.slice].index
    before.mem[piece, words.base : words.base + len(tokens)] = np.array(tokens)[:, None]
    for param, value in (("position", position), ("last", len(tokens) - 1)):
        before.params[program.param(param).index] = value
    by_step = step(device.deployment.chip, program.program, before)
    assert by_step.length_cycles == launched.length_cycles == program.program.length_cycles
    assert by_step.state.first_difference(device.state) is None


def slow_unless(quick: bool, *values: object) -> Any:
    return pytest.param(*values, marks=() if quick else pytest.mark.slow)


QUICK = {
    ("two layers", "one hold register"),
    ("five layers", "16 lanes"),
    ("one layer", "8 lanes"),
    ("five layers", "short queues"),
    ("five layers", "little MEM"),
}


@pytest.mark.parametrize(
    ("model", "chip"), [slow_unless((model, chip) in QUICK, model, chip) for model in MODELS for chip in CHIPS]
)
def test_executions_are_equal(model: str, chip: str) -> None:
    lanes = load("tiny").with_fields(CHIPS[chip]).lanes
    shape = Shape(lanes, CONTEXT)
    device = Device(deployed(model, chip, (Shape(1, CONTEXT), shape)))
    tokens = tokens_of(CONTEXT)
    expected = reference(model, tokens)
    for position in range(0, CONTEXT, lanes):
        stepped(device, shape.name, tokens[position : position + lanes], position)
        np.testing.assert_array_equal(device.logits().view(np.int32), expected[position + lanes - 1])
        assert device.next_token == device.logits().argmax()


def test_short_queues_and_little_mem_have_fewer_tokens_under_way() -> None:
    shape, stages = Shape(8, CONTEXT), dict[str, int]()
    for chip in ("8 lanes", "short queues", "little MEM"):
        compiled = compile_model(
            graph_of("five layers"), load("tiny").with_fields(CHIPS[chip]), CONTEXT, shapes=[shape]
        )
        stages[chip] = compiled.schedules[shape.name][1].num_stages
    assert min(stages.values()) > 1 and max(stages["short queues"], stages["little MEM"]) < stages["8 lanes"]


@pytest.mark.parametrize(
    ("num_threads", "most_tokens"),
    [slow_unless(case in ((1, 2), (3, 16)), *case) for case in ((1, 2), (2, 16), (3, 16), (3, 1), (8, 16))],
)
def test_threads_and_parts_change_nothing(num_threads: int, most_tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens shared out among threads, also more than there are processors, and run a few at a time."""
    monkeypatch.setattr(parts, "MOST_TOKENS", most_tokens)
    shape = Shape(8, CONTEXT)
    device = Device(deployed("five layers", "8 lanes", (Shape(1, CONTEXT), shape)), num_threads=num_threads)
    assert device.programs[shape.name].machine.num_threads == num_threads
    tokens = tokens_of(CONTEXT, 5)
    for position in range(0, CONTEXT - 7, 5):
        stepped(device, shape.name, tokens[position : position + 8], position)


@pytest.mark.parametrize("num_tokens", [slow_unless(num == 3, num) for num in (2, 3, 5, 7)])
def test_launches_of_any_number_of_tokens_are_equal(num_tokens: int) -> None:
    shapes = (Shape(1, CONTEXT), Shape(num_tokens, 8), Shape(num_tokens, CONTEXT))
    device, tokens = Device(deployed("two layers", "8 lanes", shapes)), tokens_of(CONTEXT)
    expected = reference("two layers", tokens)
    for shape in shapes[1:]:
        for position in range(0, shape.num_positions - num_tokens + 1, num_tokens):
            stepped(device, shape.name, tokens[position : position + num_tokens], position)
            np.testing.assert_array_equal(device.logits().view(np.int32), expected[position + num_tokens - 1])


@pytest.mark.parametrize("num_tokens", [slow_unless(num in (1, 5), num) for num in range(1, 9)])
def test_fewer_tokens_than_a_launch_takes(num_tokens: int) -> None:
    shape = Shape(8, CONTEXT)
    device, tokens = Device(deployed("two layers", "8 lanes", (Shape(1, CONTEXT), shape))), tokens_of(CONTEXT, 2)
    expected = reference("two layers", tokens)
    for position in (0, 5, CONTEXT - 8):
        for before in range(position):
            device.feed(tokens[before], before)
        stepped(device, shape.name, tokens[position : position + num_tokens], position)
        np.testing.assert_array_equal(device.logits().view(np.int32), expected[position + num_tokens - 1])
        assert device.tokens == tokens[: position + num_tokens]
        after = position + num_tokens
        if after < CONTEXT:
            device.feed(tokens[after], after)
            np.testing.assert_array_equal(device.logits().view(np.int32), expected[after])


ALL = (Shape(1, 16), Shape(1, CONTEXT), Shape(8, 8), Shape(8, CONTEXT))


@pytest.mark.parametrize("num_prompt", [1, 2, 7, 8, 9, 15, 16, 17, 25, CONTEXT])
def test_a_prompt_and_what_follows_through_every_bucket(num_prompt: int) -> None:
    """The cheapest launches for the prompt, then single tokens: buckets change on the way, the KV cache stays."""
    device, tokens = Device(deployed("five layers", "8 lanes", ALL)), tokens_of(CONTEXT, 3)
    expected = reference("five layers", tokens)
    ends = [position for position, _ in device.feed_all(tokens[:num_prompt], 0)]
    assert ends == sorted(ends)
    assert ends[-1] == num_prompt - 1
    np.testing.assert_array_equal(device.logits().view(np.int32), expected[num_prompt - 1])
    lengths: list[int] = []
    for position in range(num_prompt, CONTEXT):
        lengths.append(device.feed(tokens[position], position).length_cycles)
        np.testing.assert_array_equal(device.logits().view(np.int32), expected[position])
    assert lengths == sorted(lengths), "a larger bucket takes longer"


def test_a_prompt_takes_the_cheapest_launches() -> None:
    device, tokens = Device(deployed("five layers", "8 lanes", ALL)), tokens_of(CONTEXT, 4)
    cycles = {name: program.program.length_cycles for name, program in device.programs.items()}
    assert cycles["prefill-8-8"] < 8 * cycles["decode-16"]
    launched = list(device.feed_all(tokens[:9], 0))
    assert [position for position, _ in launched] == [7, 8]
    assert [one.length_cycles for _, one in launched] == [cycles["prefill-8-8"], cycles["decode-16"]]
    with pytest.raises(InputError, match=f"position {CONTEXT}: the context bucket of decode-32 has 32 positions"):
        list(device.feed_all(tokens, 1))


@pytest.mark.parametrize("model", ["five layers"])
def test_a_proof_by_few_runs_says_what_one_by_all_runs_says(model: str) -> None:
    """The dataflow of the runs that are looked at is that of the same runs among all."""
    deployment = deployed(model, "8 lanes", ALL)
    for program in deployment.programs.values():
        few, every = link(program, deployment.chip), rebuild_every_run(program, deployment.chip)
        assert few.length_cycles == every.length_cycles
        if few.rolled is None:
            continue
        here, there = issues(few), issues(every)
        by_issue = {issue: event for event, issue in enumerate(there)}
        for event, issue in enumerate(here):
            block = few.rolled.blocks[int(few.rolled.block[few.row[event]])]
            if issue[1] >= block.kept_inner - block.overlap > 0:
                continue  # the runs that follow are missing
            producers = every.producer[by_issue[issue]].tolist()
            for mine, theirs in zip(few.producer[event].tolist(), producers, strict=True):
                assert (mine < 0) == (theirs < 0)
                assert mine < 0 or here[mine] == there[theirs]


def issues(linked: Linked) -> list[tuple[int, int, int]]:
    """What each event does, in which inner and which outer run; what stands for another counts as that."""
    flow = np.concatenate([linked.program.flow[q.name] for q in linked.chip.queues if q.name in linked.program.flow])
    row = linked.row.astype(np.int64)
    pattern, token = flow["stands_for"][row], flow["token"][row]
    is_pattern = pattern == (linked.rows.queue[row] << 16 | linked.rows.entry[row])
    first, second = linked.iteration[:, 1], linked.iteration[:, 2]
    inner, outer = token + np.where(is_pattern, first, 0), np.where(is_pattern, second, first)
    return list(zip(pattern.tolist(), inner.tolist(), outer.tolist(), strict=True))


def test_a_launch_of_more_tokens_than_lanes_is_refused(tiny: Chip) -> None:
    with pytest.raises(InputError, match=r"prefill-16-32: 16 tokens: must be at most the chip's 8 lanes"):
        compile_model(graph_of("one layer"), tiny, CONTEXT, shapes=[Shape(1, CONTEXT), Shape(16, CONTEXT)])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (Shape(1, 12), "decode-12: 12 positions: must be a multiple of the chip's 8 lanes, at most 32"),
        (Shape(1, 40), "decode-40: 40 positions: must be a multiple of the chip's 8 lanes, at most 32"),
        (Shape(0, 8), "prefill-0-8: 8 positions: must be at least as many as the 0 tokens of a launch"),
    ],
)
def test_a_shape_that_can_not_be_is_refused(tiny: Chip, shape: Shape, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compile_model(graph_of("one layer"), tiny, CONTEXT, shapes=[Shape(1, CONTEXT), shape])
