"""LLM: from a file, from a folder, from a bundle, it is the same model."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from waterclock import LLM
from waterclock.chip import Chip
from waterclock.compiler.deployment import Deployment
from waterclock.errors import InputError
from waterclock.quantize import Scheme
from waterclock.runtime.build import origin_of
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.deployment_file import save_bundle
from waterclock.runtime.model import Model


def test_a_folder_runs_without_the_models_file(model_path: Path, tiny: Chip, tmp_path: Path) -> None:
    gguf = Path(shutil.copy(model_path, tmp_path / "copy.gguf"))
    phases: list[str] = []
    fresh = LLM(gguf, chip="tiny", context=16, phase=phases.append, cache=None)
    assert phases == ["loading", "quantizing", "compiling", "linking"]
    save_bundle(fresh.bundle, tmp_path / "folder")
    gguf.unlink()
    saved = LLM(tmp_path / "folder", chip=tiny, context=16)
    assert saved.generate("hello") == fresh.generate("hello") == LLM(fresh.bundle).generate("hello")


def test_a_chat_template_that_is_refused_names_the_model(bundle: Bundle) -> None:
    hostile = replace(bundle, tokenizer=replace(bundle.tokenizer, chat_template="{{ 'a' * 1000000000 }}"))
    with pytest.raises(InputError, match=r"^random: chat template: SecurityError: repeating a text or a list"):
        LLM(hostile).chat([{"role": "user", "content": "Hello"}])


def test_chat_uses_the_models_template(bundle: Bundle) -> None:
    llm = LLM(bundle)
    messages = [{"role": "user", "content": "Hi"}]
    done = llm.chat(messages, max_tokens=3)
    text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert done.prompt_tokens == tuple(bundle.tokenizer.encode(text))
    assert done == llm.generate(text, max_tokens=3)
    assert "".join(step.text for step in llm.stream(text, max_tokens=3)) == done.text


def test_another_chip_or_context_than_the_folders_is_refused(folder: Path, tiny: Chip) -> None:
    with pytest.raises(InputError, match=r"is for chip tiny .* not demonstrator"):
        LLM(folder, chip="demonstrator")
    with pytest.raises(InputError, match=r"is for chip tiny .* not tiny"):
        LLM(folder, chip=tiny.with_fields({"clock_mhz": 900}))
    with pytest.raises(InputError, match="its context is 32, not 64"):
        LLM(folder, context=64)


def test_a_context_beyond_the_models_is_refused(model_path: Path) -> None:
    with pytest.raises(InputError, match="context 128: the model was made for up to 64 positions"):
        LLM(model_path, chip="tiny", context=128)


def test_a_real_model_answers_from_its_folder(
    smollm2_model: Model, smollm2_deployment: Deployment, tmp_path: Path
) -> None:
    bundle = Bundle(smollm2_deployment, smollm2_model.tokenizer, origin_of(smollm2_model, Scheme()))
    save_bundle(bundle, tmp_path / "folder")
    done = LLM(tmp_path / "folder").generate("The capital of France is", max_tokens=2)
    assert done.text == " Paris."
    assert set(done.cycles) == {smollm2_deployment.programs["decode-256"].length_cycles}
