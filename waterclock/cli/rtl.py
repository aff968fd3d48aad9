"""`waterclock rtl`: the chip as hardware, written out or run beside the simulators."""

import json
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.app import AsJson, Changes, Context, NoCache, app, cache_unless, chip_of, chosen_chip, commands
from waterclock.cli.programs import ProgramsOption, some_programs
from waterclock.cli.terminal import counted, print_rows, progress
from waterclock.cli.written import file_option, new_folder_option
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.chip import Chip
    from waterclock.compiler.deployment import Deployment
    from waterclock.runtime.bundle import Phase
    from waterclock.runtime.cache import Cache
    from waterclock.runtime.rtl_check import CheckedToken, RtlCheck

DEFAULT_RTL_CHIP = "tiny"
RtlChipOption = Annotated[
    str | None, typer.Option("--chip", help=f"a chip that ships or a .toml file; {DEFAULT_RTL_CHIP} if none")
]
EXIT_DIFFERENT = 1
CYCLES_BEFORE, CYCLES_AFTER = 40, 8
"""Of a difference, in the waveform around it."""

rtl_app = commands("The chip as hardware.")
app.add_typer(rtl_app, name="rtl")


@rtl_app.command("emit")
def emit(
    output: Annotated[
        Path, new_folder_option("--output", "-o", metavar="DIR", help="the folder to write; must be new")
    ],
    deployment: Annotated[
        Path | None,
        typer.Argument(metavar="DEPLOYMENT", help="a folder that compile wrote: its images are written too"),
    ] = None,
    chip: RtlChipOption = None,
    changes: Changes = None,
    program: ProgramsOption = None,
) -> None:
    """Write a chip's Verilog, the description of its ports and stores, and the memory images of a deployment."""
    from waterclock.atomic import new_folder
    from waterclock.runtime.llm import open_bundle

    _check_tools_to_emit()
    chosen = _chip_for(str(deployment) if deployment else None, chip, changes)
    with progress() as phase:
        loaded = open_bundle(deployment, chosen, None, phase).deployment if deployment else None
        made_for = loaded.chip if loaded else chosen or rtl_chip(None, None)
        phase("making Verilog, which takes minutes where there are many lanes")
        with new_folder(output) as folder:
            names = [_write(folder, name, text) for name, text in _files(made_for, loaded, program)]
    print_rows([(name, f"{(output / name).stat().st_size:,} bytes") for name in names])


@rtl_app.command("verify")
def verify(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="a model or a compiled folder; a small Llama with random weights if none"),
    ] = None,
    chip: RtlChipOption = None,
    changes: Changes = None,
    context: Context = None,
    num_tokens: Annotated[int, typer.Option("--tokens", min=1, help="generate so many tokens")] = 8,
    first_token: Annotated[int, typer.Option("--first-token", min=0, help="the first token that is fed")] = 0,
    waveform: Annotated[
        Path, file_option("--waveform", metavar="FILE", help="write the waveform around a difference here")
    ] = Path("rtl.vcd"),
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Run a model on the RTL beside the simulators: every change must be the same, in its cycle; else exit code 1."""
    from waterclock.rtl.tools import check_tools_to_run

    check_tools_to_run()
    begin = perf_counter()
    with progress() as phase:
        deployment = _deployment(model, _chip_for(model, chip, changes), context, cache_unless(no_cache), phase)
        check = _check_of(deployment, first_token, num_tokens, phase)
    tokens = list(counted(check.generate(first_token, num_tokens), num_tokens, "tokens"))
    seconds = perf_counter() - begin
    if difference := tokens[-1].checked.difference:
        _write_waveform(check, difference.cycle, waveform)
    if as_json:
        print(json.dumps(_record(deployment, tokens, seconds), indent=2))
    else:
        _print_result(deployment, tokens, seconds)
    if tokens[-1].difference is not None:
        raise typer.Exit(EXIT_DIFFERENT)


def _check_tools_to_emit() -> None:
    from waterclock.rtl.tools import check_tools_to_emit

    check_tools_to_emit()


def _files(chip: "Chip", deployment: "Deployment | None", program_names: list[str] | None) -> "list[tuple[str, str]]":
    """Names and texts of all that is written."""
    from waterclock.rtl import export
    from waterclock.rtl.images import Memories
    from waterclock.runtime.device import loaded_state

    files = list(export.files(chip))
    if deployment is not None:
        state = loaded_state(deployment)
        memories = Memories(state.mem, state.reram, state.sram, state.params)
        for program in some_programs(deployment, program_names):
            files += [(f"{program.name}/{store}", text) for store, text in export.images(chip, program, memories)]
    return files


def _write(folder: Path, name: str, text: str) -> str:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return name


def _chip_for(model: str | None, chip: str | None, changes: list[str] | None) -> "Chip | None":
    """The chip that was named; `tiny` where no folder brings its own."""
    if chip is not None or (model and Path(model).is_dir() and not changes):
        return chosen_chip(chip, changes)
    return rtl_chip(None, changes)


def rtl_chip(name: str | None, changes: list[str] | None) -> "Chip":
    """The chip that the options of an rtl command name."""
    return chip_of(DEFAULT_RTL_CHIP if name is None else name, changes)


def _deployment(
    model: str | None, chip: "Chip | None", context: int | None, cache: "Cache | None", phase: "Phase"
) -> "Deployment":
    from waterclock.compiler.compile import compile_model
    from waterclock.frontends.random_llama import random_llama
    from waterclock.quantize import Scheme, quantize
    from waterclock.runtime.llm import open_bundle

    if model is not None:
        return open_bundle(model, chip, context, phase, prefill=False, cache=cache).deployment
    phase("compiling a random model")
    made_for = chip or rtl_chip(None, None)
    return compile_model(quantize(random_llama(), Scheme()), made_for, context or 2 * made_for.lanes).deployment


def _check_of(deployment: "Deployment", first_token: int, num_tokens: int, phase: "Phase") -> "RtlCheck":
    from waterclock.runtime.device import Device
    from waterclock.runtime.rtl_check import RtlCheck

    phase("linking")
    device = Device(deployment)
    device.check_token(first_token)
    if num_tokens > device.num_positions:
        raise InputError(f"--tokens {num_tokens}: the context bucket has {device.num_positions} positions")
    phase("building the RTL, which takes minutes the first time")
    return RtlCheck(device)


def _write_waveform(check: "RtlCheck", cycle: int, path: Path) -> None:
    from waterclock.atomic import write_atomically
    from waterclock.rtl.waveform import waveform

    first, outputs = check.lockstep.outputs_around(cycle, CYCLES_BEFORE, CYCLES_AFTER)
    write_atomically(path, waveform(check.lockstep.chip, first, outputs))


def _totals(tokens: "list[CheckedToken]") -> tuple[int, int, float]:
    """Cycles and changes that were compared, and the seconds that took."""
    checks = [token.checked for token in tokens]
    cycles, changes = (sum(getattr(check, name) for check in checks) for name in ("num_cycles", "num_changes"))
    return cycles, changes, sum(check.seconds for check in checks)


def _record(deployment: "Deployment", tokens: "list[CheckedToken]", wall_s: float) -> dict[str, Any]:
    num_cycles, num_changes, seconds = _totals(tokens)
    difference = tokens[-1].checked.difference
    return {
        "chip": {"name": deployment.chip.name, "sha256": deployment.chip.sha256},
        "model": deployment.config.name,
        "tokens": [token.token for token in tokens] + [tokens[-1].next_token],
        "num_cycles": num_cycles,
        "num_changes": num_changes,
        "num_logits": sum(token.num_logits for token in tokens),
        "cycles_per_s": num_cycles / seconds,
        "rtl_s": seconds,
        "stepper_s": sum(token.stepping_s for token in tokens),
        "wall_s": wall_s,
        "is_equal": tokens[-1].difference is None,
        "difference": asdict(difference) if difference else tokens[-1].difference,
    }


def _print_result(deployment: "Deployment", tokens: "list[CheckedToken]", wall_s: float) -> None:
    num_cycles, num_changes, seconds = _totals(tokens)
    ids = " ".join(str(token.token) for token in tokens)
    stepping_s = sum(token.stepping_s for token in tokens)
    num_logits = sum(token.num_logits for token in tokens)
    print_rows([
        ("model", deployment.config.name),
        ("chip", deployment.chip.name),
        ("tokens", f"{ids} -> {tokens[-1].next_token}"),
        ("compared", f"{num_changes:,} changes in {num_cycles:,} cycles, then all memory cells, {num_logits:,} logits"),
        ("speed", f"{num_cycles / seconds:,.0f} cycles/s on this host, comparison included"),
        ("time", f"{wall_s:,.1f} s: RTL {seconds:,.1f} s, stepper {stepping_s:,.1f} s, the rest making both ready"),
        ("result", tokens[-1].difference or "equal in every bit and cycle"),
    ])  # fmt: skip
