"""How commands speak: plain tables on stdout, progress on stderr."""

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


def print_rows(rows: Sequence[tuple[str, ...]], header: tuple[str, ...] = ()) -> None:
    """A plain table on stdout; on a terminal, long cells are folded."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=bool(header), header_style="bold")
    for index in range(len(rows[0]) if rows else 0):
        table.add_column(header[index] if header else "", overflow="fold")
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)


@contextmanager
def progress() -> Generator[Callable[[str], None]]:
    """A line on stderr that says what is being done and for how long; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda phase: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda phase: bar.update(task, description=phase)


def counted(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """The items, while a bar on stderr says how many are through; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(items, total=total, description=what)
