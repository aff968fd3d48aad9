"""`waterclock chip export`: the class of chips and accelerators under each dated rule set, with the arithmetic."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.app import AsJson, Changes, chip_of
from waterclock.cli.chip import chip_app
from waterclock.cli.figures import (
    ConstantsOption,
    WhyOption,
    figure_record,
    print_why_of_each,
    typical_text,
    whole_number,
)
from waterclock.cli.pictures import PicturesOption, draw_all
from waterclock.cli.terminal import print_rows
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.silicon.constants import Constants
    from waterclock.silicon.export_control import Classification, Distance, RuleSet
    from waterclock.silicon.export_subject import Exported
    from waterclock.silicon.figure import Figure
    from waterclock.silicon.pictures import Draw
    from waterclock.silicon.sheet import Sheet

BOUNDS = ("low", "high")


@chip_app.command("export")
def chip_export(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="chips, .toml files, accelerators of the catalog")
    ] = None,
    changes: Changes = None,
    every: Annotated[bool, typer.Option("--all", help="the whole catalog of accelerators")] = False,
    rules: Annotated[
        list[str] | None, typer.Option("--rules", metavar="DATE", help="only this rule set; repeatable")
    ] = None,
    constants: ConstantsOption = None,
    why: WhyOption = None,
    picture: PicturesOption = None,
    as_json: AsJson = False,
) -> None:
    """Classify by United States export control: which threshold binds and how far away it is. Not legal advice."""
    from waterclock.silicon.constants import load_constants
    from waterclock.silicon.export_control import DISCLAIMER, rule_set, rule_sets
    from waterclock.silicon.market import accelerators
    from waterclock.silicon.sheet import Sheet

    chosen: list[str] = [*(names or ()), *(accelerators() if every else ())]
    if not chosen:
        raise InputError("chip export: name a chip or an accelerator, or give --all")
    known = load_constants(constants)
    items = [exported(name, changes, known) for name in dict.fromkeys(chosen)]
    sets = [rule_set(name) for name in rules] if rules else list(rule_sets())
    sheets = [(item, Sheet(item.figures)) for item in items]
    for item, sheet in sheets:
        item.subject(sheet)  # what can't be computed is refused before anything is printed
    draw_all(picture, lambda: _draw(sheets, sets))
    if why:
        print_why_of_each({item.name: sheet for item, sheet in sheets}, why, as_json=as_json)
    elif as_json:
        print(json.dumps({"note": DISCLAIMER, "items": [_record(*one, sets) for one in sheets]}, indent=2))
    else:
        for one in sheets:
            _print(*one, sets)
        print(DISCLAIMER)


def exported(name: str, changes: list[str] | None, constants: "Constants") -> "Exported":
    """A chip of this name or path, or an accelerator. InputError where there is neither."""
    from waterclock.chip import list_chips
    from waterclock.silicon.area import ChipArea
    from waterclock.silicon.export_subject import exported_accelerator, exported_chip
    from waterclock.silicon.fields import Fields
    from waterclock.silicon.market import accelerator

    if name in list_chips() or name.endswith(".toml"):
        return exported_chip(ChipArea(Fields(chip_of(name, changes)), constants))
    if changes:
        raise InputError(f"--set {changes[0]}: {name} is no chip that can be changed")
    try:
        return exported_accelerator(accelerator(name))
    except InputError as error:
        raise InputError(f"{error} (chips: {', '.join(list_chips())} or the path of a .toml file)") from None


def _draw(sheets: "list[tuple[Exported, Sheet]]", sets: "list[RuleSet]") -> "Draw":
    from waterclock.silicon.pictures import Distanced, distances

    rows: list[Distanced] = []
    for item, sheet in sheets:
        for rules in sets:
            found, _ = classes(item, sheet, rules)
            ratio = None if found.binding is None or found.binding.threshold.is_flag else found.binding.ratio
            said = f"{found.result} ({_said(found.binding)})" if found.binding else found.result
            rows.append(Distanced(f"{item.name}, {rules.name}", ratio, said, found.result == rules.otherwise))
    return distances(rows, "export control: what binds, over its limit")


def classes(item: "Exported", sheet: "Sheet", rules: "RuleSet") -> "tuple[Classification, tuple[str, ...]]":
    """The class by typical figures, and the classes at the low and the high ends of the fields where they differ."""
    from waterclock.silicon.export_control import classify

    found = classify(item.subject(sheet), rules)
    others = {classify(item.subject(sheet, bound), rules).result for bound in BOUNDS} - {found.result}
    return found, tuple(sorted(others))


def _print(item: "Exported", sheet: "Sheet", sets: "list[RuleSet]") -> None:
    print(f"{item.name}: {', '.join(_fields(item, sheet))}\n")
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    for rules in sets:
        found, others = classes(item, sheet, rules)
        result = f"{found.result}; {' or '.join(others)} within the intervals" if others else found.result
        prongs = "\n".join(_prong(distances) for _, distances in found.prongs)
        rows.append((rules.name, result, _said(found.binding), prongs))
        notes += [f"{rules.name}: {text}" for text in (rules.source, rules.note) if text]
        notes += [f"{rules.name}, that exception: {_prong(distances)}" for distances in found.exceptions]
    print_rows(rows, header=("rules", "class", "what binds", "arithmetic, value over limit"))
    print("\n".join([*notes, ""]))


def _fields(item: "Exported", sheet: "Sheet") -> list[str]:
    from waterclock.silicon.export_control import UNIT_BY_FIELD

    figures = {field: item.figure_by_field.get(field) for field in UNIT_BY_FIELD}
    return [f"{field} {_value(sheet, figure) if figure else 'unknown'}" for field, figure in figures.items()]


def _value(sheet: "Sheet", figure: "Figure") -> str:
    return f"{typical_text(sheet.interval(figure))} {figure.unit}".rstrip()


def _said(binding: "Distance | None") -> str:
    if binding is None or binding.value is None or binding.ratio is None:
        return ""
    if binding.threshold.is_flag:
        return f"{binding.threshold.field}: {_word(binding)}"
    return f"{binding.threshold}: {whole_number(binding.value)} is {binding.ratio:.3g} of it"


def _prong(distances: "Sequence[Distance]") -> str:
    return " and ".join(f"{one.threshold}: {_word(one)}{_ratio(one)}" for one in distances)


def _word(one: "Distance") -> str:
    return {True: "yes", False: "no", None: "unknown"}[one.holds]


def _ratio(one: "Distance") -> str:
    return "" if one.ratio is None or one.threshold.is_flag else f" ({one.ratio:.3g})"


def _record(item: "Exported", sheet: "Sheet", sets: "list[RuleSet]") -> dict[str, Any]:
    return {
        "name": item.name,
        "fields": figure_record(sheet, item.figures),
        "rules": {rules.name: _rules_record(item, sheet, rules) for rules in sets},
    }


def _rules_record(item: "Exported", sheet: "Sheet", rules: "RuleSet") -> dict[str, Any]:
    found, others = classes(item, sheet, rules)
    prongs = [{"outcome": result, "thresholds": [_plain(one) for one in all_]} for result, all_ in found.prongs]
    return {
        "source": rules.source, "note": rules.note, "class": found.result, "within_intervals": list(others),
        "binds": _plain(found.binding) if found.binding else None, "prongs": prongs,
        "exceptions": [[_plain(one) for one in all_] for all_ in found.exceptions],
    }  # fmt: skip


def _plain(one: "Distance") -> dict[str, Any]:
    return {"threshold": str(one.threshold), "value": one.value, "holds": one.holds, "ratio": one.ratio}
