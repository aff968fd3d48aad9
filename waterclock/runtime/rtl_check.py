"""A deployment on its chip's RTL, beside the simulators: each token's every change, in its cycle."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from waterclock.errors import InputError
from waterclock.rtl.images import Memories
from waterclock.rtl.lockstep import Checked, Lockstep
from waterclock.runtime.device import Device, loaded_state
from waterclock.simulator.events import Event
from waterclock.simulator.state import State
from waterclock.simulator.stepper import Stepped, step

__all__ = ["CheckedToken", "RtlCheck"]


@dataclass(frozen=True)
class CheckedToken:
    """A token that was fed: what came of the comparison, and the token that the chip chose next.

    `difference` is None where every change, and then every memory cell and every logit, is the same.
    """

    position: int
    token: int
    next_token: int
    checked: Checked
    stepping_s: float
    num_logits: int
    difference: str | None


class RtlCheck:
    """The RTL with a device's program loaded. The stepper says what is due; machine and compiler must agree with it."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._index_by_param = {param.name: param.index for param in device.program.params}
        state = loaded_state(device.deployment)
        self.lockstep = Lockstep(
            device.deployment.chip, device.program, Memories(state.mem, state.reram, state.sram, state.params)
        )

    def feed(self, token: int, position: int) -> CheckedToken:
        """Feed one token to stepper, machine and RTL. InputError where the simulators differ among themselves."""
        begin = perf_counter()
        stepped, events = self._step(token, position)
        stepping_s = perf_counter() - begin
        ran = self.device.feed(token, position)
        lengths = {stepped.length_cycles, ran.length_cycles, self.device.program.length_cycles}
        different = stepped.state.first_difference(ran.state)
        if len(lengths) > 1 or different:
            raise InputError(f"stepper and machine differ: {different or f'lengths {sorted(lengths)}'}")
        params = self._params(token, position)
        checked = self.lockstep.launch(params, events, stepped.length_cycles)
        difference = str(checked.difference) if checked.difference else self._difference_after(stepped.state)
        num_logits = len(self.device.logits())
        return CheckedToken(position, token, self.device.next_token, checked, stepping_s, num_logits, difference)

    def _params(self, token: int, position: int) -> dict[int, int]:
        return {self._index_by_param["position"]: position, self._index_by_param["token"]: token}

    def _step(self, token: int, position: int) -> tuple[Stepped, list[Event]]:
        """The launch on the stepper, and every change of it; the device's state stays as it is."""
        device, events = self.device, list[Event]()
        before = device.state.fork()
        for index, value in self._params(token, position).items():
            before.params[index] = value
        return step(device.deployment.chip, device.program, before, events.append), events

    def _difference_after(self, state: State) -> str | None:
        """What the RTL's cells hold that is not due after a launch, or which logits among it; None if all is equal."""
        due: dict[str, npt.NDArray[np.generic]] = {"mem": state.mem, "sram": state.sram}
        cells = {kind: self.lockstep.cells(kind, image) for kind, image in due.items()}
        wrong = [kind for kind, image in due.items() if not np.array_equal(cells[kind], image)]
        if wrong:
            return f"after the launch, {' and '.join(wrong)} hold something else"
        expected = self.device.logits().view(np.int32)
        num_wrong = np.count_nonzero(self._logits(cells["mem"]) != expected)
        return f"after the launch, {num_wrong} of {len(expected)} logits differ" if num_wrong else None

    def _logits(self, mem: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """The logits in MEM, raw, found where the program says that they are."""
        chip = self.device.deployment.chip
        output = next(one for one in self.device.program.outputs if one.name == "logits")
        words = [mem[chip.slice_by_name[name].index, word] for name, word in output.words]
        return np.concatenate(words)[: output.size]

    def generate(self, first_token: int, num_tokens: int) -> Iterator[CheckedToken]:
        """Feed a token, then what the chip chooses, until so many were fed or the RTL differs."""
        token = first_token
        for position in range(num_tokens):
            fed = self.feed(token, position)
            yield fed
            if fed.difference is not None:
                return
            token = fed.next_token
