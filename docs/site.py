"""What the site has beside the pages that are written: mkdocs calls the functions below (see mkdocs.yml).

The files at the root of the repository become pages; every command and every public module gets its reference, so that
a new one appears unasked. Links from a page to a source lead to a copy of it in the site.
"""

import inspect
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from typer.core import TyperCommand, TyperGroup

import waterclock
from waterclock.cli.app import app

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "waterclock"
PAGE_BY_ROOT_FILE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
ROOT_FILE_BY_PAGE = {page: file for file, page in PAGE_BY_ROOT_FILE.items()}
WITHOUT_REFERENCE = {"cli", "data"}
"""Parts of the package whose interface is not Python."""
HELP_WIDTH = 100
FENCE = re.compile(r"^```console.*$", re.MULTILINE)
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")
ADDRESS = re.compile(rb"https://unpkg\.com/[^\"]*")
"""Where the theme's script would look for what an old browser lacks."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and their places in the navigation."""
    made = {page: (ROOT / file).read_text() for file, page in PAGE_BY_ROOT_FILE.items()}
    made["commands.md"] = commands_page()
    reference = {"api/index.md": names_page(), **dict(reference_pages())}
    for uri, text in {**made, **reference}.items():
        files.append(File.generated(config, uri, content=text))
    decisions = sorted(file.src_uri for file in files.documentation_pages() if file.src_uri.startswith("decisions/0"))
    fill(config, "API reference", list(reference))
    fill(config, "Decisions", ["decisions/README.md", *decisions])
    return files


def fill(config: MkDocsConfig, section: str, pages: list[str]) -> None:
    """Put pages into a section of the navigation that mkdocs.yml leaves empty."""
    next(entry for entry in config.nav or [] if section in entry)[section] = pages


def commands_page() -> str:
    """The help of every command."""
    group = typer.main.get_command(app)
    blocks = (f"## {name}\n\n```text\n{text}\n```" for name, text in helps(group, "waterclock"))
    return "\n\n".join(["# Commands", "What `--help` says, for each command.", *blocks, ""])


def helps(command: TyperCommand | TyperGroup, name: str) -> Iterator[tuple[str, str]]:
    context = command.context_class(command, info_name=name, max_content_width=HELP_WIDTH, terminal_width=HELP_WIDTH)
    yield name, command.get_help(context)
    for word, child in sorted(getattr(command, "commands", {}).items()):
        yield from helps(child, f"{name} {word}")


def names_page() -> str:
    """What `import waterclock` offers, a row for each name."""
    rows = (name_row(name) for name in waterclock.__all__)
    return "\n".join(
        ["# API reference", "", inspect.getdoc(waterclock) or "", "", "| name | what it is |", "|---|---|", *rows, ""]
    )


def name_row(name: str) -> str:
    thing = getattr(waterclock, name)
    first = (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    return f"| [`{name}`][{thing.__module__}.{thing.__qualname__}] | {first} |"


def reference_pages() -> Iterator[tuple[str, str]]:
    """For each part of the package a page with all of its public modules."""
    for part in sorted(PACKAGE.iterdir()):
        name = part.stem
        if name.startswith("_") or name in WITHOUT_REFERENCE or part.suffix not in ("", ".py"):
            continue
        modules = sorted(module_names(part))
        yield f"api/{name}.md", "\n\n".join([f"# waterclock.{name}", *(f"::: {module}" for module in modules), ""])


def module_names(part: Path) -> Iterator[str]:
    for file in [part] if part.is_file() else part.rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if not file.stem.startswith("_"):
            yield ".".join(parts)
        elif file.stem == "__init__":
            yield ".".join(parts[:-1])


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fences without the words that are for the tests; links within the site."""
    uri = page.file.src_uri
    written = posixpath.dirname(ROOT_FILE_BY_PAGE.get(uri, f"docs/{uri}"))

    def within(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(written, link[1]))
        return posixpath.relpath(place(target, config, files), posixpath.dirname(uri) or ".")

    return LINK.sub(within, FENCE.sub("```console", markdown))


def place(target: str, config: MkDocsConfig, files: Files) -> str:
    """Where in the site a file of the repository is."""
    if target in PAGE_BY_ROOT_FILE:
        return PAGE_BY_ROOT_FILE[target]
    if target.startswith("docs/") or not (ROOT / target).is_file():
        return target.removeprefix("docs/")
    uri = f"source/{target}.txt"
    if files.get_file_from_path(uri) is None:
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / target)))
    return uri


def on_post_build(config: MkDocsConfig) -> None:
    """Leave no address in the scripts: the site asks nobody for anything."""
    for script in Path(config.site_dir).rglob("*.js"):
        script.write_bytes(ADDRESS.sub(b"", script.read_bytes()))
