"""`waterclock rtl run`: a few instructions on the hardware, and their waveform."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.app import AsJson, Changes, text_of
from waterclock.cli.rtl import EXIT_DIFFERENT, RtlChipOption, rtl_app, rtl_chip
from waterclock.cli.rtl_given import check_below, given_of
from waterclock.cli.terminal import print_rows, progress
from waterclock.cli.written import file_option
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.runtime.rtl_run import Change, RtlRun

MAX_DRAWN_CYCLES = 100


@rtl_app.command("run")
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.asm", help="queues, as inspect --disassemble prints them")],
    chip: RtlChipOption = None,
    changes: Changes = None,
    words: Annotated[
        list[str] | None,
        typer.Option(
            "--mem",
            metavar="SLICE:WORD=V,V,...",
            help="what a word holds, from lane 0 on: 1.5 is fp32, 15 int32, 0x3fc00000 bits; repeatable",
        ),
    ] = None,
    params: Annotated[
        list[str] | None, typer.Option("--param", metavar="PARAM=V", help="a launch parameter: p2=5; repeatable")
    ] = None,
    cycles: Annotated[int | None, typer.Option(min=1, help="run so many; until all has changed if not given")] = None,
    output: Annotated[
        Path | None, file_option("--output", "-o", metavar="VCD", help="write the waveform to it")
    ] = None,
    svg: Annotated[Path | None, file_option("--svg", metavar="FILE", help="draw what happens to this file")] = None,
    lane: Annotated[int | None, typer.Option(min=0, help="with --svg: draw this lane; 0 if not given")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a few instructions on the RTL beside the stepper, from memories that hold 0, and say what changes when: it
    must be the same, in its cycle; else exit code 1."""
    from waterclock.rtl.tools import check_tools_to_run
    from waterclock.runtime.rtl_run import MAX_CYCLES, run_text

    _check_files(file, output, svg)
    text, chosen = text_of(file), rtl_chip(chip, changes)
    given = given_of(chosen, words or [], params or [])
    if lane is not None and svg is None:
        raise InputError(f"--lane {lane}: says what --svg draws; name a file with --svg")
    check_below(chosen.lanes, lane or 0, "--lane")
    if cycles and cycles > MAX_CYCLES:
        raise InputError(f"--cycles {cycles}: a run takes at most {MAX_CYCLES:,}")
    check_tools_to_run()
    with progress() as phase:
        ran = run_text(chosen, text, str(file), given, cycles, phase)
    _write(ran, output, svg, lane or 0)
    if as_json:
        print(json.dumps(_record(ran), indent=2))
    else:
        _print(ran)
    if ran.difference is not None:
        raise typer.Exit(EXIT_DIFFERENT)


def _check_files(file: Path, *outputs: Path | None) -> None:
    """InputError where one file would take another's place."""
    files = [file, *(output for output in outputs if output is not None)]
    paths = [file.resolve() for file in files]
    for place, path in enumerate(paths):
        if path in paths[:place]:
            raise InputError(f"{path}: is named twice")


def _write(ran: "RtlRun", output: Path | None, svg: Path | None, lane: int) -> None:
    from waterclock.atomic import write_atomically
    from waterclock.rtl.wave_picture import wave_svg
    from waterclock.rtl.wave_rows import groups
    from waterclock.rtl.waveform import waveform

    if svg and ran.num_cycles > MAX_DRAWN_CYCLES:
        raise InputError(f"--svg {svg}: {ran.num_cycles} cycles, at most {MAX_DRAWN_CYCLES} are drawn; add --cycles")
    if output:
        write_atomically(output, waveform(ran.chip, 0, ran.outputs))
    if svg:
        name = "".join(letter if letter.isprintable() else "?" for letter in Path(ran.program.name).name)
        title = f"{name} on {ran.chip.name}, lane {lane}"
        drawn = groups(ran.program, ran.flow, ran.outputs, lane)
        write_atomically(svg, wave_svg(title, drawn, ran.num_cycles))


def _record(ran: "RtlRun") -> dict[str, Any]:
    return {
        "chip": {"name": ran.chip.name, "sha256": ran.chip.sha256},
        "file": ran.program.name,
        "num_cycles": ran.num_cycles,
        "changes": [asdict(change) for change in ran.changes()],
        "difference": None if ran.difference is None else asdict(ran.difference),
    }


def _print(ran: "RtlRun") -> None:
    rows = [row for change in ran.changes() for row in _rows(change)]
    if rows:
        print_rows(rows, header=("cycle", "place", "instruction, and what is there now, from lane 0 on"))
        print()
    same = "RTL and stepper are equal in every bit and cycle"
    print_rows([
        ("compared", f"{len(ran.events):,} changes and all that flows in {ran.num_cycles:,} cycles"),
        ("result", same if ran.difference is None else str(ran.difference)),
    ])  # fmt: skip


def _rows(change: "Change") -> list[tuple[str, str, str]]:
    """A change in rows: where and by what, the bits, and the numbers that they stand for."""
    source = f"{change.queue}: {change.instruction}"
    return [
        (str(change.cycle), change.place, source),
        ("", "", _lanes(change.hexadecimal)),
        ("", "", f"{_lanes(change.numbers)} ({change.type})"),
    ]


def _lanes(texts: tuple[str, ...]) -> str:
    """One text where it is the same in every lane."""
    return " ".join(texts) if len(set(texts)) > 1 else texts[0] + (" in every lane" if len(texts) > 1 else "")
