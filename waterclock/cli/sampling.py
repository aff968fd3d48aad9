"""Options that say how tokens are chosen and what ends an answer; `run` and `chat` share them."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from waterclock.runtime.sampling import GREEDY, Sampling, rules


def _option(field: str, *names: str) -> Any:
    """A number of a Sampling: its meaning and its range are the record's."""
    rule = rules()[field]
    return typer.Option(*names, min=rule.low, max=rule.high, help=rule.meaning)


@dataclass(frozen=True)
class SamplingOptions:
    """A Sampling as options."""

    temperature: Annotated[float, _option("temperature")] = GREEDY.temperature
    top_k: Annotated[int, _option("top_k")] = GREEDY.top_k
    top_p: Annotated[float, _option("top_p")] = GREEDY.top_p
    min_p: Annotated[float, _option("min_p")] = GREEDY.min_p
    repetition_penalty: Annotated[float, _option("repetition_penalty", "--repeat-penalty")] = GREEDY.repetition_penalty
    repetition_window: Annotated[int, _option("repetition_window", "--repeat-window")] = GREEDY.repetition_window
    seed: Annotated[int, _option("seed")] = GREEDY.seed
    stop_strings: Annotated[
        list[str] | None, typer.Option("--stop", metavar="TEXT", help="end before this text; repeatable")
    ] = None
    logprobs: Annotated[int | None, _option("logprobs", "--logprobs")] = None

    @property
    def sampling(self) -> Sampling:
        """InputError for what is out of its range."""
        given: dict[str, Any] = {**vars(self), "stop_strings": tuple(self.stop_strings or ())}
        return Sampling(**given)
