"""Native code of numba, kept in the cache directory for its owner alone (`waterclock.kept`), and checked when read.

numba keeps code as pickles, which can do anything when they are read. So they lie where nobody else can write, each
beside its hash; what is damaged is compiled anew, and where nothing can be kept, nothing is.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUntypedBaseClass=false, reportIncompatibleMethodOverride=false

import hashlib
import inspect
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import numba
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    _CacheLocator,  # pyright: ignore[reportPrivateUsage]
)

from waterclock.atomic import new_file, write_atomically
from waterclock.errors import InputError
from waterclock.kept import CacheError, Section, directory, mark_used

Function = TypeVar("Function", bound=Callable[..., Any])
SUM_SUFFIX = ".sha256"


def kept_native(dispatcher: Function) -> Function:
    """A function that numba compiles, whose code is kept under its name and its source: the same one."""
    with suppress(CacheError):
        cast(Any, dispatcher)._cache = _Cache(cast(Any, dispatcher).py_func)
    return dispatcher


class _Locator(_CacheLocator):
    """One folder for each function, as it is written in its file, and each version of numba and Python."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        self._py_file, version = file, f"{numba.__version__} {sys.version}"
        named = f"{function.__module__}\0{function.__qualname__}\0{version}\0".encode()
        self._stamp = hashlib.sha256(named + Path(file).read_bytes()).hexdigest()
        self._path = directory(Section.NATIVE) / f"{function.__name__}-{self._stamp[:32]}"

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> str:
        return self._stamp

    def get_disambiguator(self) -> str:
        return ""

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "_Locator":
        return cls(py_func, py_file)


class _Code(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012

    def __init__(self, function: Callable[..., Any]) -> None:
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator(function, inspect.getfile(function))
        self._filename_base = "code"


class _Checked(IndexDataCacheFile):
    """Files beside their hashes; one that has another than it is said to is as good as none."""

    def _load_index(self) -> dict[Any, str]:
        return super()._load_index() if _is_whole(Path(self._index_path)) else {}

    def _load_data(self, name: str) -> Any:
        if not _is_whole(Path(self._data_path(name))):
            raise FileNotFoundError(name)
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Generator[BinaryIO]:
        path = Path(filepath)
        with new_file(path) as file:
            yield file
        write_atomically(_sum_of(path), _sha256(path))


class _Cache(FunctionCache):
    _impl_class = _Code

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _Checked(self._cache_path, "code", self._impl.locator.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        mark_used(Path(self._cache_path))
        return super().load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError, InputError):  # a full disk costs the next start some time, and this one nothing
            super().save_overload(sig, data)


def _is_whole(path: Path) -> bool:
    with suppress(OSError):
        return _sum_of(path).read_text() == _sha256(path)
    return False


def _sum_of(path: Path) -> Path:
    return path.with_name(path.name + SUM_SUFFIX)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
