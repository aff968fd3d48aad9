"""What this version is: a hash of its own sources, for whatever is kept that another version might make otherwise."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent


@cache
def sources_sha256(*parts: str) -> str:
    """Hexadecimal hash of Python sources with their paths: of modules ("atomic.py"), and of all that packages hold."""
    digest = hashlib.sha256()
    for path in sorted(path for part in parts for path in _sources(PACKAGE / part)):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE)}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _sources(path: Path) -> Iterable[Path]:
    return [path] if path.suffix == ".py" else path.rglob("*.py")
