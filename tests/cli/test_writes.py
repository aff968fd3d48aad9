"""Every command that writes: whatever is in the way is one line, and no file is left that was not there.

The commands are found: a parameter that is a path must be among those that are read or those that are written here.
"""

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer

from tests.full_disk import files_no_larger_than
from tests.processes import running
from waterclock.cli.app import app
from waterclock.kept import Section, root
from waterclock.rtl import tools

EXAMPLE = Path(__file__).parents[2] / "examples" / "add.asm"
NATIVE = root() / Section.NATIVE
"""Native code that other tests have left."""


@dataclass(frozen=True)
class Written:
    """How a command is asked to write OUT; MODEL and FOLDER stand for the paths of such."""

    arguments: str
    name: str
    needs_rtl: bool = False
    must_be_new: bool = False


WRITTEN = {
    "compile --output": Written(
        "compile MODEL --chip tiny --context 32 --no-cache -o OUT", "new", must_be_new=True
    ),
    "trace --output": Written("trace FOLDER -o OUT", "out.html"),
    "inspect --schedule": Written("inspect FOLDER --schedule OUT", "out.svg"),
    "chip show --svg": Written("chip show tiny --svg OUT", "out.svg"),
    "chip show --toml": Written("chip show tiny --toml OUT", "out.toml", must_be_new=True),
    "chip compare --bars": Written("chip compare demonstrator groq-tsp --bars OUT", "out.svg"),
    "chip cost --picture": Written("chip cost demonstrator --picture OUT", "out.svg"),
    "chip export --picture": Written("chip export demonstrator h100 --picture OUT", "out.png"),
    "cost --bars": Written("cost FOLDER --bars OUT", "out.svg"),
    "cost --tornado": Written("cost FOLDER --tornado OUT", "out.png"),
    "rtl emit --output": Written("rtl emit -o OUT", "new", needs_rtl=True, must_be_new=True),
    "rtl run --output": Written(f"rtl run {EXAMPLE} -o OUT", "out.vcd", needs_rtl=True),
    "rtl run --svg": Written(f"rtl run {EXAMPLE} --svg OUT", "out.svg", needs_rtl=True),
}  # fmt: skip
WRITTEN_LATE = {
    "rtl verify --waveform": Written("rtl verify --waveform OUT", "out.vcd", needs_rtl=True),
    "rtl synth --output": Written("rtl synth --liberty none.lib -o OUT", "new", needs_rtl=True, must_be_new=True),
}
"""What takes minutes, or a difference that there is none of, before something is written: only its place is tried."""
READ = {"eval --text", "inspect DIR", "rtl emit DEPLOYMENT", "rtl run FILE.asm", "rtl synth --liberty"} | {
    f"{command} --constants" for command in ("cost", *(f"chip {name}" for name in (
        "calibration", "compare", "cost", "export", "macros", "yield")))
}  # fmt: skip
BY_TOOLS = {"rtl prove --keep": Written("rtl prove --keep OUT", "new", needs_rtl=True)}
"""Folders that tools of others write into."""
NOWHERE = Path("/proc")
"""Where rights say that all can be written, and nothing can."""


def paths_of(group: typer.Typer, name: str = "") -> Iterator[str]:
    """Each parameter of each command that is a path, such as "chip show --svg"."""
    for command in group.registered_commands:
        assert command.callback is not None
        hints: dict[str, Any] = get_type_hints(command.callback, include_extras=True)
        for parameter in signature(command.callback).parameters.values():
            kind, info = get_args(hints[parameter.name])[:2]
            if {Path, list[Path]} & {kind, *get_args(kind)}:
                option = next(iter(_options(info)), f"--{parameter.name.replace('_', '-')}")
                shown = info.metavar if isinstance(info, typer.models.ArgumentInfo) else option
                yield f"{name}{command.name} {shown}"
    for below in group.registered_groups:
        assert below.typer_instance is not None
        yield from paths_of(below.typer_instance, f"{name}{below.name} ")


def _options(info: Any) -> Iterator[str]:
    names = (info.default, *(info.param_decls or ()))
    return (name for name in names if isinstance(name, str) and name.startswith("--"))


def test_every_path_is_read_or_written_here() -> None:
    assert set(paths_of(app)) == {*WRITTEN, *WRITTEN_LATE, *READ, *BY_TOOLS}


def cases(table: dict[str, Written], *slow: str) -> list[Any]:
    """All of a table, by name; those whose names begin so are slow."""
    missing = tools.missing_tools()
    rtl = (pytest.mark.rtl, pytest.mark.skipif(missing is not None, reason=str(missing)))

    def marks(name: str) -> list[pytest.MarkDecorator]:
        return [*(rtl if table[name].needs_rtl else ()), *([pytest.mark.slow] if name.startswith(slow) else ())]

    return [pytest.param(case, id=name, marks=marks(name)) for name, case in table.items()]


@pytest.fixture
def write(run, model_path: Path, folder: Path):
    """Have a command write to a path: exit code, stdout and stderr."""

    def command(case: Written, out: Path) -> tuple[int, str, str]:
        return run(*arguments(case, str(out), str(model_path), str(folder)))

    return command


def arguments(case: Written, out: str, model: str, folder: str) -> list[str]:
    places = {"MODEL": model, "FOLDER": folder, "OUT": out}
    return [places.get(word, word) for word in case.arguments.split()]


def refused(outcome: tuple[int, str, str], *said: str) -> None:
    code, out, err = outcome
    assert (code, out, err.count("\n")) == (2, "", 1), outcome
    assert err.startswith("waterclock: ")
    assert any(one in err for one in said), err


@pytest.mark.parametrize("case", cases(WRITTEN | WRITTEN_LATE))
def test_a_place_where_nothing_can_be_is_one_line(write, tmp_path: Path, case: Written) -> None:
    refused(write(case, tmp_path / "no" / case.name), "there is no folder")
    (tmp_path / case.name).mkdir()
    refused(write(case, tmp_path / case.name), "exists already" if case.must_be_new else "is not a regular file")
    refused(write(case, tmp_path / case.name / ("a" * 255)), "name is too long", "must end in")
    assert [path.name for path in tmp_path.iterdir()] == [case.name]
    assert list((tmp_path / case.name).iterdir()) == []


@pytest.mark.parametrize(("name", "case"), (WRITTEN | WRITTEN_LATE | BY_TOOLS).items())
def test_what_can_never_be_written_is_said_before_anything_is_read(run, name: str, case: Written) -> None:
    """For there is no such model, no such folder, and where tools are missing that would be the next."""

    def refusal(out: str) -> tuple[int, str, str]:
        return run(*arguments(case, out, "none.gguf", "none"))

    assert refusal("")[::2] == (
        2, f"waterclock: {name.split()[-1]}: is empty; give the path of what is to be written\n"
    )  # fmt: skip
    if NOWHERE.is_dir():
        refused(refusal(f"{NOWHERE}/{case.name}"), f"nothing can be made in {NOWHERE}")


@contextmanager
def mounted(path: Path, options: str) -> Generator[Path]:
    """A file system of its own, where this process may mount one."""
    path.mkdir()
    if os.getuid() or shutil.which("mount") is None:
        pytest.skip("only root may mount a disk without room")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(path)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"mount: {done.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


@contextmanager
def read_only(path: Path) -> Generator[Path]:
    """A folder that nobody may write into, root neither."""
    if not os.getuid():
        with mounted(path, "ro") as place:
            yield place
        return
    path.mkdir(mode=0o555)
    yield path
    path.chmod(0o755)


@pytest.mark.parametrize("case", cases(WRITTEN | WRITTEN_LATE))
def test_a_folder_that_cannot_be_written_is_one_line(write, tmp_path: Path, case: Written) -> None:
    with read_only(tmp_path / "read-only") as place:
        refused(write(case, place / case.name), "Permission denied", "Read-only file system")
        assert list(place.iterdir()) == []


@pytest.mark.parametrize("case", cases(WRITTEN, "rtl", "compile"))
def test_a_full_disk_is_one_line_and_nothing_is_left(write, tmp_path: Path, case: Written) -> None:
    with mounted(tmp_path / "small", "size=8k") as place:
        (place / "taken").write_bytes(bytes(8192))
        refused(write(case, place / case.name), "No space left on device")
        assert [path.name for path in place.iterdir()] == ["taken"]


@pytest.mark.parametrize("case", cases(WRITTEN, "rtl"))
def test_a_file_that_may_not_grow_is_one_line_and_nothing_is_left(write, tmp_path: Path, case: Written) -> None:
    if not case.must_be_new:
        (tmp_path / case.name).write_text("before")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    with files_no_larger_than(100):
        refused(write(case, tmp_path / case.name), "File too large", "File size limit exceeded")
        gc.collect()  # what Amaranth had begun, while its warning of that is off
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


INTERRUPTED = """
import signal, sys, time
from pathlib import Path
from waterclock.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("replace", "rename"):
    def move(path, target, moved=getattr(Path, name)):
        if path.name.endswith(".partial") and {folder!r} in str(path):
            print("writing", flush=True)
            time.sleep(60)
        return moved(path, target)
    setattr(Path, name, move)
sys.argv = ["waterclock", *{arguments!r}]
main()
"""
NOTED = b"waterclock: cache: compiling, which may take a minute: this model has not been compiled before\n"
SAID = {signal.SIGINT: (130, b"waterclock: interrupted\n"), signal.SIGTERM: (143, b"")}


def interrupt(command: list[str], place: Path, stop: signal.Signals, environment: dict[str, str]) -> None:
    """Stop a command just before what it has written gets its name; a shell that runs these tests in the background
    has them ignore interrupts, which the command must not inherit."""
    script = INTERRUPTED.format(folder=str(place), arguments=command)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running([sys.executable, "-c", script], env={**os.environ, **environment}, **pipes) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"writing\n"
        assert any(path.name.endswith(".partial") for path in place.iterdir())
        process.send_signal(stop)
        code = process.wait(60)
        assert (code, process.stderr.read().removeprefix(NOTED)) == SAID[stop]


@pytest.mark.parametrize(("name", "stop"), [
    ("trace --output", signal.SIGINT),
    ("inspect --schedule", signal.SIGTERM), ("chip show --svg", signal.SIGINT),
])  # fmt: skip
def test_an_interrupt_leaves_nothing(
    model_path: Path, folder: Path, tmp_path: Path, name: str, stop: signal.Signals
) -> None:
    case = WRITTEN[name]
    out = str(tmp_path / case.name)
    interrupt(arguments(case, out, str(model_path), str(folder)), tmp_path, stop, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stop", SAID)
def test_an_interrupted_compile_leaves_nothing_in_the_cache(
    model_path: Path, tmp_path: Path, stop: signal.Signals
) -> None:
    kept = tmp_path / "waterclock" / Section.COMPILED
    (tmp_path / "waterclock").mkdir(mode=0o700)
    if NATIVE.is_dir():
        shutil.copytree(NATIVE, tmp_path / "waterclock" / Section.NATIVE)
    command = ["check", str(model_path), "--chip", "tiny", "--context", "16"]
    kept.mkdir(mode=0o700)
    interrupt(command, kept, stop, {"XDG_CACHE_HOME": str(tmp_path)})
    assert list(kept.iterdir()) == []


@pytest.mark.parametrize(
    "command", ["energy FOLDER", "inspect FOLDER --json", "chip show tiny", "run FOLDER hello --raw"]
)
def test_a_full_disk_behind_stdout_is_one_line(folder: Path, command: str) -> None:
    words = [str(folder) if word == "FOLDER" else word for word in command.split()]
    with Path("/dev/full").open("w") if Path("/dev/full").exists() else nullcontext() as full:
        if full is None:
            pytest.skip("there is no /dev/full")
        done = subprocess.run([sys.executable, "-m", "waterclock.cli", *words], stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False)  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr == "waterclock: output: No space left on device\n"
