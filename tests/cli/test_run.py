"""`waterclock run`: text on stdout, figures on stderr, and nothing but one line where it can't be."""

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from waterclock import LLM, Sampling
from waterclock.isa.program_file import program_sha256
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.device import Device
from waterclock.simulator.machine import Launched


def test_the_answer_is_on_stdout_and_its_cost_on_stderr(run, folder: Path, prefilling: Bundle) -> None:
    code, out, err = run("run", str(folder), "hello", "--raw", "--max-tokens", "5")
    llm = LLM(prefilling)
    done = llm.generate("hello", max_tokens=5)
    cycles, prompt = llm.device.program.length_cycles, done.cycles[:-4]
    assert (code, out) == (0, f"{done.text}\n")
    assert set(done.cycles[-4:]) == {cycles}
    assert f"{len(done.prompt_tokens)} tokens in, 5 out, ended by length" in err
    assert f"the prompt took {sum(prompt):,} cycles in {len(prompt)} launch" in err
    assert f"then 4 launches {cycles:,} cycles each" in err
    assert f"a token: {cycles:,} cycles, {cycles / 1000:,.1f} us at 1,000 MHz, " in err
    assert f"{1e9 / (cycles + 16):,.0f} tokens/s with a launch gap of 16 cycles" in err
    assert "times the lower bound of" in err


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_an_interrupt_ends_the_line_of_the_answer(
    run, talkative_folder: Path, talkative: Bundle, monkeypatch: pytest.MonkeyPatch, as_json: tuple[str, ...]
) -> None:
    said = LLM(talkative).chat([{"role": "user", "content": "Hi"}], max_tokens=3).text
    feed, fed = Device.feed, list[int]()

    def interrupted(device: Device, token: int, position: int) -> Launched:
        fed.append(token)
        if len(fed) == 3:
            signal.raise_signal(signal.SIGINT)
        return feed(device, token, position)

    monkeypatch.setattr(Device, "feed", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        outcome = run("run", str(talkative_folder), "Hi", *as_json)
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome == (130, "" if as_json else f"{said}\n", "waterclock: interrupted\n")


def test_a_prompt_is_a_message_to_the_model(run, folder: Path, bundle: Bundle) -> None:
    _, out, _ = run("run", str(folder), "Hi", "--json", "--max-tokens", "2")
    assert tuple(json.loads(out)["prompt_tokens"]) == tuple(
        LLM(bundle).chat_prompt([{"role": "user", "content": "Hi"}])
    )


def test_json_is_everything_that_happened_and_the_same_bytes_again(
    run, folder: Path, bundle: Bundle, prefilling: Bundle
) -> None:
    arguments = ("run", str(folder), "hello", "--raw", "--json")
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert run(*arguments)[1] == out
    record, done, (program,) = json.loads(out), LLM(prefilling).generate("hello"), bundle.deployment.programs.values()
    assert (record["text"], tuple(record["tokens"]), tuple(record["cycles"])) == (done.text, done.tokens, done.cycles)
    assert record["finish"] == "context"
    assert record["seed"] is None
    assert record["model"] == {"name": "random", "sha256": bundle.origin.model_sha256}
    assert record["chip"] == {"name": "tiny", "sha256": bundle.deployment.chip.sha256}
    assert record["program"] == {"name": "decode-32", "sha256": program_sha256(program)}
    speed, explanation = record["speed"], bundle.deployment.explanations["decode-32"]
    assert speed["length_cycles"] == program.length_cycles == speed["latency_ns"]
    assert speed["ratio_to_bound"] == program.length_cycles / explanation.bound_cycles >= 1
    assert 0 < speed["mxm_utilization"] < 1


DRAWN = ("--temperature", "1", "--top-k", "200", "--top-p", "0.99", "--min-p", "0.001", "--seed", "7")


def test_the_options_are_those_of_the_api(run, folder: Path, prefilling: Bundle) -> None:
    options = (
        *DRAWN,
        "--repeat-penalty",
        "1.2",
        "--repeat-window",
        "8",
        "--stop",
        "no",
        "--stop",
        "!",
        "--logprobs",
        "3",
    )
    record = json.loads(run("run", str(folder), "hello", "--raw", "--json", *options)[1])
    sampling = Sampling(1.0, 200, 0.99, 0.001, 1.2, 8, 7, 3, (), ("no", "!"))
    done = LLM(prefilling).generate("hello", sampling=sampling)
    assert {name: record[name] for name in asdict(done)} == json.loads(json.dumps(asdict(done)))
    assert {"seed": record["seed"], **record["sampling"]} == json.loads(json.dumps(asdict(sampling)))
    assert len(record["logprobs"]) == len(record["tokens"])
    assert len(record["logprobs"][0]["top"]) == 3


def test_the_same_seed_gives_the_same_tokens_with_any_number_of_threads(run, folder: Path) -> None:
    arguments = ("run", str(folder), "hello", "--raw", "--json", "--logprobs", "5")
    here = run(*arguments, *DRAWN)[1]
    assert json.loads(here)["tokens"] != json.loads(run(*arguments, *DRAWN[:-1], "8")[1])["tokens"]
    for num_threads in ("1", "3"):
        libraries = ("OMP", "NUMBA", "OPENBLAS", "MKL", "RAYON")
        threads = {f"{library}_NUM_THREADS": num_threads for library in libraries}
        command = [sys.executable, "-m", "waterclock.cli", *arguments, *DRAWN, "--threads", num_threads]
        done = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, check=True)
        assert done.stdout == here


def test_a_stop_string_is_not_shown(run, folder: Path) -> None:
    whole = run("run", str(folder), "hello", "--raw")[1].rstrip("\n")
    stop = whole[4:7]
    code, out, err = run("run", str(folder), "hello", "--raw", "--stop", stop)
    assert (code, out) == (0, whole[: whole.index(stop)] + "\n")
    assert "ended by stop" in err


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (None, "prompt: missing; give it as an argument or on stdin"),
        (io.TextIOWrapper(io.BytesIO(b"ab\xff"), encoding="utf-8"), "prompt: not UTF-8 at byte 2"),
        (io.StringIO("ab\udcff"), "prompt: not UTF-8 at character 2"),
    ],
)
def test_a_prompt_that_is_no_text_is_one_line(
    run, folder: Path, monkeypatch: pytest.MonkeyPatch, stdin: object, message: str
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run("run", str(folder)) == (2, "", f"waterclock: {message}\n")


def test_a_model_is_compiled_on_the_way(run, model_path: Path, folder: Path) -> None:
    options = ("hello", "--raw", "--json", "--context", "32")
    assert (
        run("run", str(model_path), *options, "--chip", "tiny", "--no-cache")[1] == run("run", str(folder), *options)[1]
    )


def test_the_prompt_may_come_on_stdin(run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello"))
    code, out, _ = run("run", str(folder), "--json", "--raw")
    assert code == 0
    assert json.loads(out)["prompt"] == "hello"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["MODEL"], "prompt: is empty"),
        (["MODEL", ""], "prompt: is empty"),
        (["MODEL", "hi", "--chip", "none"], "no chip 'none'"),
        (["MODEL", "hi", "--chip", "tiny", "--set", "lanes"], "--set 'lanes': must be FIELD=VALUE"),
        (
            ["MODEL", "hi", "--chip", "tiny", "--set", "mxm.num_reram_tiles=64", "--context", "16"],
            "mxm.num_reram_tiles = 64: the model needs",
        ),
        (
            ["MODEL", "hi", "--chip", "tiny", "--context", "20"],
            "context 20: must be a positive multiple of the chip's 8",
        ),
        (["MODEL", "hi", "--chip", "tiny", "--context", "128"], "context 128: the model was made for up to 64"),
        (["MODEL", "hi", "--chip", "groq-tsp", "--context", "64"], "chip groq-tsp: no resident tiles"),
        (["MODEL", "hi", "--max-tokens", "0"], "--max-tokens"),
        (["MODEL", "hi", "--temperature", "101"], "--temperature"),
        (["MODEL", "hi", "--min-p", "nan"], "--min-p"),
        (["MODEL", "hi", "--repeat-penalty", "0"], "--repeat-penalty"),
        (["MODEL", "hi", "--stop", ""], "stop_strings = ('',): must be"),
        (["no.gguf", "hi"], "model no.gguf: no such file"),
        (["PYTHON", "hi"], "magic"),
        (["EMPTY", "hi"], "is no deployment"),
        (["FOLDER", "hi", "--chip", "demonstrator"], "is for chip tiny"),
        (["FOLDER", "hi", "--context", "64"], "its context is 32, not 64"),
        (["FOLDER", "e" * 50, "--raw"], "prompt: 50 tokens, the context bucket holds 32"),
        (["CHANGED", "hi"], "tokenizer.json: changed"),
    ],
)
def test_what_can_not_run_is_one_line_and_exit_code_2(
    run,
    model_path: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    (tmp_path / "empty").mkdir()
    changed = tmp_path / "changed"
    changed.mkdir()
    for file in folder.iterdir():
        (changed / file.name).write_bytes(file.read_bytes() + (b" " if file.name == "tokenizer.json" else b""))
    places = {"MODEL": model_path, "FOLDER": folder, "PYTHON": Path(__file__), "EMPTY": tmp_path / "empty"}
    paths = {name: str(path) for name, path in {**places, "CHANGED": changed}.items()}
    code, out, err = run("run", *(paths.get(argument, argument) for argument in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("waterclock: ")
    assert err.count("\n") == 1
    assert message in err
