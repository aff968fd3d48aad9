"""Processes that tests start: each is gone when its test is, whatever happens in it."""

import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def running(command: Sequence[str], **options: Any) -> Generator["subprocess.Popen[bytes]"]:
    """A process; at the end it is killed, if it has not ended, and waited for."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()
