"""`waterclock rtl prove`: proofs about the hardware, run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waterclock.cli.app import AsJson
from waterclock.cli.rtl import rtl_app
from waterclock.cli.terminal import print_rows, progress
from waterclock.cli.written import folder_option
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.rtl.formal.proof import Proof
    from waterclock.rtl.formal.sby import Outcome

EXIT_NOT_PROVEN = 1


@rtl_app.command("prove")
def prove(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="proofs, or how their names begin; all if none")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="leave out those that take long")] = False,
    timeout_s: Annotated[int, typer.Option("--timeout", min=1, help="seconds for each")] = 900,
    keep: Annotated[Path | None, folder_option("--keep", metavar="DIR", help="keep what the tools write here")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove what holds of queues, streams, fp32 sums and products; exit code 1 if anything is not proven."""
    from waterclock.rtl.tools import check_tools_to_emit

    check_tools_to_emit()
    from waterclock.rtl.formal import sby  # which needs them to be read at all
    from waterclock.rtl.formal.sby import Verdict

    outcomes: list[Outcome] = []
    with progress() as phase:
        for proof in _chosen(names or [], quick):
            phase(f"proving {proof.name}")
            outcomes.append(sby.prove(proof, timeout_s, keep / proof.name if keep else None))
    if as_json:
        print(json.dumps([_record(outcome) for outcome in outcomes], indent=2))
    else:
        rows = [_row(outcome) for outcome in outcomes]
        print_rows(rows, header=("proof", "verdict", "reach", "seconds", "claim"))
    if any(outcome.verdict is not Verdict.PROVEN for outcome in outcomes):
        raise typer.Exit(EXIT_NOT_PROVEN)


def _chosen(names: list[str], quick: bool) -> "list[Proof]":
    from waterclock.rtl.formal import PROOFS

    for name in names:
        if not name or not any(proof.startswith(name) for proof in PROOFS):
            raise InputError(f"{name!r}: no such proof; there are {', '.join(dict.fromkeys(map(_family, PROOFS)))}")
    wanted = (proof for name, proof in PROOFS.items() if not names or name.startswith(tuple(names)))
    chosen = [proof for proof in wanted if not (quick and proof.is_long)]
    if not chosen:
        raise InputError(f"--quick: {', '.join(names)} takes long, and nothing else is chosen; leave --quick out")
    return chosen


def _family(name: str) -> str:
    """A proof's name, without the last part where there are many of a kind."""
    return name.rpartition(".")[0] if name.count(".") > 1 else name


def _record(outcome: "Outcome") -> dict[str, object]:
    proof = outcome.proof
    return {
        "proof": proof.name, "claim": proof.claim, "verdict": outcome.verdict.name.lower(), "reach": proof.reach,
        "method": proof.method.value, "depth": proof.depth, "seconds": round(outcome.seconds, 1),
    }  # fmt: skip


def _row(outcome: "Outcome") -> tuple[str, ...]:
    proof = outcome.proof
    return proof.name, outcome.verdict.name.lower(), proof.reach, f"{outcome.seconds:.1f}", proof.claim
