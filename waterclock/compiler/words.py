"""Words: where in MEM temporaries and outputs live, once all segments are scheduled."""

from collections.abc import Sequence
from dataclasses import dataclass

from waterclock.compiler.issues import Copy, Scheduled
from waterclock.compiler.place import Placement, reference
from waterclock.compiler.tileops import Reference
from waterclock.isa.program import Object, Role, Space


@dataclass(frozen=True)
class Words:
    """The word of every copy that has no home of its own."""

    by_copy: dict[Copy, Reference]
    objects: tuple[Object, ...]


def assign_words(segments: Sequence[Scheduled], placement: Placement) -> Words:
    """Outputs keep a word each; temporaries share words, one after another. Raises InputError where words run out."""
    by_copy: dict[Copy, Reference] = {}
    objects: list[Object] = []
    outputs = [copy for scheduled in segments for copy in scheduled.outputs]
    for m, slice_name in enumerate(placement.mems):
        base = placement.free_word(slice_name)
        here = [copy for copy in outputs if copy.mem == m]
        words = {copy: i for i, copy in enumerate(here)}
        objects += _object("outputs", slice_name, base, len(here), Role.OUTPUT, by_copy, words)
        temporaries = _share(m, segments)
        size = 1 + max(temporaries.values(), default=-1)
        objects += _object("temporaries", slice_name, base + len(here), size, Role.TEMPORARY, by_copy, temporaries)
        placement.check_room("mem.num_words", base + len(here) + size, placement.chip.mem.num_words, slice_name)
    return Words(by_copy, tuple(objects))


def _object(
    kind: str, slice_name: str, base: int, size: int, role: Role, by_copy: dict[Copy, Reference], words: dict[Copy, int]
) -> list[Object]:
    if not size:
        return []
    obj = Object(f"{kind}.{slice_name}", slice_name, Space.MEM, base, size, role)
    by_copy.update({copy: reference(obj, word) for copy, word in words.items()})
    return [obj]


def _share(m: int, segments: Sequence[Scheduled]) -> dict[Copy, int]:
    """A word of MEM slice m for each temporary: the lowest that is free from its write to its last read. Segments
    follow one another, so they share words too."""
    words: dict[Copy, int] = {}
    for scheduled in segments:
        mine = sorted((copy for copy in scheduled.temporaries if copy.mem == m), key=lambda copy: copy.available)
        free_at: list[int] = []
        for copy in mine:
            word = next((w for w, t in enumerate(free_at) if t < copy.available), len(free_at))
            free_at[word : word + 1] = [max(copy.reads)]
            words[copy] = word
    return words
