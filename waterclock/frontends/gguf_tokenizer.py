"""The tokenizer in a GGUF file's metadata (`tokenizer.ggml.*`)."""

from tokenizers import AddedToken, decoders, models
from tokenizers import Tokenizer as Backend

from waterclock.frontends.byte_level import SPLITTING_RULES
from waterclock.frontends.gguf_file import GgufError, GgufFile
from waterclock.frontends.printable import shown
from waterclock.frontends.special_tokens import begin_token_id, end_token_ids
from waterclock.frontends.tokenizer import Tokenizer, canonical_json

_CONTROL, _USER_DEFINED = 3, 4
TOKEN_TYPES = range(7)
"""tokenizer.ggml.token_type: undefined, normal, unknown, control, user-defined, unused, byte (ggml's llama.h)."""


def read_tokenizer(file: GgufFile) -> Tokenizer:
    """The tokenizer in a GGUF file's metadata; raises GgufError for a kind that is not supported."""
    kind = file.require("tokenizer.ggml.model", str)
    rule_name = file.require("tokenizer.ggml.pre", str)
    if kind != "gpt2":
        raise GgufError(f"{file.path}: tokenizer.ggml.model is {shown(kind)}, supported is 'gpt2' (byte-level BPE)")
    if rule_name not in SPLITTING_RULES:
        known = ", ".join(SPLITTING_RULES)
        raise GgufError(f"{file.path}: tokenizer.ggml.pre is {shown(rule_name)}, supported are {known}")
    rule = SPLITTING_RULES[rule_name]
    vocab = _vocab(file)
    backend = Backend(models.BPE(vocab=vocab, merges=_merges(file, vocab), ignore_merges=rule.ignore_merges))
    backend.pre_tokenizer = rule.pre_tokenizer()
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens(_added_tokens(file))  # pyright: ignore[reportUnknownMemberType]: bare list in its stub
    bos_token_id, add_bos = begin_token_id(file), file.optional("tokenizer.ggml.add_bos_token", bool, rule.add_bos)
    if add_bos and bos_token_id is None:
        raise GgufError(f"{file.path}: tokenizer.ggml.bos_token_id is missing, and a text is to begin with it")
    return Tokenizer(
        definition=canonical_json(backend.to_str()),
        add_bos=add_bos,
        bos_token_id=bos_token_id,
        eos_token_ids=end_token_ids(file),
        chat_template=file.optional("tokenizer.chat_template", str, "") or None,
    )


def _vocab(file: GgufFile) -> dict[str, int]:
    vocab: dict[str, int] = {}
    for index, token in enumerate(file.require_array("tokenizer.ggml.tokens", str)):
        if vocab.setdefault(token, index) != index:
            raise GgufError(
                f"{file.path}: tokenizer.ggml.tokens[{index}] is {shown(token)}: the same as tokens[{vocab[token]}]"
            )
    return vocab


def _merges(file: GgufFile, vocab: dict[str, int]) -> list[tuple[str, str]]:
    """Pairs of tokens, the first to be merged first."""
    merges: dict[tuple[str, str], int] = {}
    for index, merge in enumerate(file.require_array("tokenizer.ggml.merges", str)):
        left, _, right = merge.partition(" ")
        if not left or not right or " " in right:
            raise _merge_error(file, index, merge, "expected two tokens with a blank between them")
        if not {left, right, left + right} <= vocab.keys():
            raise _merge_error(file, index, merge, "not in the vocabulary")
        if merges.setdefault((left, right), index) != index:
            raise _merge_error(file, index, merge, f"the same as merges[{merges[left, right]}]")
    return list(merges)


def _merge_error(file: GgufFile, index: int, merge: str, reason: str) -> GgufError:
    return GgufError(f"{file.path}: tokenizer.ggml.merges[{index}] is {shown(merge)}: {reason}")


def _added_tokens(file: GgufFile) -> list[AddedToken]:
    tokens = file.require_array("tokenizer.ggml.tokens", str)
    types = file.require_array("tokenizer.ggml.token_type", int)
    if len(tokens) != len(types):
        raise GgufError(f"{file.path}: tokenizer.ggml.token_type has {len(types)} entries for {len(tokens)} tokens")
    for index, type_ in enumerate(types):
        if type_ not in TOKEN_TYPES:
            raise GgufError(f"{file.path}: tokenizer.ggml.token_type[{index}] is {type_}, expected 0 to 6")
    return [
        AddedToken(token, special=type_ == _CONTROL, normalized=False)
        for token, type_ in zip(tokens, types, strict=True)
        if type_ in (_CONTROL, _USER_DEFINED)
    ]
