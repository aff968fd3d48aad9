"""Damaged copies of small good GGUF files, the same for the same seed."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, islice

from tests.frontends.gguf_bytes import llama_bytes
from tests.frontends.tiny_gguf import TinyGguf
from tests.ggml_blocks import BLOCK_FORMATS
from tests.models import CHAT_TEMPLATE

BYTES = (0, 1, 2, 0x20, 0x7B, 0x7C, 0x7D, 0x7F, 0x80, 0xFC, 0xFF)
FLOATS = (0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x7F80_0001, 0x8000_0000, 0x3F7F_FFFF, 0x7F7F_FFFF)
SMALL = (0, 1, 2, 3, 4, 5, 7, 8, 31, 32, 33, 255, 256)
LARGE = (2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
TEMPLATE_BYTES = b" '\"{}%()[]|~+-*=.,:0129abcefilmnorstx_<>\n"


@dataclass(frozen=True)
class Mutant:
    """A damaged file, how it came about, and the good one that it was."""

    kind: str
    base: TinyGguf
    data: bytes


def good_files() -> list[TinyGguf]:
    """One of each type, the half of them with room between tensors."""
    gaps = cycle((0, 96))
    return [TinyGguf(llama_bytes(down_type=type_, gap_bytes=next(gaps))) for type_ in BLOCK_FORMATS]


def mutants(count: int, seed: int) -> Iterator[Mutant]:
    """`count` of them, each kind and each good file in turn."""
    rng = random.Random(seed)
    bases, kinds = good_files(), cycle(KINDS.items())
    for kind, mutate in islice(kinds, count):
        base = rng.choice(bases)
        yield Mutant(kind, base, mutate(rng, base))


def _some_byte(rng: random.Random) -> int:
    return rng.choice(BYTES) if rng.random() < 0.5 else rng.randrange(256)


def _with_bytes(rng: random.Random, base: TinyGguf, first: int, end: int) -> bytes:
    data = bytearray(base.data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        data[rng.randrange(first, end)] = _some_byte(rng)
    return bytes(data)


def _header_bytes(rng: random.Random, base: TinyGguf) -> bytes:
    return _with_bytes(rng, base, 0, base.data_start)


def _data_bytes(rng: random.Random, base: TinyGguf) -> bytes:
    return _with_bytes(rng, base, base.data_start, len(base.data))


def _template_bytes(rng: random.Random, base: TinyGguf) -> bytes:
    data, start = bytearray(base.data), base.data.index(CHAT_TEMPLATE.encode())
    for _ in range(rng.choice((1, 1, 2, 3))):
        data[start + rng.randrange(len(CHAT_TEMPLATE))] = rng.choice(TEMPLATE_BYTES)
    return bytes(data)


def _one_number(rng: random.Random, base: TinyGguf) -> bytes:
    """A value, a count, a size, a type or an offset; rather one before or behind the tokens than one of theirs."""
    places = base.places if rng.random() < 0.3 else [*base.places[:60], *base.places[-120:]]
    at, width = rng.choice(places)
    old = int.from_bytes(base.data[at : at + width], "little")
    number = rng.choice((*FLOATS, *SMALL, *LARGE, old - 1, old + 1, 2 * old, -old, rng.getrandbits(8 * width)))
    return base.data[:at] + (number % (1 << 8 * width)).to_bytes(width, "little") + base.data[at + width :]


def _copied_text(rng: random.Random, base: TinyGguf) -> bytes:
    """A key, a name or a token is another one of its length."""
    source, length = rng.choice(base.texts if rng.random() < 0.3 else [*base.texts[:40], *base.texts[-11:]])
    target = rng.choice([at for at, other in base.texts if other == length])
    return base.data[:target] + base.data[source : source + length] + base.data[target + length :]


def _spliced(rng: random.Random, base: TinyGguf) -> bytes:
    """A piece of the file lies over another place of the same size."""
    length = rng.choice((4, 8, 32, 200, 2000))
    source, target = (rng.randrange(len(base.data) - length) for _ in range(2))
    return base.data[:target] + base.data[source : source + length] + base.data[target + length :]


def _shifted(rng: random.Random, base: TinyGguf) -> bytes:
    """Some bytes are missing, or there twice."""
    at, length = rng.randrange(len(base.data)), rng.choice((1, 2, 4, 8, 32, 100))
    return base.data[:at] + base.data[at + (length if rng.random() < 0.5 else -min(at, length)) :]


def _cut(rng: random.Random, base: TinyGguf) -> bytes:
    end = len(base.data) if rng.random() < 0.5 else base.data_start
    return base.data[: rng.randrange(end)]


def _grown(rng: random.Random, base: TinyGguf) -> bytes:
    return base.data + rng.randbytes(rng.randrange(1, 300))


KINDS: Mapping[str, Callable[[random.Random, TinyGguf], bytes]] = {
    "header bytes": _header_bytes,
    "one number": _one_number,
    "copied text": _copied_text,
    "data bytes": _data_bytes,
    "template bytes": _template_bytes,
    "splice": _spliced,
    "shift": _shifted,
    "truncation": _cut,
    "growth": _grown,
}
