"""Imports point one way, optional libraries are imported in one place, and only the command line prints."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What each part may import of the others. The foundations belong to all; a part that is not named stands above
# these and may import what it likes, except the command line.
FOUNDATIONS = {"errors", "atomic", "kept", "sources"}
GRAPH = {f"frontends.{module}" for module in ("graph", "operations", "builder", "evaluate", "rope")}
MAY_IMPORT = {
    "errors": set[str](),
    "atomic": {"errors"},
    "kept": {"errors", "atomic"},
    "sources": set[str](),
    "chip": {"errors"},
    "numerics": FOUNDATIONS,
    "isa": {"chip"} | FOUNDATIONS,
    "frontends": {"numerics"} | FOUNDATIONS,
    "quantize": {"numerics"} | GRAPH | FOUNDATIONS,
    "simulator": {"isa", "chip", "numerics"} | FOUNDATIONS,
    "rtl": {"isa", "chip", "numerics"} | FOUNDATIONS,
    "silicon": {"isa", "chip"} | FOUNDATIONS,
    "compiler": {"quantize", "isa", "chip", "numerics"} | GRAPH | FOUNDATIONS,
}
MAY_PRINT = {"cli", "dashboard"}
MAY_IMPORT_CLI = {"cli", "__main__"}
# Optional libraries, and how much of a module's name is "one place": a package of ours or a module in it.
PLACE_DEPTH_BY_LIBRARY = {"torch": 2, "transformers": 2, "onnx": 2, "amaranth": 1, "ray": 1, "pint": 2, "matplotlib": 2}


def module_of(path: str) -> str:
    """The dotted name, without the leading "waterclock.": waterclock/isa/table.py is isa.table."""
    return ".".join(Path(path).with_suffix("").parts[1:]).removesuffix("__init__").removesuffix(".")


def imports_of(path: str, source: str) -> Iterator[str]:
    """Full dotted names of what a source imports, wherever in it; each `from a import b` gives a.b."""
    package = ".".join(Path(path).parent.parts)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
            yield from (str(one.value) for one in node.args if isinstance(one, ast.Constant))


def is_within(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def direction_violations(path: str, source: str) -> Iterator[str]:
    part = module_of(path).split(".")[0]
    for name in imports_of(path, source):
        ours = name.removeprefix("waterclock.")
        if ours == name:
            continue
        if part in MAY_IMPORT and not is_within(ours, MAY_IMPORT[part] | {part}):
            yield f"{path}: {part} must not import {name}"
        if is_within(ours, {"cli"}) and part not in MAY_IMPORT_CLI:
            yield f"{path}: nothing imports the command line"


def print_violations(path: str, source: str) -> Iterator[str]:
    if module_of(path).split(".")[0] in MAY_PRINT:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "sys.stdout.write", "sys.stderr.write"}:
            yield f"{path}:{node.lineno}: only the command line and the dashboard print"


def place_violations(source_by_path: Mapping[str, str]) -> Iterator[str]:
    for library, depth in PLACE_DEPTH_BY_LIBRARY.items():
        users = (path for path, source in source_by_path.items() if library in top_names(path, source))
        places = {".".join(module_of(path).split(".")[:depth]) for path in users}
        if len(places) > 1:
            yield f"{library} is imported in more than one place: {', '.join(sorted(places))}"


def top_names(path: str, source: str) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path, source)}


def violations(source_by_path: Mapping[str, str]) -> list[str]:
    found = list(place_violations(source_by_path))
    for path, source in source_by_path.items():
        found += [*direction_violations(path, source), *print_violations(path, source)]
    return found


def test_the_package_holds_the_rules() -> None:
    paths = sorted((ROOT / "waterclock").rglob("*.py"))
    assert len(paths) > 5
    assert violations({str(path.relative_to(ROOT)): path.read_text() for path in paths}) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("chip/record.py", "import waterclock.isa"),
        ("chip/record.py", "from waterclock import isa"),
        ("chip/record.py", "from ..isa import table"),
        ("numerics/fp32.py", "def f():\n    from waterclock.chip import Chip"),
        ("isa/table.py", "from waterclock.simulator import link"),
        ("simulator/link.py", "import waterclock.rtl.core"),
        ("simulator/link.py", "from waterclock.compiler.schedule import schedule"),
        ("rtl/core.py", "from waterclock.simulator.semantics import value"),
        ("silicon/energy.py", "from waterclock.simulator.energy import Activity"),
        ("simulator/energy.py", "from waterclock.silicon import Energy"),
        ("compiler/emit.py", "from importlib import import_module\nimport_module('waterclock.simulator')"),
        ("compiler/lower.py", "from waterclock.frontends.gguf import load"),
        ("quantize/scheme.py", "from waterclock import chip"),
        ("runtime/device.py", "from waterclock.cli import app"),
        ("runtime/device.py", "print('token')"),
        ("isa/assembly.py", "import sys\nsys.stdout.write('x')"),
    ],
)
def test_a_violation_is_found(path: str, source: str) -> None:
    assert len(violations({f"waterclock/{path}": source})) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("chip/record.py", "from waterclock.chip.rules import Rule\nfrom .row import Slice\nimport dataclasses"),
        ("compiler/lower.py", "from waterclock.frontends.graph import Graph\nfrom waterclock.frontends import graph"),
        ("simulator/link.py", "from waterclock.isa import TABLE\nfrom waterclock import errors, chip"),
        ("runtime/device.py", "from waterclock.simulator import machine\nfrom waterclock.compiler import place"),
        ("cli.py", "print('x')\nimport waterclock.rtl"),
        ("rtl/core.py", "import chipper  # waterclock.simulator"),
    ],
)
def test_what_is_allowed_is_not_found(path: str, source: str) -> None:
    assert violations({f"waterclock/{path}": source}) == []


def test_an_optional_library_has_one_place() -> None:
    twice = {"waterclock/rtl/core.py": "import amaranth", "waterclock/rtl/mem.py": "from amaranth.hdl import Module"}
    assert violations(twice) == []
    assert len(violations({**twice, "waterclock/explore/area.py": "import amaranth"})) == 1
    assert len(violations({f"waterclock/frontends/{name}.py": "import torch" for name in ("one", "two")})) == 1


def test_the_command_line_starts_without_heavy_imports() -> None:
    script = "import sys, waterclock.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    names = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "waterclock" in names
    assert not {"numpy", "numba", "rich", "tokenizers", *PLACE_DEPTH_BY_LIBRARY} & set(names)
