"""`waterclock check` and `compare`: whether a model can run on a chip, and how fast."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from waterclock.cli.app import AsJson, Context, ModelName, ModelOrFolder, NoCache, Target, app, cache_unless, chip_of
from waterclock.cli.records import with_records
from waterclock.cli.terminal import print_rows, progress
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.chip import Chip
    from waterclock.runtime.bundle import Bundle
    from waterclock.runtime.speed import Speed

HELLO = {"role": "user", "content": "Hello"}


@app.command("check")
@with_records
def check(
    model: ModelOrFolder,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Say whether a model or a compiled folder can run on a chip, and if not, why: it is compiled and proven."""
    from waterclock.simulator.link import link

    with progress() as phase:
        bundle = target.bundle(model, phase)
        phase("linking")
        for program in bundle.deployment.programs.values():
            link(program, bundle.deployment.chip)  # here and now, whatever was proven before: that is what it is for
    deployment, figures, no_chat = bundle.deployment, _token_speed(bundle), _no_chat(bundle, model)
    if as_json:
        made_for = {"chip": deployment.chip.name, "chip_sha256": deployment.chip.sha256}
        record = {"model": model, **made_for, "context": deployment.max_context}
        print(json.dumps({**record, "speed": asdict(figures), "no_chat": no_chat}, indent=2))
        return
    print(f"{model}: runs on {deployment.chip.name} with a context of {deployment.max_context} positions")
    print(f"a token: {figures.length_cycles:,} cycles, {figures.tokens_per_s:,.0f} tokens/s")
    if no_chat is not None:
        print(f"no chat, and run needs --raw: {no_chat}")


@app.command("compare")
def compare(
    model: ModelName,
    chips: Annotated[list[str], typer.Argument(metavar="CHIP...", help="chips that ship, or paths of .toml files")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="one more chip: the first one, changed")
    ] = None,
    context: Context = None,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Say how fast a model is on each of several chips, for which it is compiled; all are held to the first."""
    from waterclock.runtime.llm import open_bundle

    made = {name: chip_of(name, None) for name in chips}
    if changes:
        made[f"{chips[0]}, changed"] = chip_of(chips[0], changes)
    if len(made) < 2:
        raise InputError("CHIP: only one is given; give another, or --set what is to be changed")
    with progress() as phase:

        def compiled(name: str, chip: "Chip") -> "Bundle":
            return open_bundle(
                model, chip, context, lambda what: phase(f"{name}: {what}"), cache=cache_unless(no_cache)
            )

        speeds = {name: _token_speed(compiled(name, chip)) for name, chip in made.items()}
    if as_json:
        hashes = {name: {"chip_sha256": chip.sha256} for name, chip in made.items()}
        print(json.dumps({name: {**hashes[name], **asdict(speed)} for name, speed in speeds.items()}, indent=2))
        return
    first = speeds[chips[0]]
    header = ("chip", "cycles a token", "MHz", "tokens/s", "times the first", "bound", "MXMs busy", "ALUs busy")
    print_rows([_row(name, speed, first) for name, speed in speeds.items()], header=header)


def _row(name: str, speed: "Speed", first: "Speed") -> tuple[str, ...]:
    return (
        name,
        f"{speed.length_cycles:,}",
        f"{speed.clock_mhz:,}",
        f"{speed.tokens_per_s:,.0f}",
        f"{speed.tokens_per_s / first.tokens_per_s:.3f}",
        f"{speed.bound_cycles:,}",
        f"{speed.mxm_utilization:.1%}",
        f"{speed.alu_utilization:.1%}",
    )


def _token_speed(bundle: "Bundle") -> "Speed":
    """Of a token in the largest context."""
    from waterclock.runtime.device import decode_program
    from waterclock.runtime.speed import speed

    return speed(bundle.deployment, decode_program(bundle.deployment))


def _no_chat(bundle: "Bundle", model: str) -> str | None:
    """Why nobody can chat with the model; None where somebody can."""
    from waterclock.frontends.chat_template import read_chat_template

    try:
        read_chat_template(bundle.tokenizer, model).render([HELLO])
    except InputError as error:
        return str(error)
    return None
