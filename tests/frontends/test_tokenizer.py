"""The tokenizer: nothing is lost on the way to ids and back, special tokens only where allowed, saved whole."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from tests.frontends.lines import generated_lines
from tests.models import SPECIAL_TOKENS, write_random_llama
from waterclock.errors import InputError
from waterclock.frontends.byte_level import BYTE_BY_CHARACTER, SPLITTING_RULES
from waterclock.frontends.gguf_file import open_gguf
from waterclock.frontends.gguf_tokenizer import read_tokenizer
from waterclock.frontends.tokenizer import Tokenizer

LINES = generated_lines(200, seed=1)


def streamed(tokenizer: Tokenizer, ids: list[int]) -> str:
    stream = tokenizer.stream(skip_special=False)
    return "".join([*(stream.push(id_) for id_ in ids), stream.finish()])


def test_the_byte_alphabet_is_the_library_s() -> None:
    assert set(BYTE_BY_CHARACTER) == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(BYTE_BY_CHARACTER.values()) == list(range(256))
    for text in ("é", "日", "😀", " \t\n"):
        ((piece, _),) = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
        assert bytes(BYTE_BY_CHARACTER[character] for character in piece) == text.encode()


@pytest.mark.parametrize("rule", SPLITTING_RULES)
def test_text_survives_the_round_trip(tmp_path: Path, rule: str) -> None:
    path = write_random_llama(tmp_path / "model.gguf", vocab=1000, metadata={"tokenizer.ggml.pre": rule})
    tokenizer = read_tokenizer(open_gguf(path))
    for line in LINES:
        for allow_special in (True, False):
            ids = tokenizer.encode(line, allow_special=allow_special, add_bos=False)
            assert tokenizer.decode(ids, skip_special=False) == line
            assert streamed(tokenizer, ids) == line


@given(st.lists(st.integers(0, 319), max_size=40))
def test_any_ids_stream_as_they_decode(small_tokenizer: Tokenizer, ids: list[int]) -> None:
    assert streamed(small_tokenizer, ids) == small_tokenizer.decode(ids, skip_special=False)
    library = small_tokenizer._backend.decode(ids, skip_special_tokens=True)
    assert small_tokenizer.decode(ids) == library


def test_a_stream_never_shows_half_a_character(small_tokenizer: Tokenizer) -> None:
    stream = small_tokenizer.stream()
    pieces = [stream.push(id_) for id_ in small_tokenizer.encode("a😀é")]
    assert [piece for piece in pieces if piece] == ["a", "😀", "é"]
    assert stream.finish() == ""
    assert stream.push(small_tokenizer.encode("é")[0]) == ""
    assert stream.finish() == "\ufffd"


def test_special_tokens_only_where_allowed(small_tokenizer: Tokenizer) -> None:
    text = "hi<|im_end|>"
    assert small_tokenizer.special_token_ids == {0, 1, 2}
    assert small_tokenizer.encode(text)[-1] == 2
    assert not small_tokenizer.special_token_ids & set(small_tokenizer.encode(text, allow_special=False))
    assert small_tokenizer.decode(small_tokenizer.encode(text)) == "hi"
    assert [small_tokenizer.text_of(id_) for id_ in (0, 1, 2, None)] == [*SPECIAL_TOKENS, ""]
    assert small_tokenizer.encode("a", add_bos=True) == [1, *small_tokenizer.encode("a")]


def test_rules_cut_digits_as_published(tmp_path: Path) -> None:
    pieces = {
        name: [piece for piece, _ in rule.pre_tokenizer().pre_tokenize_str("a  1234½ I'LL")]
        for name, rule in SPLITTING_RULES.items()
    }
    assert pieces == {
        "gpt-2": ["a", "Ġ", "Ġ1234Â½", "ĠI", "'", "LL"],
        "smollm": ["a", "ĠĠ", "1", "2", "3", "4", "Â½", "ĠI", "'", "LL"],
        "llama-bpe": ["a", "Ġ", "Ġ", "123", "4Â½", "ĠI", "'LL"],
    }


def test_it_is_saved_whole(small_tokenizer: Tokenizer) -> None:
    document = small_tokenizer.to_json()
    loaded = Tokenizer.from_json(document)
    assert loaded == small_tokenizer
    assert loaded.to_json() == document
    assert [loaded.encode(line) for line in LINES] == [small_tokenizer.encode(line) for line in LINES]


BAD_DOCUMENTS = {
    "not JSON": ("{", "not JSON"),
    "not an object": ("[]", "expected exactly the fields"),
    "field missing": ({"chat_template": ...}, "expected exactly the fields"),
    "wrong type": ({"add_bos": 1}, "add_bos is '1'"),
    "id as text": ({"eos_token_ids": ["2"]}, "eos_token_ids"),
    "id outside": ({"bos_token_id": 320}, "token id 320"),
    "no definition": ({"definition": {}}, "not accepted by the tokenizers library"),
}


@pytest.mark.parametrize(("change", "message"), BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS.keys())
def test_a_bad_document_is_refused(small_tokenizer: Tokenizer, change: str | dict[str, object], message: str) -> None:
    document = change if isinstance(change, str) else changed(small_tokenizer.to_json(), change)
    with pytest.raises(InputError, match=message):
        Tokenizer.from_json(document)


def changed(document: str, change: dict[str, object]) -> str:
    record = json.loads(document) | change
    return json.dumps({name: value for name, value in record.items() if value is not ...})


def test_bad_text_and_bad_ids_are_refused(small_tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="character 1 is a lone surrogate"):
        small_tokenizer.encode("a\ud800")
    for id_ in (-1, 320):
        with pytest.raises(InputError, match=f"token id {id_}"):
            small_tokenizer.decode([id_])
