"""Export control: which class an accelerator falls in, by each dated rule set, with the arithmetic. Not legal advice.

A condition on a field that is not known is neither true nor false. Where the class depends on it the answer is
"undetermined: needs FIELD"; where other fields settle it, it is not.
"""

import operator
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from waterclock.errors import InputError

FILE = "export_control.toml"
DISCLAIMER = "Arithmetic of published thresholds, not legal advice."
UNIT_BY_FIELD: Mapping[str, str] = MappingProxyType({
    "tpp": "tops*bit", "performance_density": "tops*bit/mm^2", "io": "GB/s", "dram": "GB/s", "dram_and_io": "GB/s",
    "non_planar": "", "transistors": "Gtransistor",
})  # fmt: skip
"""What thresholds are on, and in which unit."""
_COMPARE: Mapping[str, Callable[[float, float], bool]] = MappingProxyType({">=": operator.ge, "<": operator.lt})
_THRESHOLD = re.compile(r"(\w+) (>=|<) ([0-9.]+)")


@dataclass(frozen=True)
class Threshold:
    """A condition on a field."""

    field: str
    comparison: str
    limit: float

    @property
    def is_flag(self) -> bool:
        """Whether the field is yes or no, and so never near."""
        return not UNIT_BY_FIELD[self.field]

    def holds(self, value: float | None) -> bool | None:
        """None where the value is not known."""
        return None if value is None else _COMPARE[self.comparison](value, self.limit)

    def __str__(self) -> str:
        return f"{self.field} {self.comparison} {self.limit:g}"


Prong = tuple[Threshold, ...]


@dataclass(frozen=True)
class Outcome:
    """A class, and what puts an item into it: any prong of which all thresholds hold."""

    result: str
    prongs: tuple[Prong, ...]


@dataclass(frozen=True)
class RuleSet:
    """The rules of a date: the first outcome that holds, or `otherwise`. `exceptions` are prongs that the way out of
    `note` takes beside what no arithmetic tells."""

    name: str
    source: str
    otherwise: str
    note: str
    outcomes: tuple[Outcome, ...]
    exceptions: tuple[Prong, ...] = ()


@dataclass(frozen=True)
class Subject:
    """What is classified: a value for each field of `UNIT_BY_FIELD`; `needs` says what is missing where it is None."""

    name: str
    value_by_field: Mapping[str, float | None]
    needs: Mapping[str, str]


@dataclass(frozen=True)
class Distance:
    """How far a value is from a threshold: `ratio` is value over limit. `binds` where the class turns on it."""

    threshold: Threshold
    value: float | None
    holds: bool | None

    @property
    def ratio(self) -> float | None:
        return None if self.value is None else self.value / self.threshold.limit


@dataclass(frozen=True)
class Classification:
    """The class by one rule set, the thresholds with their distances, prong by prong, the one that binds, and how far
    the item is inside or outside of exceptions."""

    rule_set: RuleSet
    result: str
    prongs: tuple[tuple[str, tuple[Distance, ...]], ...]
    binding: Distance | None
    exceptions: tuple[tuple[Distance, ...], ...]

    @property
    def is_determined(self) -> bool:
        return not self.result.startswith(UNDETERMINED)


UNDETERMINED = "undetermined: needs "


def classify(subject: Subject, rules: RuleSet) -> Classification:
    """The class of an item, by the first outcome one of whose prongs holds. Of several that hold, the one that is
    furthest inside binds: all must fail to leave the class."""
    prongs = tuple(
        (outcome.result, _distances(subject, prong)) for outcome in rules.outcomes for prong in outcome.prongs
    )
    exceptions = tuple(_distances(subject, prong) for prong in rules.exceptions)
    result, binding = _result(subject, rules, prongs)
    return Classification(rules, result, prongs, binding, exceptions)


def _result(
    subject: Subject, rules: RuleSet, prongs: Sequence[tuple[str, tuple[Distance, ...]]]
) -> tuple[str, Distance | None]:
    """The class, and what binds."""
    for outcome in rules.outcomes:
        own = [distances for result, distances in prongs if result == outcome.result]
        held = [distances for distances in own if _all(distances)]
        if held:
            return outcome.result, max(map(_tightest, held), key=_gap)
        if any(_all(distances) is None for distances in own):
            return UNDETERMINED + ", ".join(_missing(subject, prongs)), None
    return rules.otherwise, _nearest([distances for _, distances in prongs])


def _missing(subject: Subject, prongs: Sequence[tuple[str, tuple[Distance, ...]]]) -> list[str]:
    """The fields on which a prong turns that is neither true nor false."""
    undecided = (distances for _, distances in prongs if _all(distances) is None)
    return sorted({_needs(subject, one) for distances in undecided for one in distances if one.holds is None})


def _distances(subject: Subject, prong: Prong) -> tuple[Distance, ...]:
    values = ((threshold, subject.value_by_field[threshold.field]) for threshold in prong)
    return tuple(Distance(threshold, value, threshold.holds(value)) for threshold, value in values)


def _all(distances: Sequence[Distance]) -> bool | None:
    """Whether all hold: false as soon as one is false, whatever the others are."""
    held = [distance.holds for distance in distances]
    return False if False in held else None if None in held else True


def _needs(subject: Subject, distance: Distance) -> str:
    return subject.needs.get(distance.threshold.field, distance.threshold.field)


def _tightest(distances: Sequence[Distance]) -> Distance:
    """Of a prong that holds, what the item is least far inside of: what it would leave the class by first."""
    return min(distances, key=_gap)


def _nearest(prongs: Sequence[tuple[Distance, ...]]) -> Distance | None:
    """Of prongs that don't hold, what keeps the item out of the one that it is nearest to: by each prong its furthest
    failing threshold."""
    furthest = [max((d for d in prong if d.holds is False), key=_gap) for prong in prongs]
    return min(furthest, key=_gap, default=None)


def _gap(distance: Distance) -> float:
    """How much the value would have to change, as a factor of at least 1."""
    ratio = distance.ratio
    if ratio is None or ratio <= 0:
        return float("inf")
    return max(ratio, 1 / ratio)


@cache
def rule_sets() -> tuple[RuleSet, ...]:
    """The rule sets that ship, oldest first."""
    text = (resources.files("waterclock") / "data" / "silicon" / FILE).read_text(encoding="utf-8")
    return tuple(_rule_set(row) for row in tomllib.loads(text)["rule_set"])


def rule_set(name: str) -> RuleSet:
    """The rule set of a date. InputError if there is none."""
    by_name = {rules.name: rules for rules in rule_sets()}
    if name not in by_name:
        raise InputError(f"--rules {name}: must be {', '.join(by_name)}")
    return by_name[name]


def _rule_set(row: Mapping[str, Any]) -> RuleSet:
    outcomes = tuple(Outcome(one["result"], _prongs(one["prongs"])) for one in row["outcome"])
    exceptions = _prongs(row.get("exceptions", []))
    return RuleSet(row["name"], row["source"], row["otherwise"], row.get("note", ""), outcomes, exceptions)


def _prongs(rows: Sequence[Sequence[str]]) -> tuple[Prong, ...]:
    return tuple(tuple(map(_threshold, prong)) for prong in rows)


def _threshold(text: str) -> Threshold:
    found = _THRESHOLD.fullmatch(text)
    if found is None or found[1] not in UNIT_BY_FIELD:
        raise InputError(f"{FILE}: {text!r}: must be FIELD >= NUMBER or FIELD < NUMBER")
    return Threshold(found[1], found[2], float(found[3]))
