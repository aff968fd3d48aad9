"""Writing to a path that is something else than a file."""

import os
import sys
from pathlib import Path

import pytest

from waterclock.atomic import check_new, check_new_or_folder, check_writable, new_file, write_atomically
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


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="such a link is replaced there, as one that leads nowhere")
def test_a_link_to_itself_is_one_line(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    for check in (check_new, check_writable, check_new_or_folder):
        with pytest.raises(InputError):
            check(link)


def test_a_folder_is_there_or_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_new_or_folder(tmp_path)
    check_new_or_folder(tmp_path / "one" / "in another")
    with pytest.raises(InputError, match=r"cannot write: .*file is no folder"):
        check_new_or_folder(tmp_path / "file" / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


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
