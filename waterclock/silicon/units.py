"""Units of measurement: pint knows the arithmetic, this module is the only one that knows pint.

Currency, tokens, wafers, dies, gates, transistors, operations, flip-flops, defects and cycles are dimensions of their
own: dollars a wafer can't be added to dollars a die, nor bits be taken for operations.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import pint

from waterclock.errors import InputError

DEFINITIONS = (
    "femto- = 1e-15 = f-", "pico- = 1e-12 = p-", "nano- = 1e-9 = n-", "micro- = 1e-6 = u-", "milli- = 1e-3 = m-",
    "centi- = 1e-2 = c-", "kilo- = 1e3 = k-", "mega- = 1e6 = M-", "giga- = 1e9 = G-", "tera- = 1e12 = T-",
    "meter = [length] = m", "second = [time] = s", "joule = [energy] = J", "kelvin = [temperature] = K",
    "bit = [information] = bit", "byte = 8 * bit = B", "watt = joule / second = W", "hertz = cycle / second = Hz",
    "cycle = [cycle]", "usd = [currency]", "token = [token]", "wafer = [wafer]", "die = [die]", "gate = [gate]",
    "transistor = [transistor]", "operation = [operation]", "flipflop = [flipflop]", "defect = [defect]",
    "tops = 1e12 * operation / second", "minute = 60 * second", "hour = 3600 * second", "day = 24 * hour",
    "week = 7 * day", "year = 365.25 * day", "percent = 0.01",
)  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """A unit as it is written, what one of it is in base units, and its dimension: what pint calls a UnitsContainer,
    which multiplies, divides and takes powers."""

    text: str
    factor: float
    dimension: Any

    def __str__(self) -> str:
        return self.text


@cache
def _registry() -> Any:
    registry = cast(Any, pint).UnitRegistry(None)
    registry.load_definitions(DEFINITIONS)
    return registry


@cache
def unit(text: str) -> Unit:
    """The unit that a text such as "usd/wafer", "mm^2" or "" (a plain number) names. InputError if there is none."""
    registry = _registry()
    try:
        one = registry.Quantity(1.0, registry.parse_units(text) if text else registry.dimensionless)
        factor = float(one.to_root_units().magnitude)
    except Exception as error:  # pint raises what its parser meets, of many classes
        raise InputError(f"unit = {text!r}: no unit: {' '.join(str(error).split())}") from None
    return Unit(text, factor, one.dimensionality)


def base_unit(dimension: Any) -> Unit:
    """The unit of factor 1 of a dimension, as it shows where no other was chosen."""
    return Unit(" * ".join(f"{name.strip('[]')}^{power}" for name, power in dimension.items()), 1.0, dimension)


PLAIN = ""
"""The unit of a plain number."""
