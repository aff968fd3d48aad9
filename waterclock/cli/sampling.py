"""Options that say how tokens are chosen and what ends an answer; `run` and `chat` share them."""

from typing import Annotated, Any

import typer

from waterclock.runtime.sampling import rules


def _option(field: str, *names: str) -> Any:
    """A number of a Sampling: its meaning and its range are the record's."""
    rule = rules()[field]
    return typer.Option(*names, min=rule.low, max=rule.high, help=rule.meaning)


Temperature = Annotated[float, _option("temperature")]
TopK = Annotated[int, _option("top_k")]
TopP = Annotated[float, _option("top_p")]
MinP = Annotated[float, _option("min_p")]
RepeatPenalty = Annotated[float, _option("repetition_penalty", "--repeat-penalty")]
RepeatWindow = Annotated[int, _option("repetition_window", "--repeat-window")]
Seed = Annotated[int, _option("seed")]
Logprobs = Annotated[int | None, _option("logprobs", "--logprobs")]
Stop = Annotated[list[str] | None, typer.Option("--stop", metavar="TEXT", help="end before this text; repeatable")]
