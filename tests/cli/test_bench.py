"""`waterclock bench`."""

import json
from pathlib import Path


def test_bench_times_every_phase(run, model_path: Path, folder: Path) -> None:
    options = ("--chip", "tiny", "--context", "32", "--tokens", "3", "--json", "--no-cache")
    code, out, err = run("bench", str(model_path), *options)
    assert (code, err) == (0, "")
    seconds = json.loads(out)["seconds"]
    assert set(seconds) == {"loading", "quantizing", "compiling", "linking", "token", "numpy_products"}
    assert all(took > 0 for took in seconds.values())
    _, out, _ = run("bench", str(folder), "--tokens", "3")
    assert "tokens/s" in out
