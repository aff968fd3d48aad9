"""State: what a chip keeps from one launch to the next."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip

Words = npt.NDArray[np.int32]
Tiles = npt.NDArray[np.int8]


@dataclass(frozen=True)
class State:
    """Memories, tiles and launch parameters of one chip. The arrays are the state: they are written in place.

    A first index is `Slice.index`, the slice's place within its kind. Streams, hold registers and accumulators are not
    here, because a launch can't read what it has not written itself.
    """

    mem: Words
    """[num_mem, num_words, lanes], raw 32-bit words."""
    reram: Tiles
    """[num_mxm, num_reram_tiles, lanes, lanes]: tile[j, i] is the weight from input lane i to output lane j."""
    sram: Tiles
    """[num_mxm, num_sram_tiles, lanes, lanes]."""
    params: Words
    """[num_params]."""

    @staticmethod
    def zero(chip: Chip) -> "State":
        """The state at load, before anything is written."""
        square = (chip.lanes, chip.lanes)
        return State(
            mem=np.zeros((chip.num_mem, chip.mem.num_words, chip.lanes), np.int32),
            reram=np.zeros((chip.num_mxm, chip.mxm.num_reram_tiles, *square), np.int8),
            sram=np.zeros((chip.num_mxm, chip.mxm.num_sram_tiles, *square), np.int8),
            params=np.zeros(chip.num_params, np.int32),
        )

    def copy(self) -> "State":
        """A state that shares nothing with this one."""
        return State(self.mem.copy(), self.reram.copy(), self.sram.copy(), self.params.copy())

    def fork(self) -> "State":
        """A copy that shares the ReRAM: for a launch, which can't write it."""
        return State(self.mem.copy(), self.reram, self.sram.copy(), self.params.copy())

    def equals(self, other: "State") -> bool:
        """Whether every bit is the same."""
        return self.first_difference(other) is None

    def first_difference(self, other: "State") -> str | None:
        """The first place where the two differ, such as "mem[1, 20, 3]: 5 here, 6 there"; None if they are equal."""
        for field in fields(self):
            here, there = getattr(self, field.name), getattr(other, field.name)
            if here is there:
                continue
            if here.shape != there.shape:
                return f"{field.name}: shape {here.shape} here, {there.shape} there"
            places = np.argwhere(here != there)
            if len(places):
                place = tuple(places[0].tolist())
                return f"{field.name}{list(place)}: {here[place]} here, {there[place]} there"
        return None
