"""How the next token is chosen and what ends an answer: the record of what is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, ClassVar, cast, get_args, get_origin, get_type_hints

from waterclock.errors import InputError

MAX_COUNT = 2**31 - 1


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`; `str(number)` completes the sentence "must be ..."."""

    low: float
    high: float
    meaning: str
    name: ClassVar[str] = "a number"
    types: ClassVar[tuple[type, ...]] = (int, float)

    def accepts(self, value: object) -> bool:
        return isinstance(value, int | float) and type(value) in self.types and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.name} from {self.low} to {self.high}"


class Whole(Number):
    """A whole number from `low` to `high`."""

    name = "an integer"
    types = (int,)


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen (`waterclock.runtime.sampler` says in which order), and what ends an answer besides the
    model's own end tokens.

    InputError names a field that is out of its range. The limits are chosen here: wide enough for any use, and float64
    cannot overflow within them.
    """

    temperature: Annotated[
        float, Number(0, 100, "divide logits by it before a token is drawn; 0 draws none: the most likely one is taken")
    ] = 0.0
    top_k: Annotated[int, Whole(0, MAX_COUNT, "keep so many of the most likely tokens; 0 keeps all")] = 0
    top_p: Annotated[
        float, Number(0, 1, "keep the fewest most likely tokens that are this likely together; 1 keeps all")
    ] = 1.0
    min_p: Annotated[
        float, Number(0, 1, "keep tokens that are at least this likely relative to the likeliest; 0 keeps all")
    ] = 0.0
    repetition_penalty: Annotated[
        float,
        Number(0.01, 100, "divide positive logits of recent tokens by it, multiply negative ones; 1 does nothing"),
    ] = 1.0
    repetition_window: Annotated[
        int, Whole(1, MAX_COUNT, "so many last tokens are recent, the prompt's among them")
    ] = 64
    seed: Annotated[int, Whole(0, 2**63 - 1, "the same seed draws the same tokens")] = 0
    logprobs: Annotated[
        int | None, Whole(0, 20, "tell each token's log-probability, and that of so many most likely ones")
    ] = None
    stop_tokens: tuple[int, ...] = ()
    """Each ends the answer. The text of one that is no special token still belongs to the answer."""
    stop_strings: tuple[str, ...] = ()
    """The answer ends before the first of these, and shows no part of it."""

    def __post_init__(self) -> None:
        default_by_name = {field.name: field.default for field in fields(self)}
        for name, rule in rules().items():
            value = getattr(self, name)
            if not (rule.accepts(value) or (value is None and default_by_name[name] is None)):
                raise InputError(f"{name} = {value!r}: must be {rule}")
        if not _is_tuple_of(int, self.stop_tokens):
            raise InputError(f"stop_tokens = {self.stop_tokens!r}: must be a tuple of token ids")
        if not _is_tuple_of(str, self.stop_strings) or not all(_can_be_shown(text) for text in self.stop_strings):
            raise InputError(
                f"stop_strings = {self.stop_strings!r}: must be a tuple of UTF-8 texts, none of them empty"
            )

    @property
    def draws(self) -> bool:
        """Whether chance, and so the seed, has a part in it."""
        return self.temperature > 0

    @property
    def is_the_chips(self) -> bool:
        """Whether what is asked for is the token that the chip itself chose."""
        return not self.draws and self.repetition_penalty == 1


@cache
def rules() -> Mapping[str, Number]:
    """What each number of a Sampling may be, by the field's name."""
    hints = get_type_hints(Sampling, include_extras=True)
    return {name: get_args(hint)[1] for name, hint in hints.items() if get_origin(hint) is Annotated}


def _is_tuple_of(kind: type, value: object) -> bool:
    return isinstance(value, tuple) and all(type(item) is kind for item in cast(tuple[object, ...], value))


def _can_be_shown(text: str) -> bool:
    """Whether some answer can hold it."""
    return bool(text) and text.encode(errors="replace").decode() == text


GREEDY = Sampling()
"""The most likely token each time, as the chip itself chose it."""
