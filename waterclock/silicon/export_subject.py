"""What export control looks at, of a chip or of an accelerator of the catalog: fields as figures, or what they need."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from waterclock.chip import SliceKind
from waterclock.silicon.area import ChipArea
from waterclock.silicon.export_control import UNIT_BY_FIELD, Subject
from waterclock.silicon.fields import BYTE, CYCLE, DIRECTIONS, OPERATION, WORD
from waterclock.silicon.figure import Figure, leaf, maximum
from waterclock.silicon.market import Accelerator
from waterclock.silicon.sheet import Sheet

PLANAR_FROM_NM = 20
"""Nodes of 16/14 nm and below have fins or better; planar ones end at 20."""
MEANING_BY_FIELD: Mapping[str, str] = MappingProxyType({
    "tpp": "operations times bits, the largest over formats", "io": "input and output, both ways together",
    "dram": "bandwidth of memory beside the die", "dram_and_io": "both bandwidths together",
    "non_planar": "1 where a die is of a process that is not planar",
    "transistors": "transistors of the package",
    "performance_density": "operations times bits over the area of dies that are not planar",
})  # fmt: skip
NO_DENSITY = leaf("density.unit", "the unit of a performance density", "tops*bit/mm^2", 1, "definition")
HALF = leaf("bits.half", "bits of a bf16 value", "bit", 16, "definition")


@dataclass(frozen=True, eq=False)
class Exported:
    """An item: a figure for each field that is known, what would settle the others."""

    name: str
    figure_by_field: Mapping[str, Figure]
    needs: Mapping[str, str]

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(self.figure_by_field.values())

    def subject(self, sheet: Sheet, bound: str = "typical") -> Subject:
        """The item with its fields at a bound of their intervals."""
        values: dict[str, float | None] = dict.fromkeys(UNIT_BY_FIELD)
        for field, figure in self.figure_by_field.items():
            values[field] = getattr(sheet.interval(figure), bound)
        return Subject(self.name, values, self.needs)


def exported_chip(area: ChipArea) -> Exported:
    """A chip: everything is known of it. It has no memory beside its die."""
    f, c = area.fields, area.constants
    rate = f["clock_mhz"] / CYCLE
    products = 2 * f.count(SliceKind.MXM) * f["lanes"] * f["lanes"] * OPERATION * rate
    vectors = f["vxm.num_alus"] * f["lanes"] * OPERATION * rate
    int8 = products.named("export.int8", "tops", "dense int8 operations, multiply and add counted apart")
    fp32 = vectors.named("export.fp32", "tops", "fp32 operations, one of every ALU and lane a cycle")
    tpp = maximum(int8 * BYTE, fp32 * WORD)
    io = DIRECTIONS * f["c2c.num_links"] * c["c2c.lanes_per_link"] * c["c2c.lane_rate"]
    dram = _no_dram("export", f.chip.name)
    non_planar = f.chip.node_nm < PLANAR_FROM_NM
    return _exported(f.chip.name, "export", tpp, io, dram, non_planar, area.die, area.transistors)


def exported_accelerator(one: Accelerator) -> Exported:
    """An accelerator, as far as it is published. Its formats are those of the catalog: 8 and 16 bits."""
    bits_by_column = {"int8_or_fp8_TOPS": BYTE, "bf16_TFLOPS": HALF}
    formats = [one[column] * bits for column, bits in bits_by_column.items() if one.known(column)]
    io, dram = (one[column] if one.known(column) else None for column in ("io_GBps_bidir", "mem_bw_GBps"))
    if not one.has_dram:
        dram = _no_dram(one.slug, one.name)
    die = one["die_mm2"] if one.known("die_mm2") else None
    return _exported(one.name, one.slug, maximum(*formats) if formats else None, io, dram, _non_planar(one), die)


def _no_dram(prefix: str, name: str) -> Figure:
    return leaf(f"{prefix}.memory", "bandwidth of memory beside the die", "GB/s", 0, f"{name}: it has none")


def _non_planar(one: Accelerator) -> bool | None:
    """What the catalog says; else by the node."""
    if one.planar is not None:
        return not one.planar
    return one["process_nm"].typical < PLANAR_FROM_NM if one.known("process_nm") else None


def _exported(
    name: str, prefix: str, tpp: Figure | None, io: Figure | None, dram: Figure | None,
    non_planar: bool | None, die: Figure | None, transistors: Figure | None = None,
) -> Exported:  # fmt: skip
    """The fields that follow from what is known, and for the others what would settle them."""
    needs = {"tpp": "int8_or_fp8_TOPS", "io": "io_GBps_bidir", "dram": "mem_bw_GBps", "non_planar": "planar",
             "transistors": "transistors"}  # fmt: skip
    process = None if non_planar is None else _planarity(prefix, non_planar)
    found = {"tpp": tpp, "io": io, "dram": dram, "non_planar": process, "transistors": transistors}
    known = {field: _field(prefix, field, figure) for field, figure in found.items() if figure is not None}
    needs["dram_and_io"] = needs["dram" if dram is None else "io"]
    needs["performance_density"] = next((needs[one] for one in ("tpp", "non_planar") if one not in known), "die_mm2")
    if "dram" in known and "io" in known:
        known["dram_and_io"] = _field(prefix, "dram_and_io", known["dram"] + known["io"])
    density = _density(known.get("tpp"), non_planar, die)
    if density is not None:
        known["performance_density"] = _field(prefix, "performance_density", density)
    return Exported(name, MappingProxyType(known), MappingProxyType(needs))


def _field(prefix: str, field: str, figure: Figure) -> Figure:
    return figure.named(f"{prefix}.{field}", UNIT_BY_FIELD[field], MEANING_BY_FIELD[field])


def _planarity(prefix: str, non_planar: bool) -> Figure:
    source = f"the process: nodes below {PLANAR_FROM_NM} nm have fins or better"
    return leaf(f"{prefix}.process", "1 for a process that is not planar", "", int(non_planar), source)


def _density(tpp: Figure | None, non_planar: bool | None, die: Figure | None) -> Figure | None:
    """Planar dies add no area: such an item has no performance density, and is below every threshold on it."""
    if non_planar is False:
        return 0 * NO_DENSITY
    return None if tpp is None or non_planar is None or die is None else tpp / die
