"""Compile: a quantized Graph and a Chip become a Deployment with its Programs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from waterclock.chip import Chip
from waterclock.compiler.bound import bound
from waterclock.compiler.context import LAST, NUM_PARAMS, POSITION, TOKEN, Placed, Shape
from waterclock.compiler.deployment import DEFAULT_CONTEXT, Deployment, images
from waterclock.compiler.emit import Emitted, emit
from waterclock.compiler.explain import Explanation, explain
from waterclock.compiler.issues import Scheduled
from waterclock.compiler.lower import LOWERINGS, lower, place
from waterclock.compiler.model import layered
from waterclock.compiler.schedule import schedule
from waterclock.compiler.tileops import Segment
from waterclock.compiler.words import Words, assign_words
from waterclock.errors import InputError
from waterclock.frontends.graph import Graph
from waterclock.isa.program import Output, Param, Program

BUCKETS = (256, 512, 1024, 2048, 4096)
"""Positions of the context buckets below the one that is asked for."""


@dataclass(frozen=True)
class Compiled:
    """A deployment, and the schedule of each of its programs by name."""

    deployment: Deployment
    schedules: Mapping[str, tuple[Scheduled, ...]]

    @property
    def explanation(self) -> Explanation:
        """Where the cycles of a decode step go, in the largest context bucket."""
        return self.deployment.explanations[Shape(1, self.deployment.max_context).name]


def compile_model(
    graph: Graph,
    chip: Chip,
    context: int = DEFAULT_CONTEXT,
    *,
    shapes: Sequence[Shape] | None = None,
    accepted: Callable[[], None] = lambda: None,
) -> Compiled:
    """Compile for a KV cache of `context` positions the programs of these shapes; one decode step if none are named.

    Raises InputError, before anything is compiled, for what the chip can't run, naming the place and the figures.
    `accepted` is called after that, before the long part: what then still can run out are words of MEM.
    """
    shapes = sorted(shapes or [Shape(1, context)], reverse=True)
    check(graph, chip, context)
    for shape in shapes:
        check_shape(shape, chip, context)
    placed = place(layered(graph), chip, context)
    lowered = {shape: lower(placed, shape) for shape in shapes}  # all of them, before temporaries take what is left
    accepted()
    scheduled: dict[Segment, Scheduled] = {}
    shapes = sorted(shapes, key=lambda shape: shape.name)
    fitted = {shape.name: _fitted(placed, shape, lowered[shape], scheduled) for shape in shapes}
    programs = {name: program for name, (program, _) in fitted.items()}
    schedules = {name: segments for name, (_, segments) in fitted.items()}
    explanations = {
        shape.name: explain(schedules[shape.name], chip, bound(graph, placed.layouts, chip, shape)) for shape in shapes
    }
    mem, reram = images(placed.placement)
    objects = tuple(placed.placement.objects)
    deployment = Deployment(chip, graph.config, context, objects, mem, reram, programs, explanations)
    return Compiled(deployment, schedules)


def _fitted(
    placed: Placed, shape: Shape, segments: Sequence[Segment], scheduled: dict[Segment, Scheduled]
) -> tuple[Program, tuple[Scheduled, ...]]:
    """The program of a shape and its schedule, with as many tokens under way at once as queues and MEM have room for.
    `scheduled` keeps what programs share. InputError where one at a time is too much."""
    chosen = tuple(_once(scheduled, segment, placed.chip) for segment in segments)
    while True:
        try:
            program = program_of(placed, shape, chosen)
            _check_queues(program, placed.chip)
            return program, chosen
        except InputError:
            crowded = max(chosen, key=lambda one: one.num_stages * len(one.issues) * (one.num_stages > 1))
            if crowded.num_stages == 1:
                raise
        fewer = schedule(crowded.segment, placed.chip, crowded)
        chosen = tuple(fewer if one is crowded else one for one in chosen)


def _check_queues(program: Program, chip: Chip) -> None:
    """InputError where a queue has fewer entries than the program has for it."""
    fullest = max(program.queues, key=lambda name: len(program.queues[name]))
    need, have = len(program.queues[fullest]), chip.max_queue_entries
    if need > have:
        raise InputError(
            f"chip {chip.name}: max_queue_entries = {have}: {program.name} needs {need} in {fullest}; "
            f"choose a larger chip or --set max_queue_entries={need}"
        )


def _once(scheduled: dict[Segment, Scheduled], segment: Segment, chip: Chip) -> Scheduled:
    """The schedule of a segment that programs may share."""
    if segment not in scheduled:
        scheduled[segment] = schedule(segment, chip)
    return scheduled[segment]


def usual_shapes(chip: Chip, context: int) -> tuple[Shape, ...]:
    """The programs that a conversation needs: for each context bucket one that takes a token and one that takes as many
    as the chip has lanes, which alone has a bucket of just these too."""
    buckets = [bucket for bucket in BUCKETS if bucket < context and bucket % chip.lanes == 0]
    decode = [Shape(1, bucket) for bucket in (*buckets, context)]
    prefill = [Shape(chip.lanes, bucket) for bucket in sorted({chip.lanes, *buckets, context})]
    return (*decode, *prefill)


def check(graph: Graph, chip: Chip, context: int) -> None:
    """Refuse by name what this compiler does not do."""
    if not chip.is_pim:
        raise InputError(
            f"chip {chip.name}: no resident tiles: weights that are installed at run time can't be compiled for yet"
        )
    if context < chip.lanes or context % chip.lanes:
        raise InputError(f"context {context}: must be a positive multiple of the chip's {chip.lanes} lanes")
    if chip.num_params < NUM_PARAMS:
        raise InputError(f"chip {chip.name}: num_params = {chip.num_params}: a decode step needs {NUM_PARAMS}")
    for node in graph.nodes:
        if node.op not in LOWERINGS:
            raise InputError(
                f"graph {graph.name}: node {node.op} at {node.source}: not an operation of a quantized graph"
            )


def check_shape(shape: Shape, chip: Chip, context: int) -> None:
    """Refuse a program that does not fit the KV cache or has more positions than it can mask."""
    what = f"{shape.name}: {shape.num_positions} positions"
    if shape.num_positions < chip.lanes or shape.num_positions % chip.lanes or shape.num_positions > context:
        raise InputError(f"{what}: must be a multiple of the chip's {chip.lanes} lanes, at most {context}")
    if not 1 <= shape.num_tokens <= shape.num_positions:
        raise InputError(f"{what}: must be at least as many as the {shape.num_tokens} tokens of a launch")
    if shape.num_tokens > chip.lanes:
        raise InputError(f"{shape.name}: {shape.num_tokens} tokens: must be at most the chip's {chip.lanes} lanes")


def program_of(placed: Placed, shape: Shape, segments: tuple[Scheduled, ...]) -> Program:
    """The Program of a shape, from its schedule."""
    words = assign_words(segments, placed.placement)
    objects = (*placed.placement.objects, *words.objects)
    emitted = emit(segments, placed.chip, words, objects)
    vocab, last_token = placed.model.graph.config.vocab, shape.num_tokens - 1
    return Program(
        name=shape.name,
        chip_sha256=placed.chip.sha256,
        queues=emitted.queues,
        flow=emitted.flow,
        labels=emitted.labels,
        operations=emitted.operations,
        objects=objects,
        params=(
            Param("position", POSITION, 0, shape.num_positions - shape.num_tokens),
            Param("token", TOKEN, 0, vocab - 1),
            Param("last", LAST, 0, last_token),
        ),
        outputs=(Output("logits", *_logits(segments[-1], words, emitted, vocab)),),
        length_cycles=emitted.length_cycles,
    )


def _logits(
    head: Scheduled, words: Words, emitted: Emitted, vocab: int
) -> tuple[tuple[tuple[str, int], ...], int, tuple[int, ...]]:
    """The words of the logits, their number, and who writes them."""
    places: list[tuple[str, int]] = []
    producers: list[int] = []
    for copy in head.outputs:
        place = words.by_copy[copy]
        assert place.object is not None and copy.writer is not None
        places.append((place.object.slice, place.object.base + int(place.address["base"])))
        producers.append(emitted.id_by_issue[copy.writer])
    return tuple(places), vocab, tuple(producers)
