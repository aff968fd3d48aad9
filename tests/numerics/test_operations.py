"""Every row of the registry: against SoftFloat, compiled against interpreted, and against the contract's invariants."""

import ctypes
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numba import njit

from tests.numerics.soft import REFERENCES
from tests.numerics.vectors import operands
from waterclock.numerics import fp32
from waterclock.numerics.registry import OPERATIONS, Operand, Operation

VECTORS = {count: operands(count) for count in (1, 2, 3)}
CHECKED = [operation for operation in OPERATIONS if operation.name in REFERENCES]
COMPUTING = [operation for operation in OPERATIONS if operation.operands[0] is Operand.FP32]


def each(operations: Any) -> Any:
    return pytest.mark.parametrize("operation", operations, ids=lambda operation: operation.name)


def typed_operands(operation: Operation) -> list[np.ndarray]:
    words = VECTORS[len(operation.operands)]
    return [word.view(operand.value) for word, operand in zip(words, operation.operands, strict=True)]


def result_words(operation: Operation, *arguments: Any) -> np.ndarray:
    return operation.function(*arguments).view(np.int32)


def compiled_loop(operation: Operation) -> Callable[..., None]:
    """The operation on scalars in a compiled loop, as the virtual machine uses it."""
    function = operation.function

    @njit
    def unary(result: Any, a: Any) -> None:
        for i in range(len(result)):
            result[i] = function(a[i])

    @njit
    def binary(result: Any, a: Any, b: Any) -> None:
        for i in range(len(result)):
            result[i] = function(a[i], b[i])

    @njit
    def ternary(result: Any, a: Any, b: Any, c: Any) -> None:
        for i in range(len(result)):
            result[i] = function(a[i], b[i], c[i])

    return (unary, binary, ternary)[len(operation.operands) - 1]


def compiled_words(operation: Operation, arguments: list[np.ndarray]) -> np.ndarray:
    result = np.empty(len(arguments[0]), dtype=operation.result.value)
    compiled_loop(operation)(result, *arguments)
    return result.view(np.int32)


def test_there_are_enough_vectors() -> None:
    assert all(len(words[0]) >= 40_000 for words in VECTORS.values())


def test_every_reference_belongs_to_an_operation() -> None:
    assert REFERENCES.keys() <= {operation.name for operation in OPERATIONS}


@each(CHECKED)
def test_equals_softfloat(operation: Operation) -> None:
    words = (column.view(np.uint32).tolist() for column in VECTORS[len(operation.operands)])
    expected = np.array(list(map(REFERENCES[operation.name], *words)), dtype=np.uint32).view(np.int32)
    np.testing.assert_array_equal(result_words(operation, *typed_operands(operation)), expected)


@each(OPERATIONS)
def test_compiled_equals_interpreted(operation: Operation) -> None:
    arguments = typed_operands(operation)
    np.testing.assert_array_equal(compiled_words(operation, arguments), result_words(operation, *arguments))


@each(OPERATIONS)
def test_result_has_the_stated_type_and_the_operands_shape(operation: Operation) -> None:
    arguments = [argument[:24].reshape(2, 3, 4) for argument in typed_operands(operation)]
    result = operation.function(*arguments)
    assert result.dtype == operation.result.value
    assert result.shape == (2, 3, 4)


@each(OPERATIONS)
def test_scalars_give_the_bits_of_arrays(operation: Operation) -> None:
    arguments = [argument[::997] for argument in typed_operands(operation)]
    scalars = [operation.function(*row) for row in zip(*arguments, strict=True)]
    assert {type(scalar) for scalar in scalars} == {operation.result.value}
    np.testing.assert_array_equal(
        np.array(scalars, dtype=operation.result.value).view(np.int32), result_words(operation, *arguments)
    )


@each([operation for operation in OPERATIONS if operation.result is Operand.FP32])
def test_results_are_never_subnormal_and_have_one_nan(operation: Operation) -> None:
    magnitude = result_words(operation, *typed_operands(operation)) & fp32.MAGNITUDE_BITS
    assert not np.any((magnitude > 0) & (magnitude < 0x00800000))
    assert set(magnitude[magnitude > fp32.INFINITY_BITS].tolist()) <= {int(fp32.CANONICAL_NAN_BITS)}


@each(COMPUTING)
def test_subnormal_operands_are_zeros_of_their_sign(operation: Operation) -> None:
    arguments = typed_operands(operation)
    flushed = [
        np.where(np.abs(argument) < np.float32(2.0**-126), np.copysign(np.float32(0), argument), argument)
        for argument in arguments
    ]
    np.testing.assert_array_equal(result_words(operation, *arguments), result_words(operation, *flushed))


@pytest.mark.parametrize(("ours", "numpys"), [(fp32.add, np.add), (fp32.sub, np.subtract), (fp32.mul, np.multiply)])
def test_normal_results_are_those_of_numpy(ours: Callable[..., Any], numpys: Callable[..., Any]) -> None:
    a, b = (word.view(np.float32) for word in VECTORS[2])
    with np.errstate(all="ignore"):
        expected = numpys(a, b)
    normal = np.abs(np.stack([a, b, expected])).clip(2.0**-125, np.inf) == np.abs(np.stack([a, b, expected]))
    chosen = normal.all(axis=0)
    assert chosen.sum() > 10_000
    np.testing.assert_array_equal(ours(a, b)[chosen].view(np.int32), expected[chosen].view(np.int32))


FLUSH_TO_ZERO_AND_DENORMALS_ARE_ZERO = 0x8040
MXCSR_OFFSET_BYTES = 28  # in the x86-64 fenv_t of glibc


@contextmanager
def flushing_processor() -> Iterator[None]:
    """Run with the processor's own flush flags set in this thread."""
    libm = ctypes.CDLL("libm.so.6")
    before = (ctypes.c_char * 64)()
    libm.fegetenv(before)
    during = bytearray(before.raw)
    flags = int.from_bytes(during[MXCSR_OFFSET_BYTES : MXCSR_OFFSET_BYTES + 4], "little")
    flags |= FLUSH_TO_ZERO_AND_DENORMALS_ARE_ZERO
    during[MXCSR_OFFSET_BYTES : MXCSR_OFFSET_BYTES + 4] = flags.to_bytes(4, "little")
    libm.fesetenv((ctypes.c_char * 64).from_buffer(during))
    try:
        yield
    finally:
        libm.fesetenv(before)


@pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc",
    reason="the flags are those of x86-64 and glibc",
)
@each(COMPUTING)
def test_bits_do_not_depend_on_the_processors_flush_flags(operation: Operation) -> None:
    arguments = typed_operands(operation)
    expected = result_words(operation, *arguments)
    with flushing_processor():
        assert np.float32(2.0**-126) * np.float32(0.5) == 0, "the flags are not in force"
        interpreted = result_words(operation, *arguments)
        compiled = compiled_words(operation, arguments)
    np.testing.assert_array_equal(interpreted, expected)
    np.testing.assert_array_equal(compiled, expected)
