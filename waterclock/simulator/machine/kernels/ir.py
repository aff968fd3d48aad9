"""LLVM vector instructions written by hand, for what LLVM does not find in a loop."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba.core import cgutils

INT8, INT16, INT32, INT64 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
BYTES = INT8.as_pointer()


@contextmanager
def times(builder: Any, count: Any) -> Generator[Any]:
    """A loop around what is built inside: the numbers 0 .. count - 1, of count's type, which there is."""
    library: Any = cgutils
    with library.for_range(builder, count) as loop:
        yield loop.index


def variable(builder: Any, value: Any) -> Any:
    """The address of a local variable that begins with a value."""
    library: Any = cgutils
    return library.alloca_once_value(builder, value)


def vector_of(element: Any, count: int) -> Any:
    """The type of `count` elements."""
    return ir.VectorType(element, count)


def filled(element: Any, value: int, count: int) -> Any:
    """A constant vector of one value."""
    return ir.Constant(ir.VectorType(element, count), [element(value)] * count)


def places(context: Any, builder: Any, signature: Any, values: Any, argument: int) -> Callable[..., Any]:
    """A function that gives the address of an element of the array argument, by its first indices, each a number or a
    value of 64 bits."""
    array = context.make_array(signature.args[argument])(context, builder, values[argument])
    strides: list[Any] = [builder.extract_value(array.strides, i) for i in range(len(array.strides.type.elements))]
    data = builder.bitcast(array.data, BYTES)

    def address(*indices: Any) -> Any:
        values = [INT64(index) if isinstance(index, int) else index for index in indices]
        steps = [builder.mul(stride, index) for index, stride in zip(values, strides, strict=False)]
        return builder.gep(data, [reduce(builder.add, steps, INT64(0))])

    return address


def load(builder: Any, pointer: Any, element: Any, count: int) -> Any:
    """A vector from wherever the pointer points."""
    return builder.load(builder.bitcast(pointer, ir.VectorType(element, count).as_pointer()), align=1)


def add_to(builder: Any, pointer: Any, vector: Any) -> None:
    """Add a vector of int32 to what is there."""
    place = builder.bitcast(pointer, vector.type.as_pointer())
    builder.store(builder.add(builder.load(place, align=4), vector), place, align=4)


def widened(builder: Any, vector: Any) -> Any:
    """Sign extended to 32 bits."""
    return builder.sext(vector, ir.VectorType(INT32, vector.type.count))


def shuffle(builder: Any, x: Any, y: Any, wanted: Iterable[int]) -> Any:
    """The elements of x and then y at these places."""
    indices = [INT32(place) for place in wanted]
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(INT32, len(indices)), indices))


def add_pairs(builder: Any, x: Any, y: Any = None) -> Any:
    """The sums of neighbours, x's before y's if there is a y."""
    count = x.type.count * (1 if y is None else 2)
    even, odd = (shuffle(builder, x, x if y is None else y, range(first, count, 2)) for first in (0, 1))
    return builder.add(even, odd)


def add_up(builder: Any, vectors: Sequence[Any]) -> Any:
    """The sum of each vector's elements, in one vector: there are as many vectors as each has elements."""
    while len(vectors) > 1:
        vectors = [add_pairs(builder, *vectors[i : i + 2]) for i in range(0, len(vectors), 2)]
    return vectors[0]


def transposed(builder: Any, lines: Sequence[Any]) -> list[Any]:
    """As many vectors as there are lines, each with an element of every line: element i of line j is element j of
    vector i."""
    count, size = len(lines), 1
    found = list(lines)
    while size < count:
        places = [(i & size) * (count // size) + (i & ~size) for i in range(count)]
        for first in (i for i in range(count) if not i & size):
            low, high = found[first], found[first + size]
            found[first] = shuffle(builder, low, high, places)
            found[first + size] = shuffle(builder, low, high, [place + size for place in places])
        size *= 2
    return found


def prefetch(builder: Any, pointer: Any) -> None:
    """Fetch into the second cache what will be read soon."""
    signature = ir.FunctionType(ir.VoidType(), [BYTES, INT32, INT32, INT32])
    function = builder.module.declare_intrinsic("llvm.prefetch", [BYTES], signature)
    builder.call(function, [pointer, INT32(0), INT32(2), INT32(1)])
