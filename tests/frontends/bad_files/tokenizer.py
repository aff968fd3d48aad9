"""Files whose model is right and whose tokenizer is not."""

from functools import partial

from tests.frontends.bad_files.bad_file import BadFile, BadFiles
from tests.frontends.gguf_bytes import MERGES, METADATA, TOKENS, VOCAB, Value, llama_bytes

GGML = "tokenizer.ggml."
TYPES = METADATA[f"{GGML}token_type"]
assert isinstance(TYPES, list)

WRONG: tuple[tuple[str, Value | None, str], ...] = (
    ("model", None, "metadata tokenizer.ggml.model is missing"),
    ("model", "llama", "model is 'llama', supported is 'gpt2'"),
    ("model", 1, "model is 1, expected str"),
    ("pre", None, "metadata tokenizer.ggml.pre is missing"),
    ("pre", "default", "pre is 'default', supported are gpt-2, smollm, llama-bpe"),
    ("pre", "x" * 100_000, "pre is 'xxxxxxxx"),
    ("tokens", None, "metadata tokenizer.ggml.tokens is missing"),
    ("tokens", "a b c", "metadata tokenizer.ggml.tokens is missing or no array of str"),
    ("tokens", [1, 2, 3], "metadata tokenizer.ggml.tokens is missing or no array of str"),
    ("tokens", [], "bos_token_id is 1, expected that of one of 0 tokens"),
    ("tokens", TOKENS[:-1], "shape of token_embd.weight is (300, 8), expected (299, 8)"),
    ("tokens", [*TOKENS[:-1], TOKENS[5]], f"tokens[{VOCAB - 1}] is {TOKENS[5]!r}: the same as tokens[5]"),
    ("tokens", ["x"] * VOCAB, "tokens[1] is 'x': the same as tokens[0]"),
    ("token_type", None, "metadata tokenizer.ggml.token_type is missing or no array of int"),
    ("token_type", TYPES[1:], "token_type has 299 entries for 300 tokens"),
    ("token_type", [*TYPES, 1], "token_type has 301 entries for 300 tokens"),
    ("token_type", ["1"] * VOCAB, "metadata tokenizer.ggml.token_type is missing or no array of int"),
    ("token_type", [7, *TYPES[1:]], "token_type[0] is 7, expected 0 to 6"),
    ("token_type", [*TYPES[1:], 2**32 - 1], "token_type[299] is 4294967295, expected 0 to 6"),
    ("merges", None, "metadata tokenizer.ggml.merges is missing or no array of str"),
    ("merges", [1], "metadata tokenizer.ggml.merges is missing or no array of str"),
    ("merges", [*MERGES[:-1], "ab"], "merges[40] is 'ab': expected two tokens with a blank between them"),
    ("merges", ["", *MERGES[1:]], "merges[0] is '': expected two tokens"),
    ("merges", [" ", *MERGES[1:]], "merges[0] is ' ': expected two tokens"),
    ("merges", [" e", *MERGES[1:]], "merges[0] is ' e': expected two tokens"),
    ("merges", ["e ", *MERGES[1:]], "merges[0] is 'e ': expected two tokens"),
    ("merges", ["a b c", *MERGES[1:]], "merges[0] is 'a b c': expected two tokens"),
    ("merges", ["Z Z", *MERGES[1:]], "merges[0] is 'Z Z': not in the vocabulary"),
    ("merges", ["日 本", *MERGES[1:]], "merges[0] is '日 本': not in the vocabulary"),
    ("merges", [*MERGES, MERGES[0]], f"merges[41] is {MERGES[0]!r}: the same as merges[0]"),
    ("add_bos_token", 1, "add_bos_token is 1, expected bool"),
    ("add_bos_token", "true", "add_bos_token is 'true', expected bool"),
)
TEMPLATE = "tokenizer.chat_template"

TOKENIZERS: BadFiles = {
    **{
        f"{key}, {index}": BadFile(partial(llama_bytes, {GGML + key: value}), words)
        for index, (key, value, words) in enumerate(WRONG)
    },
    "no token to begin with": BadFile(
        partial(llama_bytes, {f"{GGML}add_bos_token": True, f"{GGML}bos_token_id": None}),
        "tokenizer.ggml.bos_token_id is missing",
    ),
    "no token to begin with, by the rule": BadFile(
        partial(llama_bytes, {f"{GGML}pre": "llama-bpe", f"{GGML}add_bos_token": None, f"{GGML}bos_token_id": None}),
        "tokenizer.ggml.bos_token_id is missing",
    ),
    "template as number": BadFile(partial(llama_bytes, {TEMPLATE: 1}), f"{TEMPLATE} is 1, expected str"),
    "template as array": BadFile(partial(llama_bytes, {TEMPLATE: ["x"]}), f"{TEMPLATE} is an array of 1, expected str"),
}
