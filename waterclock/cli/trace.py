"""`waterclock trace`: what a chip issues in every cycle, for Perfetto or a browser."""

from pathlib import Path
from typing import Annotated

import typer

from waterclock.cli.app import ModelOrFolder, Target, app
from waterclock.cli.programs import ProgramsOption, some_programs
from waterclock.cli.records import with_records
from waterclock.cli.terminal import progress
from waterclock.cli.written import file_option

SUFFIXES = (".perfetto-trace", ".html")


@app.command("trace")
@with_records
def trace(
    model: ModelOrFolder,
    output: Annotated[
        Path,
        file_option(
            "--output",
            "-o",
            suffixes=SUFFIXES,
            metavar="FILE",
            help="*.perfetto-trace for ui.perfetto.dev, *.html for a browser",
        ),
    ],
    *,
    target: Target,
    program: ProgramsOption = None,
    launches: Annotated[int, typer.Option(min=1, help="launch the programs so many times over")] = 1,
    first: Annotated[int | None, typer.Option("--from", metavar="CYCLE", help="from this cycle on")] = None,
    last: Annotated[int | None, typer.Option("--to", metavar="CYCLE", help="up to this cycle")] = None,
) -> None:
    """Write what every queue issues in every cycle, by instruction and by the model operation that it serves."""
    from waterclock.atomic import new_file
    from waterclock.runtime.cache import every_issue
    from waterclock.simulator.trace import script, timeline, write_page, write_perfetto

    with progress() as phase:
        deployment = target.bundle(model, phase).deployment
        phase("linking")
        programs = some_programs(deployment, program)
        scripts = {each.name: script(every_issue(each, deployment.chip, target.cache)) for each in programs}
        line = timeline(deployment.chip, [scripts[each.name] for each in programs], launches, first, last)
        phase("writing")
        write = (write_perfetto, write_page)[SUFFIXES.index(output.suffix)]
        with new_file(output) as file:
            write(file, line, f"{deployment.config.name} on {deployment.chip.name}")
    clock_mhz = deployment.chip.clock_mhz
    print(
        f"{output}: {line.num_issues:,} issues in cycles {line.first_cycle:,} to {line.last_cycle:,}, "
        f"{output.stat().st_size:,} bytes; 1 cycle is {1000 / clock_mhz:.3f} ns at {clock_mhz:,} MHz"
    )
