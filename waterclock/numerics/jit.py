"""One definition, two ways to run it: numpy on whole arrays, numba on scalars inside a compiled loop.

A function under `jitable` is ordinary numpy for Python callers and is inlined by numba for compiled callers. The few
primitives below are those whose spelling differs between an array and a machine scalar: a bit reinterpretation, a
conversion and a choice. Everything else in this package is written once, on top of them.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numba.core import types
from numba.extending import overload  # pyright: ignore[reportUnknownVariableType]
from numpy.typing import NDArray

P = ParamSpec("P")
R = TypeVar("R")

Fp32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Fp32Like = Fp32 | np.float32
Int32Like = Int32 | np.int32


def _attach(function: Callable[..., Any], typed: Callable[..., Any]) -> None:
    """Tell numba which implementation `typed` chooses for a compiled call of `function`.

    Inlining is forced because a call inside a loop keeps the loop from being vectorised (measured: ten times slower).
    """
    cast(Any, overload)(function, strict=False, jit_options={"forceinline": True})(typed)


def jitable(function: Callable[P, R]) -> Callable[P, R]:
    """Make a definition callable from numpy code and from `@njit` code, with the same bits.

    IEEE exceptions are values here, not warnings, so this one place silences numpy's reports of them.
    """

    @functools.wraps(function)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    def typed(*_args: Any) -> Callable[P, R]:
        return function

    _attach(quiet, typed)
    return quiet


def _cast_to(dtype: type[np.generic]) -> Callable[..., Any]:
    def converted(x: Any) -> Any:
        return x.astype(dtype)

    def typed(_x: Any) -> Any:
        return lambda x: dtype(x)  # pyright: ignore[reportUnknownLambdaType, reportUnknownVariableType, reportCallIssue]

    _attach(converted, typed)
    return converted


float64_of: Callable[[Fp32Like | Int32Like], Float64] = _cast_to(np.float64)
float32_of: Callable[[Float64 | Int32Like], Fp32] = _cast_to(np.float32)
int64_of: Callable[[Any], NDArray[np.int64]] = _cast_to(np.int64)
int32_of: Callable[[Any], Int32] = _cast_to(np.int32)


def bits_of(x: Fp32Like) -> Int32:
    """The 32 bits of an fp32 value as an int32."""
    return x.view(np.int32)  # pyright: ignore[reportReturnType]


def fp32_of(word: Int32Like) -> Fp32:
    """The fp32 value whose bits are `word`."""
    return word.view(np.float32)  # pyright: ignore[reportReturnType]


def choose(condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`, element by element."""
    return np.where(condition, a, b)[()]  # pyright: ignore[reportUnknownVariableType]


def _typed_bits_of(x: Any) -> Any:
    if isinstance(x, types.Array):
        return lambda x: x.view(np.int32)  # pyright: ignore
    return lambda x: np.float32(x).view(np.int32)  # pyright: ignore


def _typed_fp32_of(word: Any) -> Any:
    if isinstance(word, types.Array):
        return lambda word: word.view(np.float32)  # pyright: ignore
    return lambda word: np.int32(word).view(np.float32)  # pyright: ignore


def _typed_choose(condition: Any, a: Any, b: Any) -> Any:
    return lambda condition, a, b: a if condition else b  # pyright: ignore


_attach(bits_of, _typed_bits_of)
_attach(fp32_of, _typed_fp32_of)
_attach(choose, _typed_choose)
