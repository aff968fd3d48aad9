"""Words: where in MEM temporaries and outputs live, once all segments are scheduled."""

from collections.abc import Mapping, Sequence
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
        here = {copy: Word(i) for i, copy in enumerate(copy for copy in outputs if copy.mem == m)}
        objects += _object("outputs", slice_name, base, Role.OUTPUT, by_copy, here)
        temporaries = _share(m, segments)
        size = _size(temporaries)
        objects += _object("temporaries", slice_name, base + len(here), Role.TEMPORARY, by_copy, temporaries)
        placement.check_room("mem.num_words", base + len(here) + size, placement.chip.mem.num_words, slice_name)
    return Words(by_copy, tuple(objects))


@dataclass(frozen=True)
class Word:
    """The word of a copy; if it is kept longer than a token takes to follow, one for each of `num_tokens`."""

    first: int
    num_tokens: int = 1


def _size(words: Mapping[Copy, Word]) -> int:
    return max((word.first + word.num_tokens for word in words.values()), default=0)


def _object(
    kind: str, slice_name: str, base: int, role: Role, by_copy: dict[Copy, Reference], words: Mapping[Copy, Word]
) -> list[Object]:
    if not words:
        return []
    obj = Object(f"{kind}.{slice_name}", slice_name, Space.MEM, base, _size(words), role)
    by_copy.update(
        {copy: reference(obj, word.first, token_stride=int(word.num_tokens > 1)) for copy, word in words.items()}
    )
    return [obj]


def _share(m: int, segments: Sequence[Scheduled]) -> dict[Copy, Word]:
    """A word of MEM slice m for each temporary: the lowest that is free from its write to its last read, in every
    interval. Segments follow one another, so they share words too."""
    words: dict[Copy, Word] = {}
    for scheduled in segments:
        mine = sorted((copy for copy in scheduled.temporaries if copy.mem == m), key=lambda copy: copy.available)
        taken: list[list[Copy]] = []
        lasting = [copy for copy in mine if _cycles(copy) >= scheduled.interval_cycles]
        for copy in mine:
            if _cycles(copy) >= scheduled.interval_cycles:
                continue
            others = (all(not _meet(copy, other, scheduled.interval_cycles) for other in word) for word in taken)
            word = next((w for w, is_free in enumerate(others) if is_free), len(taken))
            taken[word:] = [[*taken[word], copy], *taken[word + 1 :]] if word < len(taken) else [[copy]]
            words[copy] = Word(word)
        num_tokens = scheduled.segment.num_tokens
        words |= {copy: Word(len(taken) + i * num_tokens, num_tokens) for i, copy in enumerate(lasting)}
    return words


def _cycles(copy: Copy) -> int:
    """From the write to the last read."""
    return max(copy.reads) - (copy.available - 1)


def _meet(copy: Copy, other: Copy, interval_cycles: int) -> bool:
    """Whether two copies would be in a word at once, in any interval."""
    apart = (other.available - copy.available) % interval_cycles
    return apart < _cycles(copy) or interval_cycles - apart < _cycles(other) or not apart
