"""`waterclock cost`: dollars for tokens of a model on a chip, beside accelerators that are sold."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.app import AsJson, Changes, ChipOption, Context, ModelOrFolder, app, chosen_chip
from waterclock.cli.chip_cost import DefectsOption, VolumeOption, YieldOption, plan_of
from waterclock.cli.chip_export import classes
from waterclock.cli.figures import (
    ABOUT_BOUNDS,
    HEADER,
    ConstantsOption,
    WhyOption,
    figure_record,
    number,
    print_figures,
    print_why,
    typical_text,
)
from waterclock.cli.pictures import draw_all
from waterclock.cli.terminal import print_rows, progress
from waterclock.cli.written import picture_option
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.runtime.token_work import TokenWork
    from waterclock.silicon.pictures import Draw
    from waterclock.silicon.roofline import Roofline
    from waterclock.silicon.token_cost import TokenCost
    from waterclock.silicon.token_sheet import TokenSheet

TORNADO_ROWS = 10
NONE = "none"
BATCHES = (1, 64)
ROOFLINE_NOTE = (
    "accelerators of the catalog: time by roofline over a measured efficiency of larger models, weights and cache in "
    "int8; not simulated. Theirs is the price of sale, the chip's what it costs to make"
)


@app.command("cost")
def cost(
    model: ModelOrFolder,
    chip: ChipOption = None,
    changes: Changes = None,
    context: Context = None,
    utilisation: Annotated[float, typer.Option(help="percent of time in which tokens are made")] = 50.0,
    beside: Annotated[
        list[str] | None,
        typer.Option("--beside", metavar="NAME", help=f"an accelerator of the catalog; repeatable, or {NONE}"),
    ] = None,
    batch: Annotated[list[int] | None, typer.Option("--batch", help="sequences at a time there; repeatable")] = None,
    defects: DefectsOption = "actuary",
    yield_model: YieldOption = "negative-binomial",
    volume: VolumeOption = 100_000,
    constants: ConstantsOption = None,
    why: WhyOption = None,
    tornado: Annotated[list[Path] | None, picture_option("--tornado", "draw what moves the cost most")] = None,
    bars: Annotated[list[Path] | None, picture_option("--bars", "draw the costs")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a million tokens cost: electricity, chip, host, facility, from the schedule that the simulator runs."""
    from waterclock.runtime.token_work import token_work
    from waterclock.silicon.chip_sheet import ChipSheet
    from waterclock.silicon.constants import load_constants
    from waterclock.silicon.token_sheet import TokenSheet

    if not 0 < utilisation <= 100:
        raise InputError(f"--utilisation {utilisation:g}: must be above 0 and at most 100 percent")
    plan, known = plan_of(defects, yield_model, volume), load_constants(constants)
    _check(beside or [], batch or [])
    with progress() as phase:
        work = token_work(model, chosen_chip(chip, changes), context, phase)
    rooflines = _rooflines(work, beside, batch or list(BATCHES), known)
    sheet = TokenSheet(ChipSheet(work.chip, known, plan), work.work, utilisation, rooflines)
    for figure in [sheet.sheet[name] for name in why or []] + [sheet.cost.total]:
        sheet.sheet.interval(figure)  # what can't be computed is refused before anything is drawn or printed
    draw_all(tornado, lambda: _tornado(sheet))
    draw_all(bars, lambda: _bars(sheet))
    if why:
        print_why(sheet.sheet, why, as_json=as_json)
    elif as_json:
        print(json.dumps(_record(sheet, work), indent=2))
    else:
        _print(sheet, work)


def _check(beside: list[str], batch: list[int]) -> None:
    """What can be refused before the work."""
    from waterclock.silicon.market import accelerator

    for name in beside:
        if name != NONE:
            accelerator(name)
    for one in batch:
        if one < 1:
            raise InputError(f"--batch {one}: must be at least 1")


def _rooflines(work: "TokenWork", beside: list[str] | None, batches: list[int], constants: Any) -> "list[Roofline]":
    """Of the accelerators that are named, or of all whose cost can be told."""
    from waterclock.silicon.market import accelerator
    from waterclock.silicon.roofline import Roofline, comparable

    named = [] if beside == [NONE] else [accelerator(name) for name in beside or []]
    chosen = named if beside else comparable()
    return [Roofline(one, work.reads, batch, constants) for one in chosen for batch in dict.fromkeys(batches)]


def _tornado(sheet: "TokenSheet") -> "Draw":
    from waterclock.silicon.pictures import tornado

    total = sheet.cost.total
    swings = sheet.sheet.swings(total)[:TORNADO_ROWS]
    title = f"{sheet.work.about}: dollars a million tokens"
    return tornado(swings, sheet.sheet.interval(total).typical, title, str(total.unit))


def _bars(sheet: "TokenSheet") -> "Draw":
    from waterclock.silicon.pictures import Stack, stacks

    found: list[Stack] = []
    for one in sheet.costs:
        parts = {part: sheet.sheet.interval(figure).typical for part, figure in one.parts.items()}
        label = one.server.name if one is sheet.cost else f"{one.server.name} (roofline)"
        found.append(Stack(label, parts, sheet.sheet.interval(one.total), sheet.sheet.likely(one.total)))
    return stacks(found, "dollars a million tokens", str(sheet.cost.total.unit))


def _record(sheet: "TokenSheet", work: "TokenWork") -> dict[str, Any]:
    from waterclock.silicon.roofline import LABEL

    total = sheet.cost.total
    swings = sheet.sheet.swings(total)[:TORNADO_ROWS]
    return {
        "model": work.model,
        "chip": {"name": work.chip.name, "sha256": work.chip.sha256},
        "program": work.program,
        "length_cycles": work.work.length_cycles,
        "is_twin": work.is_twin,
        "utilisation_percent": sheet.utilisation_percent,
        **{title: figure_record(sheet.sheet, figures) for title, figures in sheet.sections.items()},
        "export": {rules: found for rules, found, _ in _classes(sheet)},
        "beside": {
            one.server.name: {"time": LABEL, **figure_record(sheet.sheet, _shown(one))} for one in sheet.costs[1:]
        },
        "rented": {name: figure_record(sheet.sheet, [figure]) for name, figure in sheet.rented.items()},
        "tornado": [{"constant": s.leaf.name, "at_low": s.at_low, "at_high": s.at_high} for s in swings],
        "warnings": list(sheet.warnings),
    }


def _shown(cost: "TokenCost") -> list[Any]:
    return [cost.server.rate, cost.energy, *cost.parts.values(), cost.total]


def _classes(sheet: "TokenSheet") -> list[tuple[str, str, tuple[str, ...]]]:
    from waterclock.silicon.export_control import rule_sets

    found = ((rules.name, *classes(sheet.chip.export, sheet.export, rules)) for rules in rule_sets())
    return [(name, classification.result, others) for name, classification, others in found]


def _print(sheet: "TokenSheet", work: "TokenWork") -> None:
    from waterclock.silicon.export_control import DISCLAIMER

    share = f"{sheet.utilisation_percent:g}% of the time at work"
    print(f"{work.work.about}: {work.work.length_cycles:,} cycles a token, {share}")
    if work.is_twin:
        print("schedule of its twin, whose weights are in ReRAM tiles that are sensed in one cycle, as SRAM is")
    print(ABOUT_BOUNDS)
    for title, figures in sheet.sections.items():
        print_figures(sheet.sheet, figures, title)
    _print_beside(sheet)
    print("\nWhat moves the cost most, each alone at its low and at its high")
    swings = sheet.sheet.swings(sheet.cost.total)[:TORNADO_ROWS]
    rows = [(s.leaf.name, number(s.at_low), number(s.at_high), s.leaf.meaning) for s in swings]
    print_rows(rows, header=("constant", "at its low", "at its high", "what it is"))
    for warning in sheet.warnings:
        print(f"\nwarning: {warning}")
    print("\nExport control")
    print_rows([(rules, " or ".join((found, *others))) for rules, found, others in _classes(sheet)])
    print(f"{DISCLAIMER} The arithmetic: waterclock chip export {work.chip.name}")


def _print_beside(sheet: "TokenSheet") -> None:
    if len(sheet.costs) == 1:
        return
    print(f"\nBeside: {ROOFLINE_NOTE}")
    rows: list[tuple[str, ...]] = []
    for one in sheet.costs:
        total = sheet.sheet.interval(one.total)
        parts = (number(sheet.sheet.interval(figure).typical) for figure in one.parts.values())
        rate, joules = (typical_text(sheet.sheet.interval(figure)) for figure in (one.server.rate, one.energy))
        rented = sheet.rented.get(one.server.name)
        rent = number(sheet.sheet.interval(rented).typical) if rented else ""
        bounds = map(number, (total.low, *sheet.sheet.likely(one.total), total.high))
        rows.append((one.server.name, rate, joules, *parts, number(total.typical), *bounds, rent))
    parts, bounds = tuple(sheet.cost.parts), HEADER[2:6]
    print_rows(rows, header=("server", "tokens/s", "J/token", *parts, "usd/Mtoken", *bounds, "rented"))
