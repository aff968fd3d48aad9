"""The cache directory: for its owner alone, whole entries or none, never larger than it may be for long."""

import os
import stat
import time
from pathlib import Path

import pytest

from waterclock.kept import IN_USE_S, CacheError, Section, directory, entries, keep, kept, prune, remove, root


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_where_the_desktop_standard_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert root() == home / "waterclock"
    monkeypatch.setenv("HOME", str(home))
    for nowhere in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", nowhere)
        assert root() == home / ".cache" / "waterclock"


@pytest.mark.parametrize("section", Section)
def test_a_directory_is_its_owners_alone(home: Path, section: Section) -> None:
    path = directory(section)
    assert (mode(path), mode(root())) == (0o700, 0o700)
    path.chmod(0o755)
    assert mode(directory(section)) == 0o700


def test_what_others_can_change_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory(Section.NATIVE).chmod(0o770)
    with pytest.raises(CacheError, match=r"numba: can be written by others; .* chmod 700"):
        directory(Section.NATIVE)
    (root() / "rtl").symlink_to(home)
    with pytest.raises(CacheError, match="is a link, no directory"):
        directory(Section.RTL)
    (root() / "proven").write_text("")
    with pytest.raises(CacheError, match="cannot be used as a cache: File exists"):
        directory(Section.PROVEN)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(CacheError, match="belongs to somebody else"):
        directory(Section.COMPILED)


def test_a_file_with_another_hash_than_its_own_is_none() -> None:
    path = directory(Section.PROVEN) / "one"
    assert kept(path) is None
    for data in (b"", b"some bytes"):
        keep(path, data)
        assert kept(path) == data
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert kept(path) is None
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert kept(path) is None


def aged(path: Path, seconds: float) -> Path:
    for file in (path, *path.rglob("*")):
        os.utime(file, (time.time() - seconds,) * 2)
    return path


def test_what_was_not_used_for_longest_goes_first() -> None:
    for number in range(4):
        keep(directory(Section.PROVEN) / f"{number}.tapes", bytes(1000))
        aged(root() / Section.PROVEN / f"{number}.tapes", IN_USE_S * (9 - number))
    assert kept(root() / Section.PROVEN / "0.tapes") is not None  # which is a use
    assert [entry.name for entry in entries()] == ["1", "2", "3", "0"]
    assert [entry.name for entry in prune(max_bytes=3000)] == ["1", "2"]
    assert [entry.name for entry in entries()] == ["3", "0"]
    assert prune(max_bytes=3000) == []


def test_what_is_in_use_stays_and_what_was_left_unfinished_goes() -> None:
    place = directory(Section.COMPILED)
    keep(place / "used.json", b"x")
    (place / ".new.1.partial").mkdir()
    (place / ".old.1.partial").mkdir()
    (place / ".old.1.partial" / "half").write_bytes(bytes(10))
    aged(place / ".old.1.partial", 2 * 24 * 3600)
    assert [entry.name for entry in prune(max_bytes=0)] == [".old.1.partial"]
    assert sorted(path.name for path in place.iterdir()) == [".new.1.partial", "used.json"]


def test_what_belongs_together_is_one_entry() -> None:
    place = directory(Section.RTL)
    for name in ("a.o", "a.h", "b.so"):
        (place / name).write_bytes(b"12")
    (place / "c").mkdir()
    (place / "c" / "d").write_bytes(b"1234")
    found = {entry.name: entry for entry in entries()}
    assert {name: [path.name for path in entry.paths] for name, entry in found.items()} == {
        "a": ["a.h", "a.o"], "b": ["b.so"], "c": ["c"],
    }  # fmt: skip
    assert found["a"].num_bytes == 4
    for entry in found.values():
        remove(*entry.paths)
    assert list(place.iterdir()) == entries() == []
