"""The compile cache: nothing is made twice, nothing that was kept is believed unseen, and it says why it rebuilds."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.full_disk import files_no_larger_than
from tests.models import write_random_llama
from tests.processes import running
from waterclock import kept
from waterclock.chip import Chip
from waterclock.compiler.compile import compile_model
from waterclock.compiler.issues import Scheduled
from waterclock.compiler.schedule import schedule
from waterclock.compiler.tileops import Segment
from waterclock.errors import InputError
from waterclock.kept import Section
from waterclock.quantize import Scheme
from waterclock.runtime import build as building
from waterclock.runtime import cache as caching
from waterclock.runtime import compile_key, device
from waterclock.runtime.bundle import Bundle, Phase, silent
from waterclock.runtime.cache import Cache
from waterclock.runtime.compile_key import CompileKey
from waterclock.runtime.deployment_file import FILES, MANIFEST, PROGRAMS, SUMS, load_bundle, save_bundle
from waterclock.runtime.llm import LLM, open_bundle
from waterclock.simulator.link import LinkError
from waterclock.simulator.machine.run import loop

CONTEXT = 16
NATIVE = kept.root() / Section.NATIVE
"""Native code that other tests have left."""
USED = "used what was compiled before"
COMPILING = "compiling, which may take a minute: "
NEW = f"{COMPILING}this model has not been compiled before"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    loop()  # whose native code then stays where other tests have it
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "waterclock"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.gguf"
    return write_random_llama(
        path, hidden=20, intermediate=24, num_layers=2, num_heads=2, num_kv_heads=1, head_dim=8, vocab=300
    )


BUILT: dict[tuple[object, ...], Bundle] = {}
"""What has been built for these tests already: the same again would be the same."""


@pytest.fixture(autouse=True)
def builds(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A list that grows whenever something is built."""
    build, done = building.build, list[object]()

    def remembered(
        path: Path,
        chip: Chip,
        context: int,
        phase: Phase = silent,
        *,
        prefill: bool = True,
        accepted: Callable[[], None] = lambda: None,
    ) -> Bundle:
        accepted()
        key = (path.read_bytes(), chip.sha256, context, prefill)
        done.append(key)
        BUILT.setdefault(key, BUILT.get(key) or build(path, chip, context, phase, prefill=prefill))
        return BUILT[key]

    monkeypatch.setattr(building, "build", remembered)
    return done


def opened(path: Path, chip: Chip, context: int = CONTEXT, *, prefill: bool = False) -> tuple[Bundle, list[str]]:
    """A bundle, and what was said of it."""
    notes: list[str] = []
    return open_bundle(path, chip, context, prefill=prefill, cache=Cache(notes.append)), notes


def contents(bundle: Bundle, place: Path) -> dict[str, bytes]:
    save_bundle(bundle, place)
    return {file.name: file.read_bytes() for file in place.iterdir()}


def test_the_second_time_nothing_is_compiled(path: Path, tiny: Chip, tmp_path: Path, builds: list[object]) -> None:
    first, told = opened(path, tiny)
    assert told == [NEW]
    second, told = opened(path, tiny)
    assert (len(told), told[0].startswith(USED), len(builds)) == (1, True, 1)
    plain = open_bundle(path, tiny, CONTEXT, prefill=False, cache=None)
    made = [contents(bundle, tmp_path / name) for name, bundle in (("1", first), ("2", second), ("3", plain))]
    assert made[0] == made[1] == made[2]


def other_version(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    version = compile_key.version
    monkeypatch.setattr(compile_key, "version", lambda package: "0.0" if package == name else version(package))


def other_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_key, "sources_sha256", lambda *parts: "0")


REASONS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], dict[str, object], str]] = {
    "chip": (lambda m: None, {"clock_mhz": 900}, "chip.clock_mhz 1000 -> 900"),
    "context": (lambda m: None, {"context": 32}, "context 16 -> 32"),
    "programs": (lambda m: None, {"prefill": True}, "programs decode -> prefill and decode"),
    "compiler": (other_sources, {}, "compiler changed"),
    "numpy": (lambda m: other_version(m, "numpy"), {}, f"numpy {np.__version__} -> 0.0"),
    "several": (
        other_sources, {"clock_mhz": 900, "context": 32, "prefill": True},
        "chip.clock_mhz 1000 -> 900, context 16 -> 32, programs decode -> prefill and decode and 1 more",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REASONS)
def test_it_says_why_it_compiles(path: Path, tiny: Chip, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    change, given, told = REASONS[what]
    opened(path, tiny)
    change(monkeypatch)
    given, notes = dict(given), list[str]()
    chip = tiny.with_fields({"clock_mhz": given.pop("clock_mhz", 1000)})

    def built(*_: object, accepted: Callable[[], None], **__: object) -> Bundle:
        accepted()
        return next(iter(BUILT.values()))

    monkeypatch.setattr(building, "build", built)
    context, prefill = int(given.pop("context", CONTEXT)), bool(given.pop("prefill", False))
    open_bundle(path, chip, context, prefill=prefill, cache=Cache(notes.append))
    assert notes == [f"{COMPILING}it has not been compiled like this before ({told})"]


def test_it_says_so_before_it_begins(path: Path, tiny: Chip, monkeypatch: pytest.MonkeyPatch) -> None:
    notes, told_before = list[str](), list[list[str]]()

    def begun(segment: Segment, chip: Chip) -> Scheduled:
        told_before.append(list(notes))
        return schedule(segment, chip)

    monkeypatch.setattr(sys.modules[compile_model.__module__], "schedule", begun)
    open_bundle(path, tiny.with_fields({"clock_mhz": 901}), CONTEXT, prefill=False, cache=Cache(notes.append))
    assert told_before
    assert all(told == [NEW] for told in told_before)


def test_what_has_been_removed_is_said_to_have_been(path: Path, tiny: Chip, home: Path) -> None:
    opened(path, tiny)
    shutil.rmtree(entry_of(home))
    assert opened(path, tiny)[1] == [f"{COMPILING}what was compiled before has been removed"]


def test_the_nearest_is_what_is_compared_with(tiny: Chip) -> None:
    keys = [compile_key.compile_key("m", tiny.with_fields({"clock_mhz": clock_mhz}), context, Scheme(), prefill=True)
            for clock_mhz, context in ((700, 32), (800, 16), (900, 16))]  # fmt: skip
    key = compile_key.compile_key("m", tiny.with_fields({"clock_mhz": 700}), 16, Scheme(), prefill=True)
    assert compile_key.nearest(key, keys) == keys[2], "the last of several with one difference"
    assert compile_key.nearest(key, keys[:1]) == keys[0]
    assert compile_key.nearest(replace(key, model="n"), keys) is None
    assert CompileKey.from_json(key.to_json()) == key
    assert key.differences(key) == ()


def test_another_model_has_not_been_compiled_before(
    path: Path, tiny: Chip, tmp_path: Path, builds: list[object]
) -> None:
    opened(path, tiny)
    other = Path(shutil.copy(path, tmp_path / "other.gguf"))
    opened(other, tiny)
    assert len(builds) == 1, "the name of the file does not matter"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    assert opened(other, tiny)[1] == [NEW]


def entry_of(home: Path) -> Path:
    (folder,) = (entry for entry in (home / Section.COMPILED).iterdir() if entry.is_dir())
    return folder


def flip(name: str) -> Callable[[Path], object]:
    def damage(entry: Path) -> None:
        data = bytearray((entry / name).read_bytes())
        data[len(data) // 2] ^= 1
        (entry / name).write_bytes(data)

    return damage


def replaced_by_link(entry: Path) -> None:
    entry.rename(entry.with_name("elsewhere"))
    entry.symlink_to(entry.with_name("elsewhere"))


DAMAGES: dict[str, Callable[[Path], object]] = {
    **{f"a changed byte in {name}": flip(name) for name in (*FILES, SUMS)},
    **{f"no {name}": lambda entry, name=name: (entry / name).unlink() for name in (*FILES, SUMS)},
    "half a file": lambda entry: os.truncate(entry / PROGRAMS, 1000),
    "an empty file": lambda entry: os.truncate(entry / MANIFEST, 0),
    "no files": lambda entry: [file.unlink() for file in entry.iterdir()],
    "a file": lambda entry: (shutil.rmtree(entry), entry.write_text("")),
    "a link": replaced_by_link,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_compiled_anew(
    path: Path, tiny: Chip, home: Path, tmp_path: Path, builds: list[object], damage: str
) -> None:
    good = contents(opened(path, tiny)[0], tmp_path / "good")
    DAMAGES[damage](entry_of(home))
    bundle, (note,) = opened(path, tiny)
    assert len(builds) == 2
    assert note.startswith(COMPILING)
    assert "\n" not in note
    assert contents(bundle, tmp_path / "again") == good
    opened(path, tiny)
    assert len(builds) == 2


def test_what_lies_under_the_key_of_something_else_is_not_believed(path: Path, tiny: Chip, home: Path) -> None:
    opened(path, tiny, 32)
    other = entry_of(home).rename(home / "other")
    opened(path, tiny)
    entry = entry_of(home)
    shutil.rmtree(entry)
    other.rename(entry)
    bundle, (note,) = opened(path, tiny)
    assert "is of something else: context 16 -> 32" in note
    assert bundle.deployment.max_context == CONTEXT


def test_a_file_that_changes_while_it_is_read_is_not_kept(
    path: Path, tiny: Chip, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "file_sha256", lambda path: "0" * 64)
    opened(path, tiny)
    assert not list((home / Section.COMPILED).iterdir())


@pytest.mark.parametrize("obstacle", ["a file", "others can write"])
def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(
    path: Path, tiny: Chip, home: Path, builds: list[object], obstacle: str
) -> None:
    if obstacle == "a file":
        home.parent.write_text("")
    else:
        home.mkdir(parents=True)
        home.chmod(0o777)
    for number in (1, 2):
        bundle, (note,) = opened(path, tiny)
        assert note.startswith("not used: ")
        assert len(builds) == number
    assert LLM(bundle, cache=Cache()).generate("hello", 2).tokens


@pytest.mark.parametrize("room_bytes", [0, 1000, 100_000])
def test_on_a_full_disk_nothing_is_left_but_the_answer(
    path: Path, tiny: Chip, home: Path, builds: list[object], room_bytes: int
) -> None:
    with files_no_larger_than(room_bytes):
        bundle, notes = opened(path, tiny)
    assert [note.partition(": ")[0] for note in notes] == [COMPILING.partition(": ")[0], "not kept"]
    assert notes[1].endswith("File too large")
    assert not list((home / Section.COMPILED).iterdir())
    assert bundle is BUILT[builds[0]]  # pyright: ignore[reportArgumentType]


def test_two_processes_at_once_keep_one_entry(path: Path, home: Path) -> None:
    home.mkdir(parents=True, mode=0o700)
    if NATIVE.is_dir():
        shutil.copytree(NATIVE, home / Section.NATIVE)
    command = [sys.executable, "-m", "waterclock", "check", str(path), "--chip", "tiny", "--context", str(CONTEXT)]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running(command, **pipes) as one, running(command, **pipes) as other:
        for process in (one, other):
            _, err = process.communicate(timeout=300)
            assert (process.returncode, err.count(b"\n")) == (0, 1), err
    names = sorted(file.name for file in (home / Section.COMPILED).iterdir())
    assert len(names) == 2
    assert not any(name.startswith(".") for name in names)


@pytest.fixture
def saved(path: Path, tiny: Chip, tmp_path: Path) -> Path:
    save_bundle(open_bundle(path, tiny, CONTEXT, prefill=False, cache=None), tmp_path / "saved")
    return tmp_path / "saved"


def test_what_was_proven_is_not_proven_again(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = LLM(saved).generate("hello", 4)

    def link(*_: object) -> None:
        raise AssertionError("proven again")

    monkeypatch.setattr(device, "link", link)
    assert LLM(saved).generate("hello", 4) == first
    with pytest.raises(AssertionError, match="proven again"):
        LLM(saved, cache=None)


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_damaged_proof_is_made_anew(saved: Path, home: Path, place: float) -> None:
    first = LLM(saved).generate("hello", 4)
    for proof in (home / Section.PROVEN).iterdir():
        data = bytearray(proof.read_bytes())
        data[int(place * (len(data) - 1))] ^= 1
        proof.write_bytes(data)
    assert LLM(saved).generate("hello", 4) == first


def test_an_edited_program_is_proven_again(saved: Path, tmp_path: Path) -> None:
    """One word of one queue, saved with true hashes, after the program it was made from has been proven."""
    LLM(saved).generate("hello", 4)
    bundle = load_bundle(saved)
    for name, program in bundle.deployment.programs.items():
        records = program.queues["vxm.alu0"].copy()
        reads = np.flatnonzero(np.isin(records["a"]["kind"], [1, 2]))
        records["a"]["index"][reads[0]] ^= 4
        programs = {
            **bundle.deployment.programs,
            name: replace(program, queues={**program.queues, "vxm.alu0": records}),
        }
        save_bundle(replace(bundle, deployment=replace(bundle.deployment, programs=programs)), tmp_path / name)
        read = load_bundle(tmp_path / name, late=True).deployment
        with pytest.raises(LinkError):
            Cache().prove(read.programs[name], read.chip)
    with pytest.raises(LinkError):
        LLM(tmp_path / "decode-16")


def test_a_program_that_was_changed_in_memory_is_proven_again(saved: Path, tiny: Chip) -> None:
    bundle = load_bundle(saved)
    program = bundle.deployment.programs["decode-16"]
    Cache().prove(program, tiny)
    with pytest.raises(LinkError, match="takes"):
        Cache().prove(replace(program, length_cycles=program.length_cycles + 1), tiny)
    with pytest.raises(LinkError, match="another chip"):
        Cache().prove(program, tiny.with_fields({"clock_mhz": 900}))


def test_another_version_of_link_proves_again(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LLM(saved)
    monkeypatch.setattr(caching, "sources_sha256", lambda *parts: "0")
    proven: list[object] = []
    link = device.link
    monkeypatch.setattr(device, "link", lambda *given: proven.append(given) or link(*given))
    LLM(saved)
    assert len(proven) == 1


def test_errors_are_those_of_building(path: Path, tiny: Chip, tmp_path: Path, home: Path) -> None:
    for bad, message in ((tmp_path / "none.gguf", "no such file"), (tmp_path, "is no deployment")):
        with pytest.raises(InputError, match=message):
            open_bundle(bad, tiny, CONTEXT)
    with pytest.raises(InputError, match="must be a positive multiple"):
        open_bundle(path, tiny, 17)
    assert not list((home / Section.COMPILED).iterdir())
    assert building.build(path, tiny, CONTEXT, prefill=False).origin.model_sha256
