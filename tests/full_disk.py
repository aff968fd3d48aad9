"""A disk without room, as the kernel has it: every file may only grow so far."""

import resource
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def files_no_larger_than(num_bytes: int) -> Generator[None]:
    """What writes more into a file gets an OSError from the kernel."""
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
