"""Dollars for tokens: electricity, chip, host and facility, of whatever serves them.

`Server` says what serves: tokens a second, watts, dollars of a chip, and how many chips share the work. One chip here;
a system of many brings its own rate and its number, and the rest holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from waterclock.silicon.constants import Constants
from waterclock.silicon.fields import YEAR
from waterclock.silicon.figure import Figure, leaf, total


@dataclass(frozen=True, eq=False)
class Server:
    """What makes tokens. `rate` is tokens a second while it works, of all chips together; `working` and `waiting` are
    watts of one chip, `price` its dollars. `prefix` begins the names of its figures."""

    prefix: str
    name: str
    rate: Figure
    working: Figure
    waiting: Figure
    price: Figure
    num_chips: int = 1


@dataclass(frozen=True, eq=False)
class TokenCost:
    """Dollars a million tokens at a utilisation: the share of time in which the server makes tokens."""

    server: Server
    utilisation: Figure
    constants: Constants

    @cached_property
    def rate(self) -> Figure:
        return self._named(
            self.server.rate * self.utilisation, "served", "token/s", "tokens a second at the utilisation"
        )

    @cached_property
    def chip_power(self) -> Figure:
        server = self.server
        power = server.waiting + self.utilisation * (server.working - server.waiting)
        return self._named(power, "power", "W", "one chip, on average")

    @cached_property
    def mean_power(self) -> Figure:
        """Of all chips with boards and their share of a host."""
        return self._named(self._with_board(self.chip_power), "mean_power", "W", "chips, boards and host, on average")

    @cached_property
    def full_power(self) -> Figure:
        """What the facility must be able to give."""
        return self._named(self._with_board(self.server.working), "full_power", "W", "chips, boards and host at work")

    @cached_property
    def parts(self) -> Mapping[str, Figure]:
        """Dollars a million tokens by part."""
        c, chips = self.constants, self._num_chips
        spent = {
            "electricity": self.mean_power * c["facility.pue"] * c["electricity.price"],
            "chip": self.server.price * chips * self._recovery,
            "host": (c["board.price"] + c["host.price"] / c["host.chips"]) * chips * self._recovery,
            "facility": self.full_power * c["facility.rent"],
        }
        return MappingProxyType({
            part: self._named(one / self.rate, part, "usd/Mtoken", MEANING_BY_PART[part]) for part, one in spent.items()
        })  # fmt: skip

    @cached_property
    def total(self) -> Figure:
        return self._named(total(list(self.parts.values())), "total", "usd/Mtoken", "a million tokens, all together")

    @cached_property
    def energy(self) -> Figure:
        """Joules of the whole server for a token, the facility's own share included."""
        energy = self.mean_power * self.constants["facility.pue"] / self.rate
        return self._named(energy, "joules", "J/token", "a token, at the meter of the facility")

    @cached_property
    def _recovery(self) -> Figure:
        """What a dollar of capital costs a year, over its life, with interest."""
        rate, life = self.constants["capital.rate"], self.constants["capital.life"] / YEAR
        factor = rate / (1 - 1 / (1 + rate) ** life) / YEAR
        return self._named(factor, "recovery", "1/year", "yearly payment for a dollar of capital")

    def _with_board(self, chip: Figure) -> Figure:
        c = self.constants
        return self._num_chips * (chip / c["board.efficiency"] + c["host.power"] / c["host.chips"])

    @cached_property
    def _num_chips(self) -> Figure:
        number = self.server.num_chips
        return leaf(
            f"{self.server.prefix}.chips", "chips of the system", "", number, f"{self.server.name}: one chip alone"
        )

    def _named(self, figure: Figure, name: str, unit_text: str, meaning: str) -> Figure:
        return figure.named(f"{self.server.prefix}.{name}", unit_text, meaning)


MEANING_BY_PART: Mapping[str, str] = MappingProxyType({
    "electricity": "electricity of chip, board, host and facility",
    "chip": "the chip, written off",
    "host": "board and share of a host, written off",
    "facility": "space, power distribution and cooling",
})  # fmt: skip
