"""Loops over all weights of a model, compiled for the host."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit  # pyright: ignore[reportUnknownVariableType]

from waterclock.numerics.native import kept_native

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile without fast-math, and keep that on disk."""
    return kept_native(cast(Any, njit)(error_model="numpy")(function))
