"""What `import waterclock` offers."""

import ast
import inspect
import subprocess
import sys

import pytest

import waterclock


@pytest.mark.parametrize("name", waterclock.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    assert inspect.getdoc(getattr(waterclock, name))


def test_what_type_checkers_see_is_what_is_loaded() -> None:
    (block,) = (node for node in ast.parse(inspect.getsource(waterclock)).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.asname or alias.name: f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    assert seen == waterclock._PLACE_BY_NAME
    assert sorted(seen) == sorted(waterclock.__all__)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = waterclock.nothing


def test_importing_the_package_loads_no_library() -> None:
    script = "import sys, waterclock; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "numba", "typer"} & set(loaded)
