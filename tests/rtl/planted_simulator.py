"""Twenty bugs of the simulators: each replaces one function, one method or one number.

The first table is for the stepper and what it shares with the machine (values, issues), the second for the machine and
the link step that feeds it, the third for what link and stepper must refuse.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import numpy as np

from tests.rtl.planting import Bug
from waterclock.isa.record import Direction
from waterclock.isa.table import OPCODES
from waterclock.simulator import semantics, sequencer, stepper
from waterclock.simulator.link.anatomy import Anatomy
from waterclock.simulator.machine import columns, rows, tape
from waterclock.simulator.machine.kernels import NUMBER_BY_KERNEL

Function = Callable[..., Any]
Machine: Any = stepper._Machine
rebuild = import_module("waterclock.simulator.link.rebuild")  # the package gives the function of this name


def computes(mnemonic: str, wrong: Callable[[Function], Function]) -> Bug:
    """An instruction gives another value in the stepper."""
    return Bug(stepper, "SEMANTICS", lambda right: MappingProxyType({**right, mnemonic: wrong(right[mnemonic])}))


def ties_away(right: Function) -> Function:
    """A sum halfway between two numbers becomes the one further from zero."""

    def add(*words: np.ndarray) -> np.ndarray:
        nearest = right(*words)
        with np.errstate(all="ignore"):
            exact = sum(word.view(np.float32).astype(np.float64) for word in words)
            number = nearest.view(np.float32)
            away = np.nextafter(number, np.copysign(np.float32(np.inf), number))
            is_tie = away.astype(np.float64) - exact == exact - number
        return np.where(is_tie & (exact != number), away.view(np.int32), nearest)

    return add


def always_signed(right: Function) -> Function:
    return lambda tile, a, acc, unsigned: right(tile, a, acc, False)


def arriving(instruction: str, cycles: int) -> Callable[[Function], Function]:
    """Whatever instructions of this name, or area, cause arrives by so many cycles later."""

    def wrong(right: Function) -> Function:
        def schedule(self: Any, issue: Any, delay: int, arrive: Any) -> None:
            right(self, issue, delay + cycles * issue.row.mnemonic.startswith(instruction), arrive)

        return schedule

    return wrong


def west_is_lost(right: Function) -> Function:
    """A result for both directions leaves east alone."""

    def put(self: Any, issue: Any, way: Direction, stream: int, planes: np.ndarray) -> None:
        if way is Direction.EAST or issue.record["result"]["direction"] != Direction.BOTH:
            right(self, issue, way, stream, planes)

    return put


def never_cleared(right: Function) -> Function:
    def accumulate(self: Any, issue: Any, tile: np.ndarray, a: np.ndarray) -> np.ndarray | None:
        place = (issue.queue.slice.index, int(issue.record["acc"]))
        left = self.accumulator_by_place.get(place, 0) if issue.record["first"] else 0
        result = right(self, issue, tile, a)
        self.accumulator_by_place[place] = self.accumulator_by_place[place] + left
        return None if result is None else result + left

    return accumulate


def innermost_loop_lost(right: Function) -> Function:
    def total(self: Any, strides: np.ndarray) -> int:
        return right(self, [0 if level == 1 else stride for level, stride in enumerate(strides)])

    return total


def steps_lost(right: Function) -> Function:
    """A broadcast parameter does not move with the iterations."""

    def scalar(self: Any, field: str, params: np.ndarray) -> int:
        record = self.record.copy()
        record["scalar_step"] = 0
        return right(sequencer.Issue(self.cycle, self.queue, self.entry, self.iteration, record), field, params)

    return scalar


STEPPER_BUGS: Mapping[str, Bug] = MappingProxyType({
    "a sum arrives a cycle late": Bug(Machine, "_schedule", arriving("vxm.add", 1)),
    "a hold stays stale for a cycle": Bug(Machine, "_schedule_state", arriving("vxm.", 1)),
    "a parameter arrives a cycle early": Bug(Machine, "_schedule_state", arriving("icu.set_param", -1)),
    "add rounds ties away from zero": computes("vxm.add", ties_away),
    "sar shifts zeros in": computes("vxm.sar", lambda right: semantics.SEMANTICS["vxm.shr"]),
    "a byte operand is always signed": computes("mxm.matvec", always_signed),
    "permute wraps around": computes("sxm.permute", lambda right: lambda a, b: a[b % len(a)]),
    "the stepper loses a westward result": Bug(Machine, "_put", west_is_lost),
    "the stepper does not clear an accumulator": Bug(Machine, "_accumulate", never_cleared),
    "the tile of the wrong cells is taken": Bug(Machine, "_is_sram", lambda right: lambda self, issue: True),
    "lane-xor rotates": Bug(stepper, "lane_xor", lambda right: lambda a, k: np.roll(a, k)),
    "addresses take no notice of a loop": Bug(sequencer.Issue, "_sum", innermost_loop_lost),
    "a parameter's steps are lost": Bug(sequencer.Issue, "scalar", steps_lost),
})  # fmt: skip


def freed_at_first_use(right: Function) -> Function:
    """The row of a value is given away as soon as one operation has read it."""

    def scan(ops: np.ndarray, last_use: np.ndarray, *others: Any) -> int:
        first_use = last_use.copy()
        for operand in ops.T[1:]:
            used = (operand >= 0) & (last_use[operand] < len(ops))
            np.minimum.at(first_use, operand[used], np.flatnonzero(used).astype(first_use.dtype))
        return right(ops, first_use, *others)

    return scan


def holds_early(right: Function) -> Function:
    """Link has a result in its hold a cycle before it arrives."""

    def resolve(anatomy: Anatomy) -> np.ndarray:
        early = Anatomy(anatomy.events)
        vars(early)["latency"] = anatomy.latency - 1
        return right(early)

    return resolve


def other_kernel(right: np.ndarray) -> np.ndarray:
    numbers = right.copy()
    numbers[OPCODES["vxm.min"]] = NUMBER_BY_KERNEL["vxm.max"]
    return numbers


MACHINE_BUGS: Mapping[str, Bug] = MappingProxyType({
    "the machine does not clear an accumulator": Bug(tape, "FIRST", lambda right: 0),
    "a byte of a word is always its lowest": Bug(
        columns.Columns, "byte_plane", lambda right: lambda self, k: np.zeros(len(self), np.int64)
    ),
    "a value is overwritten before its last use": Bug(rows, "_scan", freed_at_first_use),
    "a hold is seen a cycle early": Bug(rebuild, "resolve_holds", holds_early),
    "min runs the kernel of max": Bug(tape, "_NUMBER_BY_OPCODE", other_kernel),
})  # fmt: skip


REFUSAL_BUGS: Mapping[str, Bug] = MappingProxyType({
    "link misses bank conflicts": Bug(rebuild, "check_banks", lambda right: lambda anatomy, tiles: None),
    "the stepper misses bank conflicts": Bug(Machine, "_occupy_bank", lambda right: lambda self, issue, tile: None),
})  # fmt: skip
