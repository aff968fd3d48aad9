"""`waterclock compile` and `inspect`: deployments."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.app import AsJson, ModelName, Target, app
from waterclock.cli.moment import show_moment
from waterclock.cli.programs import ProgramOption, one_program
from waterclock.cli.records import with_records
from waterclock.cli.schedule import draw_schedule
from waterclock.cli.terminal import print_rows, progress
from waterclock.cli.written import file_option, new_folder_option
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.chip import Chip
    from waterclock.compiler.explain import Explanation
    from waterclock.isa.program import Program
    from waterclock.runtime.bundle import Bundle


@app.command("compile")
@with_records
def compile_(
    model: ModelName,
    output: Annotated[
        Path, new_folder_option("--output", "-o", metavar="DIR", help="the folder to write; must be new")
    ],
    *,
    target: Target,
    explain: Annotated[bool, typer.Option("--explain", help="say where the cycles go")] = False,
    as_json: AsJson = False,
) -> None:
    """Compile a model for a chip into a folder that needs the model's file no more."""
    from waterclock.runtime.deployment_file import save_bundle
    from waterclock.runtime.device import proven

    if Path(model).is_dir():
        raise InputError(f"{model}: is a folder; compile takes a model")
    with progress() as phase:
        bundle = target.bundle(model, phase)
        phase("linking")
        prove = target.cache.prove if target.cache else proven
        for program in bundle.deployment.programs.values():
            prove(program, bundle.deployment.chip)
        phase("writing")
        sha256 = save_bundle(bundle, output)
    if as_json:
        print(json.dumps(_record(bundle, sha256), indent=2))
        return
    _print_bundle(bundle, sha256)
    if explain:
        for name, explanation in bundle.deployment.explanations.items():
            _print_explanation(name, explanation)


@app.command("inspect")
def inspect(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder that compile wrote")],
    disassemble: Annotated[str | None, typer.Option(metavar="QUEUE", help="print a queue's instructions")] = None,
    objects: Annotated[bool, typer.Option("--objects", help="list what lies where in the chip's memories")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="say where the cycles go")] = False,
    schedule: Annotated[
        Path | None,
        file_option("--schedule", suffixes=(".svg",), metavar="SVG", help="draw the schedule to this file"),
    ] = None,
    cycles: Annotated[
        str | None, typer.Option(metavar="FIRST:LAST", help="with --schedule: these cycles; one layer if not given")
    ] = None,
    cycle: Annotated[
        int | None,
        typer.Option(min=0, help="step a launch to this cycle and print what queues, streams and holds have"),
    ] = None,
    token: Annotated[int | None, typer.Option(help="with --cycle: the token that is fed; 0 if not given")] = None,
    position: Annotated[int | None, typer.Option(help="with --cycle: its position; nothing was fed before")] = None,
    program_name: ProgramOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what a compiled folder holds. Its hashes and shapes are checked first."""
    from waterclock.runtime.deployment_file import bundle_sha256, load_bundle

    _check_one_view(
        {"--cycle": cycle, "--schedule": schedule, "--disassemble": disassemble},
        {"--objects": objects, "--explain": explain, "--json": as_json and cycle is None},
    )
    if cycles is not None and schedule is None:
        raise InputError(f"--cycles {cycles}: says what --schedule draws; add --schedule")
    given = {"token": token, "position": position}
    for name, value in {**given, "program": program_name}.items():
        if value is not None and cycle is None and not (name == "program" and (schedule or disassemble)):
            raise InputError(f"--{name} {value}: says what --cycle shows; add --cycle")
    bundle, sha256 = load_bundle(folder), bundle_sha256(folder)
    if cycle is not None:
        chosen = one_program(bundle.deployment, program_name)
        show_moment(bundle.deployment, chosen, cycle, given, as_json=as_json)
    elif schedule is not None:
        draw_schedule(bundle.deployment, one_program(bundle.deployment, program_name), schedule, cycles)
    elif disassemble is not None:
        _print_queue(one_program(bundle.deployment, program_name), disassemble)
    elif as_json:
        print(json.dumps(_record(bundle, sha256), indent=2))
    else:
        _print_bundle(bundle, sha256)
        for name, program in bundle.deployment.programs.items():
            _print_queues(_entries_by_queue(program, bundle.deployment.chip))
            if objects:
                _print_objects(program)
            if explain:
                _print_explanation(name, bundle.deployment.explanations[name])


def _check_one_view(views: Mapping[str, object], flags: Mapping[str, bool]) -> None:
    """InputError for options of which one would hide another. `views` are alone; `--json` has no list of objects."""
    chosen = [name for name, value in views.items() if value is not None]
    flagged = [name for name, given in flags.items() if given]
    if len(chosen + flagged) > 1 and (chosen or {"--objects", "--json"} <= set(flagged)):
        raise InputError(f"{' and '.join(chosen + flagged)}: show different things; give one of them")


def _record(bundle: "Bundle", sha256: str) -> dict[str, Any]:
    """What a bundle is, as plain values; the same for the same input."""
    from waterclock.isa.plain import to_plain
    from waterclock.isa.program_file import program_sha256
    from waterclock.runtime.speed import speed
    from waterclock.runtime.usage import usage

    deployment = bundle.deployment
    programs = {
        name: {
            "sha256": program_sha256(program),
            "speed": asdict(speed(deployment, program)),
            "entries_by_queue": _entries_by_queue(program, deployment.chip),
            "explanation": to_plain(deployment.explanations[name]),
        }
        for name, program in deployment.programs.items()
    }
    return {
        "sha256": sha256,
        "origin": to_plain(bundle.origin),
        "config": to_plain(deployment.config),
        "chip": {**deployment.chip.to_dict(), "sha256": deployment.chip.sha256},
        "max_context": deployment.max_context,
        "memories": [asdict(row) for row in usage(deployment)],
        "programs": programs,
    }


def _print_bundle(bundle: "Bundle", sha256: str) -> None:
    from waterclock.isa.program_file import program_sha256
    from waterclock.runtime.speed import speed
    from waterclock.runtime.usage import usage

    deployment, origin = bundle.deployment, bundle.origin
    rows = [
        ("deployment", sha256),
        ("model", f"{deployment.config.name}, file {origin.model_sha256}"),
        ("chip", f"{deployment.chip.name}, {deployment.chip.sha256}"),
        ("context", f"{deployment.max_context} positions"),
        ("made by", f"waterclock {origin.waterclock_version}, numpy {origin.numpy_version}"),
    ]
    for row in usage(deployment):
        share = f"{row.taken / row.available:.1%}" if row.available else "none there"
        rows.append(
            (row.memory, f"{row.taken:,} of {row.available:,} {row.unit} ({share}); {row.fullest} {row.taken_there:,}")
        )
    for name, program in deployment.programs.items():
        figures = speed(deployment, program)
        entries = sum(len(queue) for queue in program.queues.values())
        what = "a token" if figures.num_tokens == 1 else f"{figures.num_tokens} tokens"
        rows += [
            (name, program_sha256(program)),
            ("", f"{entries:,} entries in {len(program.queues)} queues, {program.length_cycles:,} cycles"),
            ("", f"{figures.latency_ns / 1000:,.1f} us for {what}, {figures.tokens_per_s:,.0f} tokens/s"),
            ("", f"{figures.ratio_to_bound:.2f} times the lower bound of {figures.bound_cycles:,} cycles"),
        ]
    print_rows(rows)


def _entries_by_queue(program: "Program", chip: "Chip") -> dict[str, int]:
    """In the order of the chip's queues."""
    return {queue.name: len(program.queues[queue.name]) for queue in chip.queues if queue.name in program.queues}


def _print_queues(entries_by_queue: dict[str, int]) -> None:
    print()
    print_rows([(queue, f"{num:,}") for queue, num in entries_by_queue.items()], header=("queue", "entries"))


def _print_objects(program: "Program") -> None:
    print()
    header = ("object", "slice", "memory", "base", "size", "role", "copies", "stride")
    rows = [
        (o.name, o.slice, o.space.value, str(o.base), str(o.size), o.role.value, str(o.num_layers), str(o.stride))
        for o in program.objects
    ]
    print_rows(rows, header=header)


def _print_explanation(name: str, explanation: "Explanation") -> None:
    print(f"\n{name}: {explanation.length_cycles:,} cycles, the bound is {explanation.bound_cycles:,}")
    segments = [(s.name, str(s.count), f"{s.length_cycles:,}", f"{s.num_issues:,}") for s in explanation.segments]
    print_rows(segments, header=("segment", "runs", "cycles each", "issues each"))
    print()
    operations = [
        (o.segment, o.operation, f"{o.num_issues:,}", f"{o.first_cycle:,}", f"{o.last_cycle:,}", f"{o.chain_cycles:,}")
        for o in explanation.operations
    ]
    print_rows(operations, header=("segment", "operation", "issues", "first", "last", "cycles of the longest chain"))
    print()
    slices = [(s.slice, f"{s.num_issues:,}", f"{s.utilization:.1%}") for s in explanation.slices]
    print_rows(slices, header=("slice", "issues", "busy"))


def _print_queue(program: "Program", queue: str) -> None:
    from waterclock.isa.assembly import disassemble

    if queue not in program.queues:
        raise InputError(f"--disassemble {queue}: no such queue; there are {', '.join(program.queues)}")
    print(disassemble({queue: program.queues[queue]}))
