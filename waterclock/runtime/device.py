"""Device: a chip with a deployment loaded, which takes one token after the other."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from waterclock.compiler.deployment import Deployment
from waterclock.errors import InputError
from waterclock.isa.program import Param, Program
from waterclock.simulator.link import Linked, link
from waterclock.simulator.machine import Launched, Machine
from waterclock.simulator.state import State


class Device:
    """A simulated chip that holds one model and one sequence.

    Feeding a token is one launch: it writes the token's keys and values into the KV cache at its position and leaves
    logits and the most likely next token. Positions are fed in order; starting again at 0 starts another sequence,
    because attention never looks beyond the position that is fed.
    """

    def __init__(self, deployment: Deployment, linked: Linked | None = None) -> None:
        """Load the images and link the program, unless it comes linked. LinkError where its proof fails."""
        program = decode_program(deployment)
        params = {param.name: param for param in program.params}
        self.deployment = deployment
        self._position, self._token = _param(params, "position", program), _param(params, "token", program)
        self.linked = linked or link(program, deployment.chip)
        self._machine = Machine(self.linked, loaded_state(deployment))
        self._tokens: list[int] = []

    @property
    def num_positions(self) -> int:
        """The context bucket: positions that a sequence can have."""
        return self._position.high + 1

    @property
    def tokens(self) -> Sequence[int]:
        """The sequence whose keys and values the KV cache holds, from position 0 on."""
        return self._tokens

    @property
    def program(self) -> Program:
        return self.linked.program

    @property
    def state(self) -> State:
        """The chip's memories and parameters, as they are."""
        return self._machine.state

    def feed(self, token: int, position: int) -> Launched:
        """Run the launch of one token. InputError for a token or position outside of what the program was made for."""
        if not 0 <= position < self.num_positions:
            raise InputError(
                f"position {position}: the context bucket of {self.program.name} has {self.num_positions} positions, "
                f"0 to {self.num_positions - 1}"
            )
        self.check_token(token)
        del self._tokens[position:]  # before the launch, so that a cache entry half written is never taken for whole
        launched = self._machine.launch({self._position.index: position, self._token.index: token})
        if position == len(self._tokens):
            self._tokens.append(token)
        return launched

    def check_token(self, token: int) -> None:
        """InputError for a token that the model does not have."""
        if not self._token.low <= token <= self._token.high:
            raise InputError(f"token {token}: the model's are {self._token.low} to {self._token.high}")

    def logits(self) -> npt.NDArray[np.float32]:
        """What the last launch thinks of every token: float32 [vocab], a copy."""
        return self._machine.output("logits").view(np.float32)

    @property
    def next_token(self) -> int:
        """The most likely token, as the chip itself chose it in the last launch."""
        return int(self.state.params[self._token.index])


def decode_program(deployment: Deployment) -> Program:
    """The one program of a deployment; InputError if it does not give a logit for every token."""
    if len(deployment.programs) != 1:
        raise InputError(f"deployment: has {len(deployment.programs)} programs, expected 1")
    program = next(iter(deployment.programs.values()))
    sizes = {output.name: output.size for output in program.outputs}
    if sizes.get("logits") != deployment.config.vocab:
        raise InputError(
            f"program {program.name}: has {sizes.get('logits')} logits, expected {deployment.config.vocab}"
        )
    return program


def loaded_state(deployment: Deployment) -> State:
    """The chip's state after load: images in place, everything else zero."""
    state = State.zero(deployment.chip)
    state.mem[:, : deployment.mem.shape[1]] = deployment.mem
    state.reram[:, : deployment.reram.shape[1]] = deployment.reram
    return state


def _param(params: Mapping[str, Param], name: str, program: Program) -> Param:
    if name not in params:
        raise InputError(f"program {program.name}: has no parameter {name}")
    return params[name]
