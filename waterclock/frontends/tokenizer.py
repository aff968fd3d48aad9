"""Text to token ids and back.

The merging is done by the `tokenizers` library from its own JSON definition, so that a tokenizer can come from a GGUF
file's metadata or from a `tokenizer.json`, and is saved whole. Decoding works on bytes: a stream of tokens never shows
half a character.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, cast

from tokenizers import Tokenizer as Backend
from tokenizers import decoders

from waterclock.errors import InputError
from waterclock.frontends.byte_level import Utf8Stream, token_bytes


@dataclass(frozen=True)
class Tokenizer:
    """A byte-level BPE tokenizer; `definition` is the JSON document of the `tokenizers` library."""

    definition: str
    add_bos: bool
    bos_token_id: int | None
    eos_token_ids: tuple[int, ...]
    chat_template: str | None

    def encode(self, text: str, *, allow_special: bool = True, add_bos: bool | None = None) -> list[int]:
        """Token ids of `text`; raises InputError for text that has no UTF-8 form.

        With `allow_special` False a special token's name in `text` is plain text: use it for text of strangers.
        `add_bos` overrides whether the begin token comes first. Bytes that the vocabulary lacks are left out, as the
        model's own tokenizer does.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"text: character {error.start} is a lone surrogate, which UTF-8 cannot hold") from error
        backend = self._backend if allow_special else self._plain_backend
        ids = backend.encode(text, add_special_tokens=False).ids
        starts = self.add_bos if add_bos is None else add_bos
        return [self.bos_token_id, *ids] if starts and self.bos_token_id is not None else ids

    def decode(self, ids: Iterable[int], *, skip_special: bool = True) -> str:
        """The text of token ids; bytes that are no UTF-8 become U+FFFD; raises InputError for an unknown id."""
        return b"".join(self.bytes_of(id_, skip_special=skip_special) for id_ in ids).decode(errors="replace")

    def bytes_of(self, token_id: int, *, skip_special: bool = True) -> bytes:
        """The bytes of one token, none for a special token that is skipped; raises InputError for an unknown id."""
        if token_id not in self._token_by_id:
            raise InputError(f"token id {token_id}: expected 0 to {self.vocab_size - 1}")
        if token_id in self._added_by_id:
            is_skipped = skip_special and token_id in self.special_token_ids
            return b"" if is_skipped else self._added_by_id[token_id].encode()
        return token_bytes(self._token_by_id[token_id])

    def stream(self, *, skip_special: bool = True) -> "TokenStream":
        """A decoder for tokens that come one by one."""
        return TokenStream(self, skip_special)

    @property
    def vocab_size(self) -> int:
        return 1 + max(self._token_by_id)

    @cached_property
    def special_token_ids(self) -> frozenset[int]:
        """Tokens that are no text: markers of turns and documents."""
        added = self._backend.get_added_tokens_decoder()
        return frozenset(id_ for id_, token in added.items() if token.special)

    def text_of(self, token_id: int | None) -> str:
        """A token's own text, special or not, as chat templates need it; empty for None."""
        return "" if token_id is None else self.decode([token_id], skip_special=False)

    def to_json(self) -> str:
        """The whole tokenizer as one JSON document, the same bytes for the same tokenizer."""
        return _dump(asdict(self) | {"definition": json.loads(self.definition)})

    @classmethod
    def from_json(cls, document: str) -> "Tokenizer":
        """The tokenizer that `to_json` wrote; raises InputError naming the bad field."""
        return _from_document(_parse(document))

    @cached_property
    def _backend(self) -> Backend:
        return _load_backend(self.definition)

    @cached_property
    def _plain_backend(self) -> Backend:
        backend = _load_backend(self.definition)
        backend.encode_special_tokens = True
        return backend

    @cached_property
    def _token_by_id(self) -> dict[int, str]:
        return {id_: token for token, id_ in self._backend.get_vocab().items()} | self._added_by_id

    @cached_property
    def _added_by_id(self) -> dict[int, str]:
        """Tokens that stand for their own text."""
        return {id_: token.content for id_, token in self._backend.get_added_tokens_decoder().items()}


def canonical_json(document: str) -> str:
    """The same JSON document in the one form that equal tokenizers share."""
    return _dump(json.loads(document))


class TokenStream:
    """Decodes tokens one by one into whole characters."""

    def __init__(self, tokenizer: Tokenizer, skip_special: bool) -> None:
        self._tokenizer = tokenizer
        self._skip_special = skip_special
        self._characters = Utf8Stream()

    def push(self, token_id: int) -> str:
        """The text that this token completes, possibly none."""
        return self._characters.push(self._tokenizer.bytes_of(token_id, skip_special=self._skip_special))

    def finish(self) -> str:
        """What an unfinished character leaves behind."""
        return self._characters.finish()


def _load_backend(definition: str) -> Backend:
    try:
        backend = Backend.from_str(definition)
    except Exception as error:  # the library raises plain Exception
        raise InputError(f"tokenizer: definition is not accepted by the tokenizers library: {error}") from error
    if backend.get_vocab_size() == 0:
        raise InputError("tokenizer: definition has no vocabulary")
    if not isinstance(backend.decoder, decoders.ByteLevel):
        raise InputError(f"tokenizer: decoder is {type(backend.decoder).__name__}, supported is ByteLevel")
    return backend


_FIELD_TYPES = {
    "definition": (dict,),
    "add_bos": (bool,),
    "bos_token_id": (int, type(None)),
    "eos_token_ids": (list,),
    "chat_template": (str, type(None)),
}


def _parse(document: str) -> dict[str, Any]:
    try:
        record = json.loads(document)
    except json.JSONDecodeError as error:
        raise InputError(f"tokenizer: not JSON: {error}") from error
    expected = [field.name for field in fields(Tokenizer)]
    if not isinstance(record, dict) or sorted(cast(dict[str, Any], record)) != sorted(expected):
        raise InputError(f"tokenizer: expected exactly the fields {', '.join(expected)}")
    return cast(dict[str, Any], record)


def _from_document(record: dict[str, Any]) -> Tokenizer:
    for name, types in _FIELD_TYPES.items():
        if type(record[name]) not in types:
            raise InputError(f"tokenizer: {name} is {str(record[name])[:64]!r}: wrong type")
    if any(type(id_) is not int for id_ in record["eos_token_ids"]):
        raise InputError(f"tokenizer: eos_token_ids is {record['eos_token_ids']}, expected token ids")
    tokenizer = Tokenizer(
        definition=_dump(record["definition"]),
        add_bos=record["add_bos"],
        bos_token_id=record["bos_token_id"],
        eos_token_ids=tuple(record["eos_token_ids"]),
        chat_template=record["chat_template"],
    )
    for id_ in (tokenizer.bos_token_id, *tokenizer.eos_token_ids):
        tokenizer.text_of(id_)  # raises for an id outside the vocabulary
    return tokenizer


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
