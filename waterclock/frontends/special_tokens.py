"""The begin and end tokens that a GGUF file names."""

from waterclock.frontends.gguf_file import GgufError, GgufFile


def begin_token_id(file: GgufFile) -> int | None:
    """The token that starts a text; raises GgufError if it is outside the vocabulary."""
    return _token_id(file, "tokenizer.ggml.bos_token_id")


def end_token_ids(file: GgufFile) -> tuple[int, ...]:
    """Every token that ends a text or a turn, without repeats; raises GgufError if one is outside the vocabulary."""
    ids = [_token_id(file, f"tokenizer.ggml.{kind}_token_id") for kind in ("eos", "eot", "eom")]
    return tuple(dict.fromkeys(id_ for id_ in ids if id_ is not None))


def _token_id(file: GgufFile, key: str) -> int | None:
    if key not in file.metadata:
        return None
    id_, num_tokens = file.require(key, int), len(file.require_array("tokenizer.ggml.tokens", str))
    if not 0 <= id_ < num_tokens:
        raise GgufError(f"{file.path}: {key} is {id_}, expected that of one of {num_tokens} tokens")
    return id_
