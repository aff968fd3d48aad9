"""Writing to a path that is something else than a file."""

import os
from pathlib import Path

import pytest

from waterclock.atomic import check_new, new_file, write_atomically
from waterclock.errors import InputError


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "target.svg", tmp_path / "link.svg"
    target.write_text("old")
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_what_is_no_regular_file_is_left_alone(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="is not a regular file"):
        write_atomically(pipe, "text")
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("length", [250, 300])
def test_a_name_that_is_too_long_is_one_line(tmp_path: Path, length: int) -> None:
    with pytest.raises(InputError, match=r"cannot write: .*too long"):
        check_new(tmp_path / ("a" * length))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError, OSError])
def test_a_file_that_is_not_finished_is_none(tmp_path: Path, stop: type[BaseException]) -> None:
    path = tmp_path / "kept"
    path.write_text("old")
    with pytest.raises(InputError if stop is OSError else stop), new_file(path) as file:
        file.write(b"half of the new")
        raise stop
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
