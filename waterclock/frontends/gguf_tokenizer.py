"""The tokenizer in a GGUF file's metadata (`tokenizer.ggml.*`)."""

from tokenizers import AddedToken, decoders, models
from tokenizers import Tokenizer as Backend

from waterclock.frontends.byte_level import SPLITTING_RULES
from waterclock.frontends.gguf_file import GgufError, GgufFile
from waterclock.frontends.special_tokens import begin_token_id, end_token_ids
from waterclock.frontends.tokenizer import Tokenizer, canonical_json

_CONTROL, _USER_DEFINED = 3, 4  # values of tokenizer.ggml.token_type


def read_tokenizer(file: GgufFile) -> Tokenizer:
    """The tokenizer in a GGUF file's metadata; raises GgufError for a kind that is not supported."""
    kind = file.require("tokenizer.ggml.model", str)
    rule_name = file.require("tokenizer.ggml.pre", str)
    if kind != "gpt2":
        raise GgufError(f"{file.path}: tokenizer.ggml.model is {kind!r}, supported is 'gpt2' (byte-level BPE)")
    if rule_name not in SPLITTING_RULES:
        known = ", ".join(SPLITTING_RULES)
        raise GgufError(f"{file.path}: tokenizer.ggml.pre is {rule_name!r}, supported are {known}")
    rule = SPLITTING_RULES[rule_name]
    vocab = {token: id_ for id_, token in enumerate(file.require_array("tokenizer.ggml.tokens", str))}
    backend = Backend(models.BPE(vocab=vocab, merges=_merges(file, vocab), ignore_merges=rule.ignore_merges))
    backend.pre_tokenizer = rule.pre_tokenizer()
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens(_added_tokens(file))  # pyright: ignore[reportUnknownMemberType]: bare list in its stub
    return Tokenizer(
        definition=canonical_json(backend.to_str()),
        add_bos=file.optional("tokenizer.ggml.add_bos_token", bool, rule.add_bos),
        bos_token_id=begin_token_id(file),
        eos_token_ids=end_token_ids(file),
        chat_template=file.optional("tokenizer.chat_template", str, "") or None,
    )


def _merges(file: GgufFile, vocab: dict[str, int]) -> list[tuple[str, str]]:
    if len(vocab) != len(file.require_array("tokenizer.ggml.tokens", str)):
        raise GgufError(f"{file.path}: tokenizer.ggml.tokens holds an entry twice")
    merges: list[tuple[str, str]] = []
    for index, merge in enumerate(file.require_array("tokenizer.ggml.merges", str)):
        left, _, right = merge.partition(" ")
        if not {left, right, left + right} <= vocab.keys():
            raise GgufError(f"{file.path}: tokenizer.ggml.merges[{index}] is {merge!r}: not in the vocabulary")
        merges.append((left, right))
    return merges


def _added_tokens(file: GgufFile) -> list[AddedToken]:
    tokens = file.require_array("tokenizer.ggml.tokens", str)
    types = file.require_array("tokenizer.ggml.token_type", int)
    if len(tokens) != len(types):
        raise GgufError(f"{file.path}: tokenizer.ggml.token_type has {len(types)} entries for {len(tokens)} tokens")
    return [
        AddedToken(token, special=type_ == _CONTROL, normalized=False)
        for token, type_ in zip(tokens, types, strict=True)
        if type_ in (_CONTROL, _USER_DEFINED)
    ]
