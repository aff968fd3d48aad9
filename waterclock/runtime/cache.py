"""Cache: what was compiled and proven before is not compiled and proven again.

A bundle is kept under a hash of all that it is compiled from (`waterclock.runtime.compile_key`), a proven program under
a hash of all that it is and of the sources of link and of the machine. What is found is checked before it is used, and
made anew where it is damaged; where nothing can be kept, nothing is.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from waterclock.atomic import write_atomically
from waterclock.chip import Chip
from waterclock.errors import InputError, WaterclockError
from waterclock.frontends.model_path import find_model
from waterclock.isa.program import Program
from waterclock.kept import CacheError, Section, directory, entries, keep, kept, mark_used, prune, remove
from waterclock.quantize.scheme import Scheme
from waterclock.runtime.bundle import Bundle, Phase, silent
from waterclock.runtime.compile_key import CompileKey, compile_key, nearest, read_key
from waterclock.runtime.deployment_file import load_bundle, save_bundle
from waterclock.runtime.device import proven
from waterclock.runtime.tensor_file import file_sha256
from waterclock.simulator.link import Linked, every_run, link, rebuild_every_run
from waterclock.simulator.machine import Ready, ready_from_arrays, ready_to_arrays
from waterclock.sources import sources_sha256

PROVER_PARTS = ("chip", "numerics", "isa", "simulator")
"""What of the package decides whether a program is proven, and what a machine runs of it."""
KEY_SUFFIX, PROOF_SUFFIX = ".json", ".tapes"
SHOWN_DIFFERENCES = 3
SHOWN_CHARACTERS = 12

Note = Callable[[str], None]
"""Told in one line what was found or why something was made anew."""


@dataclass(frozen=True)
class Cache:
    """What is kept from one process to the next in the cache directory (`waterclock.kept`)."""

    note: Note = silent
    _said: set[str] = field(default_factory=set[str], compare=False)

    def bundle(
        self, reference: str | Path, chip: Chip, context: int, phase: Phase = silent, *, prefill: bool = True
    ) -> Bundle:
        """The bundle that was kept of a model, or that is built and kept now; errors as from `build`."""
        path = find_model(reference)
        try:
            place = directory(Section.COMPILED)
        except CacheError as error:
            told = f"not used: {error}"
            return _built(path, chip, context, phase, lambda: self._say_once(told), prefill=prefill)
        phase("hashing")
        key = compile_key(_model_sha256(path), chip, context, Scheme(), prefill=prefill)
        found = self._found(key, place, phase)
        if isinstance(found, Bundle):
            self.note(f"used what was compiled before, {key.sha256[:SHOWN_CHARACTERS]}")
            return found
        told = f"compiling, which may take a minute: {found}"
        bundle = _built(path, chip, context, phase, lambda: self.note(told), prefill=prefill)
        phase("keeping")
        return self._kept(bundle, key, place)

    def prove(self, program: Program, chip: Chip) -> Ready:
        """The program, ready to run: proven before in just these bytes by these sources, or proven now.

        LinkError where its proof fails.
        """
        try:
            path = _proof(program, chip)
        except CacheError as error:
            self._say_once(f"not used: {error}")
            return proven(program, chip)
        if path is None:
            return proven(program, chip)
        if (data := kept(path)) is not None:
            with suppress(SafetensorError, InputError, KeyError, ValueError):  # then it is proven anew
                return ready_from_arrays(load_tensors(data), program, chip)
        ready = proven(program, chip)
        with suppress(InputError):  # a full disk costs the next start some time, and this one nothing
            keep(path, save_tensors(ready_to_arrays(ready)))
        return ready

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.note(text)

    def _found(self, key: CompileKey, place: Path, phase: Phase) -> Bundle | str:
        """The bundle that was kept under a key, or why there is none."""
        folder = place / key.sha256
        if not os.path.lexists(folder):
            return _why_not(key)
        phase("loading")
        try:
            if folder.is_symlink():
                raise InputError(f"{folder}: is a link")
            bundle = load_bundle(folder, late=True)
            _check_is_of(bundle, key, folder)
        except WaterclockError as error:
            remove(folder)
            return f"what was kept is damaged: {error}"
        mark_used(folder)
        return bundle

    def _kept(self, bundle: Bundle, key: CompileKey, place: Path) -> Bundle:
        """The bundle as it was read again after it was kept, so that it is known by its hash; else itself."""
        folder, note = place / key.sha256, place / f"{key.sha256}{KEY_SUFFIX}"
        if bundle.origin.model_sha256 != key.model:  # the file was changed while it was read
            return bundle
        try:
            write_atomically(note, key.to_json() + "\n")
            _save_unless_there(bundle, folder)
            prune()
            return load_bundle(folder, late=True)
        except InputError as error:
            self.note(f"not kept: {error}")
            remove(note)
        return bundle


def every_issue(program: Program, chip: Chip, cache: Cache | None) -> Linked:
    """Every issue of a program, and whose value each operand finds: what link has proven, before where the cache knows.

    LinkError where its proof fails.
    """
    if cache is None:
        return every_run(link(program, chip))
    cache.prove(program, chip)
    return rebuild_every_run(program, chip)


def _save_unless_there(bundle: Bundle, folder: Path) -> None:
    try:
        save_bundle(bundle, folder)
    except InputError:
        if not folder.is_dir():  # else another process was faster
            raise


def _built(
    path: Path, chip: Chip, context: int, phase: Phase, accepted: Callable[[], None], *, prefill: bool
) -> Bundle:
    """The bundle; `accepted` is called when nothing is refused any more: what is refused is one line."""
    from waterclock.runtime.build import build  # which loads what is not needed where something is found

    return build(path, chip, context, phase, prefill=prefill, accepted=accepted)


def _model_sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _proof(program: Program, chip: Chip) -> Path | None:
    """Where the proof of a program is kept; None for one that is for another chip, or not as it was stored."""
    if not program.stored_sha256 or program.chip_sha256 != chip.sha256:
        return None
    sha256 = hashlib.sha256(f"{program.stored_sha256} {sources_sha256(*PROVER_PARTS)}".encode()).hexdigest()
    return directory(Section.PROVEN) / f"{sha256}{PROOF_SUFFIX}"


def _why_not(key: CompileKey) -> str:
    """Why nothing is kept under a key: what has changed since the nearest that is."""
    paths = [path for entry in entries() if entry.section is Section.COMPILED for path in entry.paths]
    before = nearest(key, [found for path in paths if path.suffix == KEY_SUFFIX and (found := read_key(path))])
    if before is None:
        return "this model has not been compiled before"
    changes = key.differences(before)
    if not changes:
        return "what was compiled before has been removed"
    more = len(changes) - SHOWN_DIFFERENCES
    shown = ", ".join(changes[:SHOWN_DIFFERENCES]) + (f" and {more} more" if more > 0 else "")
    return f"it has not been compiled like this before ({shown})"


def _check_is_of(bundle: Bundle, key: CompileKey, folder: Path) -> None:
    """InputError where a bundle is of something else than its key says."""
    deployment, origin = bundle.deployment, bundle.origin
    found = compile_key(
        origin.model_sha256, deployment.chip, deployment.max_context, origin.scheme,
        prefill=len(deployment.programs) > 1,
    )  # fmt: skip
    if found != key:
        raise InputError(f"{folder}: is of something else: {', '.join(found.differences(key)) or 'another model'}")
