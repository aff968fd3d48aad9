"""`waterclock compile`, `inspect` and `check`."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from waterclock.isa.assembly import assemble
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.deployment_file import bundle_sha256

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


def test_check_proves_a_folder_and_places_a_model(run, model_path: Path, folder: Path) -> None:
    assert run("check", str(folder)) == (0, f"{folder}: runs on tiny with a context of 32 positions\n", "")
    assert run("check", str(model_path), *OPTIONS)[:2] == (
        0,
        f"{model_path}: runs on tiny with a context of 32 positions\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "MODEL"], "--output"),
        (["compile", "MODEL", "-o", "FOLDER"], "exists already"),
        (["compile", "MODEL", "-o", "no/such/place"], "there is no folder no/such"),
        (["compile", "FOLDER", "-o", "new"], "is a folder; compile takes a model"),
        (["inspect", "none"], "none: is no deployment"),
        (["inspect", "MODEL"], "random.gguf"),
        (["inspect", "FOLDER", "--disassemble", "mem99"], "--disassemble mem99: no such queue; there are mem0"),
        (["check", "none"], "model none: no such file"),
        (
            ["check", "MODEL", "--chip", "tiny", "--set", "mxm.num_sram_tiles=8", "--context", "64"],
            "mxm.num_sram_tiles = 8: the model needs",
        ),
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
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"writing\n"
        assert len(list(tmp_path.iterdir())) == 1
        time.sleep(0.2)
        process.send_signal(stop)
        assert process.wait(20) == code
        assert process.stderr.read() == said
    assert list(tmp_path.iterdir()) == []


def test_check_as_json(run, folder: Path, bundle: Bundle) -> None:
    code, out, _ = run("check", str(folder), "--json")
    chip = bundle.deployment.chip
    assert code == 0
    assert json.loads(out) == {"model": str(folder), "chip": "tiny", "chip_sha256": chip.sha256, "context": 32}
