"""Compile: a quantized Graph and a Chip become a Deployment with its Programs."""

from dataclasses import dataclass

from waterclock.chip import Chip
from waterclock.compiler.bound import decode_bound
from waterclock.compiler.context import NUM_PARAMS, POSITION, TOKEN, model_layouts
from waterclock.compiler.deployment import Deployment, images
from waterclock.compiler.emit import Emitted, emit
from waterclock.compiler.explain import Explanation, explain
from waterclock.compiler.issues import Scheduled
from waterclock.compiler.lower import LOWERINGS, lower
from waterclock.compiler.model import layered
from waterclock.compiler.place import Placement
from waterclock.compiler.schedule import schedule
from waterclock.compiler.words import Words, assign_words
from waterclock.errors import InputError
from waterclock.frontends.graph import Graph
from waterclock.isa.program import Object, Output, Param, Program

DEFAULT_CONTEXT = 256


@dataclass(frozen=True)
class Compiled:
    """A deployment, the schedule of its decode program, and where its cycles go."""

    deployment: Deployment
    segments: tuple[Scheduled, ...]
    explanation: Explanation


def compile_model(graph: Graph, chip: Chip, context: int = DEFAULT_CONTEXT) -> Compiled:
    """Compile one decode step with a context bucket of `context` positions.

    Raises InputError, before anything is compiled, for what the chip can't run, naming the place and the figures.
    """
    check(graph, chip, context)
    model = layered(graph)
    placement = Placement(chip, model.num_layers, context)
    segments = tuple(schedule(segment, chip) for segment in lower(model, chip, placement, context))
    words = assign_words(segments, placement)
    objects = (*placement.objects, *words.objects)
    emitted = emit(segments, chip, words, objects)
    program = decode_program(graph, chip, context, objects, segments, words, emitted)
    mem, reram = images(placement)
    bound = decode_bound(graph, model_layouts(graph, chip.lanes), chip, context)
    explanation = explain(segments, chip, bound)
    deployment = Deployment(chip, graph.config, context, tuple(placement.objects), mem, reram, {program.name: program},
                            {program.name: explanation})  # fmt: skip
    return Compiled(deployment, segments, explanation)


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


def decode_program(graph: Graph, chip: Chip, context: int, objects: tuple[Object, ...], segments: tuple[Scheduled, ...],
                   words: Words, emitted: Emitted) -> Program:  # fmt: skip
    """The Program of one decode step."""
    vocab = graph.config.vocab
    params = (Param("position", POSITION, 0, context - 1), Param("token", TOKEN, 0, vocab - 1))
    outputs: list[tuple[str, int]] = []
    producers: list[int] = []
    for copy in segments[-1].outputs:
        place = words.by_copy[copy]
        assert place.object is not None and copy.writer is not None
        outputs.append((place.object.slice, place.object.base + int(place.address["base"])))
        producers.append(emitted.id_by_issue[copy.writer])
    logits = Output("logits", tuple(outputs), vocab, tuple(producers))
    return Program(
        name=f"decode-{context}",
        chip_sha256=chip.sha256,
        queues=emitted.queues,
        flow=emitted.flow,
        labels=emitted.labels,
        operations=emitted.operations,
        objects=objects,
        params=params,
        outputs=(logits,),
        length_cycles=emitted.length_cycles,
    )
