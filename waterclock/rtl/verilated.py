"""Components as native code: Amaranth to Verilog to a shared library (`waterclock.rtl.build`), driven through ctypes.

A call steps many clock cycles; what the ports hold before each edge comes back as one array.
"""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Value
from amaranth.lib import wiring

from waterclock.rtl.build import TOP, compiled, noted, sharing
from waterclock.rtl.parts import RESET, Parts

Words = npt.NDArray[np.uint32]
WORD_BITS = 32

HARNESS = """
#include "V@top@.h"
#include "verilated_syms.h"
#include <cstdint>
#include <vector>
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
static inline void put_reset(auto& top, const Word* words) {
    if constexpr (requires { top.rst; }) top.rst = words[0];
}
@ports@
struct Simulation { VerilatedContext context; V@top@ top{&context}; bool is_settled = false; };
extern "C" Simulation* create() { return new Simulation; }
extern "C" void destroy(Simulation* simulation) {
    Verilated::threadContextp(&simulation->context);  // it is there that a scope is forgotten, whosever it was
    delete simulation;
}
extern "C" void* variable(Simulation* simulation, const char* path, const char* name, uint64_t* num_bytes) {
    if (!simulation->is_settled) simulation->top.eval();  // memories are 0 now, and not once more later
    simulation->is_settled = true;
    const VerilatedScope* scope = simulation->context.scopeFind(path);
    VerilatedVar* found = scope ? scope->varFind(name) : nullptr;
    *num_bytes = found ? found->totalSize() : 0;
    return found ? found->datap() : nullptr;
}
extern "C" void step(Simulation* simulation, const Word* in, Word* out, uint64_t cycles) {
    V@top@& top = simulation->top;
    for (uint64_t cycle = 0; cycle < cycles; ++cycle, in += @num_in@) {
        put_reset(top, in + @reset@);
        @puts@
        top.clk = 0;
        top.eval();
        if (out) {
            @gets@
            out += @num_out@;
        }
        top.clk = 1;
        top.eval();
    }
}
@native@
"""


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

    @property
    def array(self) -> str:
        """The name of the array of ports that it is an element of; "" if of none."""
        name, _, index = self.name.rpartition("__")
        return name if index.isdecimal() else ""


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

    The last input is the reset, heeded where the component has one.
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
        inputs[RESET] = Port(RESET, 1, num_words(inputs))
        return Design(make, identity, inputs, outputs, native)

    def ports_of(self, name: str) -> list[Port]:
        """The port of this name, or the elements of the array, in order."""
        ports = {**self.inputs, **self.outputs}
        return [ports[name]] if name in ports else [port for port in ports.values() if port.array == name]

    def elaborated(self) -> tuple[str, Parts]:
        """The component in Verilog, with the parts that it is made of."""
        parts = Parts()
        top = parts.module_text(self.make(), TOP)
        return parts.verilog + top, parts

    @cached_property
    def harness(self) -> str:
        arrays = dict.fromkeys(port.array for port in self.outputs.values() if port.array)
        accessors = "\n".join([
            *map(_accessor, self.outputs.values()), *(_array_accessor(name, self.ports_of(name)) for name in arrays),
        ])  # fmt: skip
        text = HARNESS.replace("@native@", self.native).replace("@ports@", accessors).replace("@top@", TOP)
        text = text.replace("@reset@", str(self.inputs[RESET].first))
        for verb, ports in (("put", self.inputs), ("get", self.outputs)):
            array = {"put": "in", "get": "out"}[verb]
            here = (port for port in ports.values() if port.name != RESET)
            calls = (f"{verb}(top.{port.symbol}, {array} + {port.first});" for port in here)
            text = text.replace(f"@{verb}s@", "\n            ".join(calls))
            text = text.replace(f"@num_{array}@", str(num_words(ports)))
        return text


def _accessor(port: Port) -> str:
    """C++ that gets one output."""
    size = f"constexpr std::size_t words_of_{port.name} = {port.num_words};"
    return f"{size}\nstatic inline void get_{port.name}(V{TOP}& top, Word* out) {{ get(top.{port.symbol}, out); }}"


def _array_accessor(name: str, ports: Sequence[Port]) -> str:
    """C++ that says where each element of an array of wide outputs lies."""
    places = ", ".join(f"top.{port.symbol}.data()" for port in ports)
    return f"static inline std::vector<const Word*> places_of_{name}(V{TOP}& top) {{ return {{{places}}}; }}"


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
        """The words of a port, or of an array of ports, in all cycles: a view [cycle, word], lowest word first."""
        ports = self.design.ports_of(name)
        return words[:, ports[0].first : ports[-1].first + ports[-1].num_words]

    def step(self, inputs: Words) -> Words:
        """Clock the design once for each row of inputs; the outputs before each edge: [cycle, word]."""
        outputs = np.empty((len(inputs), num_words(self.design.outputs)), np.uint32)
        self._step(inputs, address(outputs))
        return outputs

    def drive(self, inputs: Words) -> None:
        """As `step`, without looking at the outputs."""
        self._step(inputs, ctypes.c_void_p(None))

    def _step(self, inputs: Words, outputs: ctypes.c_void_p) -> None:
        inputs = np.ascontiguousarray(inputs, np.uint32)
        if inputs.shape != (len(inputs), num_words(self.design.inputs)):
            raise ValueError(f"a cycle has {num_words(self.design.inputs)} words of inputs")
        self._library.step(self._handle, address(inputs), outputs, ctypes.c_uint64(len(inputs)))

    def cells(self, path: str, num_words: int) -> Words:
        """The memory cells at a place below the top, as they are: a view of words, good while the simulation is.

        KeyError where there are none, or not so many.
        """
        return np.ctypeslib.as_array(
            (ctypes.c_uint32 * num_words).from_address(self._variable(path, "cells", num_words))
        )

    def is_stopped(self, path: str) -> bool:
        """Whether the clock gate at a place below the top withheld the last edge. KeyError where there is none."""
        return bool(ctypes.c_uint8.from_address(self._variable(path, "stopped", 0)).value)

    def _variable(self, path: str, name: str, num_words: int) -> int:
        """Where a variable of a module lies that has so many words or more."""
        num_bytes, place = ctypes.c_uint64(0), f"TOP.{TOP}.{path}".encode()
        found = self._library.variable(self._handle, place, name.encode(), ctypes.byref(num_bytes))
        if not found or num_words * WORD_BITS // 8 > num_bytes.value:
            raise KeyError(f"{path}: has {num_bytes.value} bytes of {name}, not {num_words} words")
        return int(found)

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
    library.create.restype = library.variable.restype = ctypes.c_void_p
    library.destroy.restype = library.step.restype = None
    return library


def _built(design: Design) -> Path:
    """The library of a design, from the cache or built into it.

    A note under a hash of the sources names the library, so that it is found without working out its RTL; the library
    itself is named by its RTL, so that it stays good when a change of the sources does not matter to it.
    """

    def compile_() -> Path:
        rtl, parts = design.elaborated()
        return compiled(rtl, sharing(parts.shared), design.harness)

    return noted(f"{design.identity}\0{design.native}", compile_)
