"""A chip as gates of a library: each module of its RTL synthesised once, then counted as often as it is placed.

Memories, tile stores and clock gates are black boxes: they are macros on silicon, which no standard cell tells the area
of. They are counted with their dimensions. Nothing is flattened, so nothing is optimised across modules.
"""

import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.rtl.core import Core
from waterclock.rtl.lane import DATAPATHS, Halving, Lane
from waterclock.rtl.parts import Part, Parts
from waterclock.rtl.pipeline import latency_of
from waterclock.rtl.synth import yosys
from waterclock.rtl.synth.black_boxes import BOX_BY_KIND, BlackBox, boxes_in
from waterclock.rtl.synth.liberty import Library
from waterclock.rtl.synth.process import Job, counting, num_processors, run_all
from waterclock.rtl.vxm import FETCH_CYCLES, MNEMONICS

TOP = "chip"
VERILOG, STATISTICS, BOXES = "chip.v", "statistics.json", "boxes.il"
MODULE = re.compile(r"^module \\?([^\s(]+)(.*?)^endmodule", re.DOTALL | re.MULTILINE)
Phase = Callable[[str], None]
Cell = str | BlackBox
"""What modules are made of: cells of the library and other modules, by name, and black boxes."""
ALONE = "alone_"
"""Before the name of a module that is one lane of one instruction."""


class Shells(Parts):
    """Parts of which those that are black boxes have ports only; `kind_by_module` says what components there are."""

    def __init__(self) -> None:
        super().__init__()
        self.kind_by_module: dict[str, str] = {}

    def part(self, make: Callable[..., wiring.Component], arguments: tuple[Hashable, ...]) -> Part:
        made = super().part(make, arguments)
        self.kind_by_module[made.module] = made.module.rpartition("_")[0]
        return made

    def add(self, name: str, source: str) -> None:
        if name in BOX_BY_KIND:
            head, end, _ = source.partition(");")
            source = f"(* blackbox *)\n{head.strip()}{end}\nendmodule\n"
        super().add(name, source)


@dataclass(frozen=True)
class Count:
    """Cells of the library, the flip-flops among them, their area in its unit, and black boxes."""

    num_cells: int = 0
    num_flip_flops: int = 0
    area: float = 0.0
    black_boxes: Mapping[BlackBox, int] = field(default_factory=dict[BlackBox, int])

    def plus(self, other: "Count", times: int = 1) -> "Count":
        boxes = dict(self.black_boxes)
        for box, number in other.black_boxes.items():
            boxes[box] = boxes.get(box, 0) + times * number
        return Count(
            self.num_cells + times * other.num_cells, self.num_flip_flops + times * other.num_flip_flops,
            self.area + times * other.area, boxes,
        )  # fmt: skip


@dataclass(frozen=True)
class Netlist:
    """What Yosys counted in each module, and which components the modules are."""

    cells_by_module: Mapping[str, Mapping[Cell, int]]
    library: Library
    kind_by_module: Mapping[str, str]

    @cached_property
    def _counts(self) -> dict[str, Count]:
        return {}

    def of(self, module: str) -> Count:
        """Everything in a module and what it is made of. InputError if a cell has no area."""
        if module not in self._counts:
            total = Count()
            for cell, number in self.cells_by_module[module].items():
                total = total.plus(self._one(cell), number)
            self._counts[module] = total
        return self._counts[module]

    def _one(self, cell: Cell) -> Count:
        if isinstance(cell, BlackBox):
            return Count(black_boxes={cell: 1})
        if cell in self.cells_by_module:
            return self.of(cell)
        if cell not in self.library.area_by_cell:
            raise InputError(f"{self.library.name}: no cell to make {cell} of")
        return Count(1, int(cell in self.library.flip_flops), self.library.area_by_cell[cell])

    def units(self) -> dict[str, tuple[int, Count]]:
        """Of each kind of unit: how many there are, and all of them together; the rest is `wiring`."""
        found: dict[str, tuple[int, Count]] = {}
        self._walk(TOP, 1, found)
        return dict(sorted(found.items()))

    def _walk(self, module: str, times: int, found: dict[str, tuple[int, Count]]) -> None:
        for cell, number in self.cells_by_module[module].items():
            kind = self.kind_by_module.get(cell) if isinstance(cell, str) else None
            if kind is None and isinstance(cell, str) and cell in self.cells_by_module:
                self._walk(cell, times * number, found)
                continue
            unit, placed = (kind, times * number) if kind else ("wiring", 0)
            before, total = found.get(unit, (0, Count()))
            found[unit] = (before + placed, total.plus(self._one(cell), times * number))


def synthesise(chip: Chip, library: Library, folder: Path, phase: Phase = lambda phase: None) -> Netlist:
    """Make the gates of a chip, and of one lane of each VXM instruction, in a folder.

    WaterclockError if Yosys is missing or fails.
    """
    lanes = {_alone(mnemonic): lane_alone(chip, mnemonic) for mnemonic in MNEMONICS}
    return netlist_of({TOP: Core(chip), **lanes}, library, folder, phase)


def netlist_of(
    component_by_name: Mapping[str, wiring.Component], library: Library, folder: Path,
    phase: Phase = lambda phase: None, num_shares: int | None = None,
) -> Netlist:  # fmt: skip
    """Make the gates of components, each a module of this name, in a folder.

    Modules are dealt out to as many processes as there are processors; that makes no difference to what comes out.
    """
    parts = Shells()
    phase("writing Verilog")
    text = "\n".join([parts.module_text(component, name) for name, component in component_by_name.items()])
    text = f"{parts.verilog}\n{text}"
    (folder / VERILOG).write_text(text)
    jobs: dict[str, Job] = {}
    for number, modules in enumerate(_shares(text, num_shares or num_processors())):
        share = folder / f"share_{number}"
        share.mkdir()
        jobs[f"share {number}"] = yosys.job(_script(library.path, modules), share)
    run_all(jobs, counting(phase, "making gates", jobs))
    found: dict[str, dict[Cell, int]] = {}
    for job in jobs.values():
        found |= _contents(job.folder)
    return Netlist(found, library, parts.kind_by_module)


def _shares(text: str, num_shares: int) -> list[list[str]]:
    """The names of all modules but black boxes, in shares of about the same length of text, the longest first."""
    lengths = {name: len(body) for name, body in MODULE.findall(text) if name not in BOX_BY_KIND}
    shares: list[list[str]] = [[] for _ in range(min(num_shares, len(lengths)))]
    filled = [0] * len(shares)
    for name in sorted(lengths, key=lambda name: -lengths[name]):
        emptiest = filled.index(min(filled))
        shares[emptiest].append(name)
        filled[emptiest] += lengths[name]
    return shares


def lane_alone(chip: Chip, mnemonic: str) -> wiring.Component:
    """One lane of a VXM instruction by itself; of a reduction, one lane of one halving."""
    cycles = latency_of(mnemonic, chip) - FETCH_CYCLES
    return Lane((mnemonic,), cycles) if mnemonic in DATAPATHS else Halving(mnemonic, cycles // chip.log2_lanes)


def _alone(mnemonic: str) -> str:
    return ALONE + mnemonic.replace(".", "_")


def lane_counts(netlist: Netlist) -> dict[str, Count]:
    """What one lane of each VXM instruction takes by itself."""
    return {mnemonic: netlist.of(_alone(mnemonic)) for mnemonic in MNEMONICS}


def _script(liberty: Path, modules: Sequence[str]) -> tuple[str, ...]:
    """What Yosys does to make gates of these modules.

    `opt` goes on as long as anything changes, a stage of a pipeline a round: module by module, so that none goes along
    for another's sake. There is none behind `techmap`, where it takes longest; a lane of `vxm.add` is 9 % larger for
    it.
    """
    optimise = [f"opt -fast {module}" for module in modules]
    boxes = " ".join(f"t:{kind}" for kind in BOX_BY_KIND)
    return (
        f"read_verilog ../{VERILOG}", "setattr -mod -unset top *", "hierarchy -check",
        f"select -set ours {' '.join(modules)}", "blackbox * @ours %d",
        "proc", *optimise, "memory", "setattr -unset init */w:*", *optimise, "wreduce", "alumacc", "share", *optimise,
        "techmap", "opt_clean", f"dfflibmap -liberty {liberty}", f"abc -liberty {liberty}", "opt_clean",
        f"tee -q -o {STATISTICS} stat -json", f"tee -q -o {BOXES} dump -m {boxes}",
    )  # fmt: skip


def _contents(folder: Path) -> dict[str, dict[Cell, int]]:
    """What is in each module that was made gates of in a folder."""
    found = _cells_by_module(json.loads((folder / STATISTICS).read_text())["modules"])
    for module, box in boxes_in((folder / BOXES).read_text()):
        found[module][box] = found[module].get(box, 0) + 1
    return found


def _cells_by_module(modules: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[Cell, int]]:
    """The cells and modules that each module has in it, with how often; without black boxes."""
    found: dict[str, dict[Cell, int]] = {}
    for name, module in modules.items():
        placed = {**module["num_cells_by_type"], **module.get("num_submodules_by_type", {})}
        numbers = {_bare(cell): int(number) for cell, number in placed.items()}
        found[_bare(name)] = {cell: number for cell, number in numbers.items() if cell not in BOX_BY_KIND}
    return found


def _bare(name: str) -> str:
    return name.removeprefix("\\")
