"""A deployment on its chip's RTL, beside the simulators: each token's every change, in its cycle."""

from collections.abc import Iterator
from dataclasses import dataclass

from waterclock.errors import InputError
from waterclock.rtl.images import Memories
from waterclock.rtl.lockstep import Checked, Lockstep
from waterclock.runtime.device import Device, loaded_state
from waterclock.simulator.events import Event
from waterclock.simulator.stepper import step

__all__ = ["CheckedToken", "RtlCheck"]


@dataclass(frozen=True)
class CheckedToken:
    """A token that was fed: what came of the comparison, and the token that the chip chose next."""

    position: int
    token: int
    next_token: int
    checked: Checked


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
        device, events = self.device, list[Event]()
        params = {self._index_by_param["position"]: position, self._index_by_param["token"]: token}
        before = device.state.fork()
        for index, value in params.items():
            before.params[index] = value
        stepped = step(device.deployment.chip, device.program, before, events.append)
        ran = device.feed(token, position)
        lengths = {stepped.length_cycles, ran.length_cycles, device.program.length_cycles}
        difference = stepped.state.first_difference(ran.state)
        if len(lengths) > 1 or difference:
            raise InputError(f"stepper and machine differ: {difference or f'lengths {sorted(lengths)}'}")
        checked = self.lockstep.launch(params, events, stepped.length_cycles)
        return CheckedToken(position, token, device.next_token, checked)

    def generate(self, first_token: int, num_tokens: int) -> Iterator[CheckedToken]:
        """Feed a token, then what the chip chooses, until so many were fed or the RTL differs."""
        token = first_token
        for position in range(num_tokens):
            fed = self.feed(token, position)
            yield fed
            if fed.checked.difference is not None:
                return
            token = fed.next_token
