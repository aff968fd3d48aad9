"""One model on one chip, executed in every way there is: stepped, run, and by the reference evaluator."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tests.models import write_random_llama
from waterclock.chip import Chip
from waterclock.compiler.compile import compile_model
from waterclock.compiler.deployment import Deployment
from waterclock.frontends.gguf_file import open_gguf
from waterclock.frontends.graph import Graph
from waterclock.frontends.llama import load_llama
from waterclock.isa.program import Program
from waterclock.quantize import Scheme, evaluate_quantized, quantize
from waterclock.simulator.link import Linked, link
from waterclock.simulator.machine import Machine
from waterclock.simulator.state import State
from waterclock.simulator.stepper import Stepped, step


@dataclass(frozen=True)
class Built:
    """A quantized graph, where it lies on a chip, and its one program."""

    graph: Graph
    chip: Chip
    deployment: Deployment
    program: Program

    @cached_property
    def linked(self) -> Linked:
        return link(self.program, self.chip)

    def loaded(self) -> State:
        """The chip's state when the images have been written."""
        state = State.zero(self.chip)
        for memory, image in ((state.mem, self.deployment.mem), (state.reram, self.deployment.reram)):
            memory[:, : image.shape[1]] = image
        return state

    def machine(self) -> Machine:
        return Machine(self.linked, self.loaded())

    def param(self, name: str) -> int:
        """The index of a launch parameter."""
        return next(param.index for param in self.program.params if param.name == name)

    def params(self, position: int, token: int) -> dict[int, int]:
        """What the host writes before a launch, by parameter index."""
        return {self.param("position"): position, self.param("token"): token}

    def reference(self, tokens: Sequence[int]) -> np.ndarray:
        """The reference evaluator's logits as raw bits, [token, vocab]."""
        return evaluate_quantized(self.graph, np.array(tokens)).view(np.int32)

    def logits(self, state: State) -> np.ndarray:
        """The logits' words in a state, raw bits, found without the machine's help."""
        (output,) = self.program.outputs
        words = [state.mem[self.chip.slice_by_name[name].index, word] for name, word in output.words]
        return np.concatenate(words)[: output.size]


def random_graph(folder: Path, *, rotate: bool = True, **shape: int | bool) -> Graph:
    """The quantized graph of a random Llama, of the shape that `write_random_llama` is told."""
    return quantize(load_llama(open_gguf(write_random_llama(folder / "random.gguf", **shape))), Scheme(rotate))


def build(graph: Graph, chip: Chip, context: int) -> Built:
    return built_of(graph, compile_model(graph, chip, context).deployment)


def built_of(graph: Graph, deployment: Deployment) -> Built:
    (program,) = deployment.programs.values()
    return Built(graph, deployment.chip, deployment, program)


def random_tokens(built: Built, count: int, seed: int = 0) -> list[int]:
    """Tokens of the model's vocabulary, its first and last among them."""
    (output,) = built.program.outputs
    return [output.size - 1, 0, *np.random.default_rng(seed).integers(0, output.size, count - 2).tolist()]


def step_token(built: Built, state: State, position: int, token: int) -> Stepped:
    """Step one launch; `state` stays as it is."""
    before = state.fork()
    for index, value in built.params(position, token).items():
        before.params[index] = value
    return step(built.chip, built.program, before)


def assert_executions_equal(built: Built, tokens: Sequence[int], stepped: Collection[int]) -> None:
    """Run a launch for every token, and step those at the positions `stepped` too, from the same state.

    Predicted, linked, stepped and run cycles are equal; stepper and machine agree in every word, tile and parameter;
    the logits are the reference's, bit for bit, and the next token is their argmax.
    """
    expected, machine = built.reference(tokens), built.machine()
    num_cycles, linked = built.program.length_cycles, built.linked
    assert num_cycles == linked.length_cycles
    for position, token in enumerate(tokens):
        by_step = step_token(built, machine.state, position, token) if position in stepped else None
        by_run = machine.launch(built.params(position, token))
        assert by_run.length_cycles == num_cycles
        if by_step is not None:
            assert by_step.length_cycles == num_cycles
            assert by_step.state.first_difference(by_run.state) is None
        assert (machine.output("logits") == expected[position]).all(), f"position {position}"
        assert (built.logits(by_run.state) == expected[position]).all()
        assert by_run.state.params[built.param("token")] == first_largest(expected[position])


def first_largest(logits: np.ndarray) -> int:
    """The lowest index of the largest of some logits, given as raw bits."""
    return int(np.argmax(logits.view(np.float32)))
