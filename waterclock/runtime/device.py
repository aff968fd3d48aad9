"""Device: a chip with a deployment loaded, which takes one token after the other, or many of them at a time."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.compiler.deployment import TOKENS, Deployment
from waterclock.errors import InputError
from waterclock.isa.program import Object, Param, Program
from waterclock.simulator.link import link
from waterclock.simulator.machine import Launched, Machine, Ready, made_ready
from waterclock.simulator.state import State

Prove = Callable[[Program, Chip], Ready]
"""Makes a program ready to run, of which link has proven that it does what was meant."""


def proven(program: Program, chip: Chip) -> Ready:
    """The program, proven here and now. LinkError where its proof fails."""
    return made_ready(link(program, chip))


@dataclass(frozen=True, eq=False)
class Loaded:
    """A program on a device: it takes up to `num_tokens` tokens in a launch, within `num_positions` positions."""

    program: Program
    deployment: Deployment
    state: State
    prove: Prove
    num_threads: int

    @cached_property
    def machine(self) -> Machine:
        """Proven when it is first needed. LinkError where its proof fails."""
        return Machine(self.prove(self.program, self.deployment.chip), self.state, self.num_threads)

    def param(self, name: str) -> Param:
        """A launch parameter; InputError if the program has none of this name."""
        found = next((param for param in self.program.params if param.name == name), None)
        if found is None:
            raise InputError(f"program {self.program.name}: has no parameter {name}")
        return found

    @property
    def num_tokens(self) -> int:
        return self.param("last").high + 1

    @property
    def num_positions(self) -> int:
        """The context bucket: positions that a sequence can have."""
        return self.param("position").high + self.num_tokens

    def launch(self, tokens: Sequence[int], position: int) -> Launched:
        """Feed tokens, the first at `position`. Where there are fewer than the program takes, what it makes of the rest
        is never looked at: their positions are fed anew before anything attends to them."""
        params = {self.param("position").index: position, self.param("last").index: len(tokens) - 1}
        if self.num_tokens == 1:
            return self.machine.launch({**params, self.param("token").index: tokens[0]})
        words = self._words
        piece = self.deployment.chip.slice_by_name[words.slice].index
        self.state.mem[piece, words.base : words.base + len(tokens)] = np.array(tokens, np.int32)[:, None]
        return self.machine.launch(params)

    @cached_property
    def _words(self) -> Object:
        return next(obj for obj in self.program.objects if obj.name == TOKENS)


class Device:
    """A simulated chip that holds one model and one sequence.

    Feeding a token is one launch: it writes the token's keys and values into the KV cache at its position and leaves
    logits and the most likely next token. Positions are fed in order; starting again at 0 starts another sequence,
    because attention never looks beyond the position that is fed. Every launch takes the program with the smallest
    context bucket that will do; all of them share the cache.
    """

    def __init__(self, deployment: Deployment, prove: Prove = proven, num_threads: int | None = None) -> None:
        """Load the images and have the program for single tokens proven. LinkError where its proof fails.

        So many threads of the host work on a launch of several tokens, one for each of its processors if that is not
        said. What comes out does not depend on it.
        """
        self.deployment = deployment
        self.state = loaded_state(deployment)
        """The chip's memories and parameters, as they are."""
        threads = num_threads or _num_processors()
        loaded = [Loaded(program, deployment, self.state, prove, threads) for program in deployment.programs.values()]
        self.programs = {one.program.name: one for one in loaded}
        self._decode = sorted((one for one in loaded if one.num_tokens == 1), key=lambda one: one.num_positions)
        self._prefill = sorted((one for one in loaded if one.num_tokens > 1), key=lambda one: one.num_positions)
        self._last = self.largest
        self._tokens: list[int] = []
        self.prepare(1)

    @property
    def largest(self) -> Loaded:
        """The program for single tokens with the largest context bucket."""
        decode_program(self.deployment)
        return self._decode[-1]

    @property
    def num_positions(self) -> int:
        """The largest context bucket: positions that a sequence can have."""
        return self._decode[-1].num_positions

    @property
    def tokens(self) -> Sequence[int]:
        """The sequence whose keys and values the KV cache holds, from position 0 on."""
        return self._tokens

    @property
    def program(self) -> Program:
        """The program for single tokens with the largest context bucket."""
        return self.largest.program

    def feed(self, token: int, position: int) -> Launched:
        """Run the launch of one token. InputError for a token or position outside of what the program was made for."""
        return self.launch(self._decode_at(position), [token], position)

    def feed_all(self, tokens: Sequence[int], position: int) -> Iterator[tuple[int, Launched]]:
        """Feed tokens in as few cycles as the programs allow: the position of the last token of each launch, and what
        was launched. InputError as from `feed`."""
        for program, start, end in self._plan(len(tokens), position):
            yield end - 1, self.launch(program, tokens[start - position : end - position], start)

    def prepare(self, num_tokens: int, position: int = 0) -> None:
        """Have the programs proven that so many tokens from a position on will be fed by; it may take a moment each."""
        for program in dict.fromkeys(program for program, _, _ in self._plan(num_tokens, position)):
            program.machine.output("logits")

    def cycles(self, num_tokens: int, position: int) -> int:
        """The cycles of the launches that will feed so many tokens from a position on: known without running them."""
        return sum(program.program.length_cycles for program, _, _ in self._plan(num_tokens, position))

    def _plan(self, num_tokens: int, position: int) -> list[tuple[Loaded, int, int]]:
        """The launches that feed tokens: program, first position, and the one after the last."""
        end = position + num_tokens
        if num_tokens:
            self._decode_at(end - 1)
        plan: list[tuple[Loaded, int, int]] = []
        while position < end:
            program = self._cheapest(end - position, position)
            plan.append((program, position, min(end, position + program.num_tokens)))
            position = plan[-1][2]
        return plan

    def launch(self, program: Loaded, tokens: Sequence[int], position: int) -> Launched:
        """One launch of one of the device's programs, with as many tokens as it takes or fewer."""
        for token in tokens:
            self.check_token(token)
        del self._tokens[position:]  # before the launch, so that a cache entry half written is never taken for whole
        launched = program.launch(tokens, position)
        self._last = program
        if position == len(self._tokens):
            self._tokens += tokens
        return launched

    def _decode_at(self, position: int) -> Loaded:
        if not 0 <= position < self.num_positions:
            raise InputError(
                f"position {position}: the context bucket of {self.program.name} has {self.num_positions} positions, "
                f"0 to {self.num_positions - 1}"
            )
        return next(one for one in self._decode if position < one.num_positions)

    def _cheapest(self, num_tokens: int, position: int) -> Loaded:
        """The program that takes the fewest cycles for each of the next tokens."""
        prefill = (one for one in self._prefill if position + one.num_tokens <= one.num_positions)
        candidates = [self._decode_at(position), *prefill]
        return min(candidates, key=lambda one: one.program.length_cycles / min(num_tokens, one.num_tokens))

    def check_token(self, token: int) -> None:
        """InputError for a token that the model does not have."""
        vocab = self.deployment.config.vocab
        if not 0 <= token < vocab:
            raise InputError(f"token {token}: the model's are 0 to {vocab - 1}")

    def logits(self) -> npt.NDArray[np.float32]:
        """What the last launch thinks of every token: float32 [vocab], a copy."""
        return self._last.machine.output("logits").view(np.float32)

    @property
    def next_token(self) -> int:
        """The most likely token, as the chip itself chose it in the last launch."""
        return int(self.state.params[self._last.param("token").index])


def _num_processors() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def decode_program(deployment: Deployment) -> Program:
    """The program for single tokens with the largest context bucket; InputError where there is none, or one that does
    not give a logit for every token."""
    found = [program for program in deployment.programs.values() if _takes_one(program)]
    if not found:
        raise InputError("deployment: has no program that takes one token")
    for program in deployment.programs.values():
        sizes = {output.name: output.size for output in program.outputs}
        if sizes.get("logits") != deployment.config.vocab:
            raise InputError(
                f"program {program.name}: has {sizes.get('logits')} logits, expected {deployment.config.vocab}"
            )
    return max(found, key=lambda program: next(p.high for p in program.params if p.name == "position"))


def _takes_one(program: Program) -> bool:
    return any(param.name == "last" and param.high == 0 for param in program.params)


def loaded_state(deployment: Deployment) -> State:
    """The chip's state after load: images in place, everything else zero. The ReRAM is the deployment's own, not a
    copy: no launch writes it."""
    return replace(State.zero(deployment.chip), mem=deployment.mem.copy(), reram=deployment.reram)
