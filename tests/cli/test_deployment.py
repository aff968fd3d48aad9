"""`waterclock compile` and `inspect`."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import running
from waterclock.isa.assembly import assemble
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.deployment_file import MAKE_ONE, bundle_sha256

OPTIONS = ("--chip", "tiny", "--context", "32", "--no-cache")


def test_compile_writes_the_folder_that_the_api_writes(run, model_path: Path, folder: Path, tmp_path: Path) -> None:
    code, out, err = run("compile", str(model_path), "-o", str(tmp_path / "new"), *OPTIONS, "--explain")
    assert (code, err) == (0, "")
    assert bundle_sha256(tmp_path / "new") == bundle_sha256(folder)
    assert bundle_sha256(folder) in out
    assert "cycles of the longest chain" in out


def test_inspect_says_what_compile_said(run, model_path: Path, folder: Path, tmp_path: Path) -> None:
    compiled = run("compile", str(model_path), "-o", str(tmp_path / "new"), *OPTIONS, "--json")[1]
    code, inspected, _ = run("inspect", str(folder), "--json")
    assert code == 0
    assert inspected == compiled


def test_inspect_shows_queues_objects_and_cycles(run, folder: Path, bundle: Bundle) -> None:
    code, out, _ = run("inspect", str(folder), "--objects", "--explain")
    (program,) = bundle.deployment.programs.values()
    assert code == 0
    for name in (*program.queues, *(obj.name for obj in program.objects), *program.operations):
        assert f"{name} " in out
    record = json.loads(run("inspect", str(folder), "--json")[1])
    assert record["programs"]["decode-32"]["entries_by_queue"] == {name: len(q) for name, q in program.queues.items()}
    assert {row["memory"]: row["taken"] <= row["available"] for row in record["memories"]} == {
        "mem": True, "reram": True, "sram": True
    }  # fmt: skip


def test_a_disassembled_queue_can_be_assembled(run, folder: Path, bundle: Bundle) -> None:
    code, out, _ = run("inspect", str(folder), "--disassemble", "vxm.alu0")
    (program,) = bundle.deployment.programs.values()
    assert code == 0
    assert (assemble(out)["vxm.alu0"] == program.queues["vxm.alu0"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "MODEL"], "--output"),
        (["compile", "MODEL", "-o", "FOLDER"], "exists already"),
        (["compile", "MODEL", "-o", "no/such/place"], "there is no folder no/such"),
        (["compile", "FOLDER", "-o", "new"], "is a folder; compile takes a model"),
        (["inspect", "none"], f"none: there is no such folder, expected a compiled folder; {MAKE_ONE}"),
        (["inspect", "MODEL"], f"random.gguf: is a file, expected a compiled folder; {MAKE_ONE}"),
        (["inspect", "FOLDER", "--disassemble", "mem99"], "--disassemble mem99: no such queue; there are mem0"),
        (["inspect", "FOLDER", "--schedule", "new.svg", "--json"], "--schedule and --json: show different things"),
        (["inspect", "FOLDER", "--cycle", "0", "--disassemble", "mem0"], "--cycle and --disassemble: show different"),
        (["inspect", "FOLDER", "--disassemble", "mem0", "--explain"], "--disassemble and --explain: show different"),
        (["inspect", "FOLDER", "--objects", "--json"], "--objects and --json: show different things; give one of them"),
        (["inspect", "FOLDER", "--cycles", "1:5"], "--cycles 1:5: says what --schedule draws; add --schedule"),
    ],
)
def test_what_can_not_be_is_one_line_and_exit_code_2(
    run, model_path: Path, folder: Path, arguments: list[str], message: str
) -> None:
    paths = {"MODEL": str(model_path), "FOLDER": str(folder)}
    code, out, err = run(*(paths.get(argument, argument) for argument in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("waterclock: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(("stop", "code", "said"), [
    (signal.SIGINT, 130, b"waterclock: interrupted\n"), (signal.SIGTERM, 143, b""),
])  # fmt: skip
def test_an_interrupted_compile_leaves_nothing(
    model_path: Path, tmp_path: Path, stop: signal.Signals, code: int, said: bytes
) -> None:
    """The interrupt comes while the folder is being written: the write of its second file never returns.

    A shell that runs these tests in the background has them ignore interrupts; the command must not inherit that.
    """
    script = f"""
import signal, sys, time
from pathlib import Path
from waterclock.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
written = Path.write_bytes
def write_bytes(path, data):
    if path.name == "memory.safetensors":
        print("writing", flush=True)
        time.sleep(60)
    return written(path, data)
Path.write_bytes = write_bytes
sys.argv = ["waterclock", "compile", {str(model_path)!r}, "-o", {str(tmp_path / "new")!r}, *{OPTIONS!r}]
main()
"""
    with running([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"writing\n"
        assert len(list(tmp_path.iterdir())) == 1
        time.sleep(0.2)
        process.send_signal(stop)
        assert process.wait(20) == code
        assert process.stderr.read() == said
    assert list(tmp_path.iterdir()) == []
