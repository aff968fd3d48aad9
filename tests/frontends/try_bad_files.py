"""Opens every file of the registry under a limit of memory and says, as JSON, what became of each.

Run in a process of its own: `python -m tests.frontends.try_bad_files FOLDER`. A file goes the whole way that a chat
takes: the model is loaded and its template rendered.
"""

import hashlib
import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from tests.frontends.bad_files import BAD_FILES
from tests.frontends.bad_files.bad_file import BadFile
from waterclock.errors import InputError
from waterclock.frontends.chat_template import read_chat_template
from waterclock.runtime.model import load_model

MAX_MEMORY_BYTES = 2 << 30
MESSAGES = [{"role": "user", "content": "Hello"}]


def write(bad: BadFile, path: Path) -> None:
    path.write_bytes(bad.make())
    if bad.sparse_bytes:
        os.truncate(path, bad.sparse_bytes)


def load_and_chat(path: Path) -> str:
    """The prompt that a first message makes; what is bad raises InputError on the way."""
    return read_chat_template(load_model(path).tokenizer, str(path)).render(MESSAGES)


def attempt(path: Path) -> dict[str, Any]:
    """What loading the file raises, and how much processor time and memory it takes."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak of resident memory counts from here
    start = time.process_time()
    refusal = refusal_of(path)
    return {**refusal, "seconds": time.process_time() - start, "peak_bytes": peak_bytes()}


def refusal_of(path: Path) -> dict[str, Any]:
    try:
        load_and_chat(path)
    except BaseException as error:  # whatever it is, the test shall say it
        return {"kind": type(error).__name__, "is_input_error": isinstance(error, InputError), "message": str(error)}
    return {"kind": "accepted", "is_input_error": False, "message": ""}


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def main(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    warnings.simplefilter("error")
    for name, bad in BAD_FILES.items():
        path = folder / "bad.gguf"
        write(bad, path)
        sha256 = hashlib.sha256(b"%d %s" % (path.stat().st_size, bad.make())).hexdigest()
        print(json.dumps({"name": name, "sha256": sha256, **attempt(path)}), flush=True)
        path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
