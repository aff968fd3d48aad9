"""Byte-level BPE as GPT-2 defined it: bytes stand in the vocabulary as visible characters."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass

from tokenizers import Regex, pre_tokenizers


def _byte_by_character() -> Mapping[str, int]:
    """Visible Latin-1 bytes stand for themselves, the other bytes for the characters from U+0100 on, in order."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + index): byte for index, byte in enumerate(hidden)}


BYTE_BY_CHARACTER = _byte_by_character()


def token_bytes(token: str) -> bytes:
    """The bytes that a vocabulary entry stands for; an entry outside the alphabet stands for its own text."""
    if any(character not in BYTE_BY_CHARACTER for character in token):
        return token.encode()
    return bytes(BYTE_BY_CHARACTER[character] for character in token)


@dataclass(frozen=True)
class SplittingRule:
    """How text is cut before merging, under its name in `tokenizer.ggml.pre`."""

    name: str
    steps: tuple[pre_tokenizers.PreTokenizer, ...]
    ignore_merges: bool
    """Whether a piece that is a vocabulary entry is taken whole."""
    add_bos: bool
    """Whether a text starts with the begin token where the file does not say."""

    def pre_tokenizer(self) -> pre_tokenizers.PreTokenizer:
        return pre_tokenizers.Sequence(list(self.steps))


_LLAMA3_PATTERN = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
_BYTES_ONLY = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
_DIGITS = pre_tokenizers.Digits(individual_digits=True)
_LLAMA3 = (pre_tokenizers.Split(_LLAMA3_PATTERN, "isolated"), _BYTES_ONLY)

_RULES = (
    SplittingRule("gpt-2", (_GPT2,), ignore_merges=False, add_bos=False),
    SplittingRule("smollm", (_DIGITS, _GPT2), ignore_merges=False, add_bos=False),
    SplittingRule("llama-bpe", _LLAMA3, ignore_merges=True, add_bos=True),
)
"""gpt-2 and llama-bpe: the patterns published with GPT-2 and Llama 3. smollm: SmolLM's own tokenizer.json, which
splits off each digit before the GPT-2 pattern; a GPT-2 tokenizer with its merges cuts blanks before numbers otherwise.
"""

SPLITTING_RULES: Mapping[str, SplittingRule] = {rule.name: rule for rule in _RULES}


class Utf8Stream:
    """Turns a stream of bytes into text, holding back the bytes of an unfinished character."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, data: bytes) -> str:
        """The text that `data` completes."""
        return self._decoder.decode(data)

    def finish(self) -> str:
        """What is left: a replacement character if the stream ends inside a character."""
        return self._decoder.decode(b"", final=True)
