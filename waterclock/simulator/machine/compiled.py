"""What numba lacks for an interpreter: a table of functions to call by number, a prefetch, and a wide int8 product.

This room is the only one that speaks to LLVM; everything it offers is called from compiled code alone.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba import njit as _njit  # pyright: ignore[reportUnknownVariableType]
from numba.core import types
from numba.extending import intrinsic as _intrinsic  # pyright: ignore[reportUnknownVariableType]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(*, inline: bool = False, cache: bool = False) -> Callable[[Function], Function]:
    """Compile for the host, without fast-math; `inline` into every caller, or `cache` on disk.

    Such a function allocates nothing and counts no references: counting would take longer than most of the work.
    """
    options = {"_nrt": False, "nogil": True, "error_model": "numpy", "forceinline": inline, "cache": cache}
    return cast(Any, _njit)(**options)


def _llvm(function: Callable[..., Any]) -> Callable[..., Any]:
    return cast(Any, _intrinsic)(function)


_INT8, _INT16, _INT32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_BYTES = _INT8.as_pointer()


def call_by_number(functions: tuple[Callable[..., None], ...]) -> Callable[..., None]:
    """A function for compiled code: `call(number, arguments)` does `functions[number](*arguments)`, without checks."""

    @_llvm
    def call(typing: Any, number: Any, arguments: Any) -> Any:
        function_types = [typing.resolve_value_type(function) for function in functions]
        signatures = [function_type.get_call_type(typing, arguments.types, {}) for function_type in function_types]

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            unpacked = [builder.extract_value(values[1], place) for place in range(len(arguments.types))]
            after = builder.append_basic_block("after")
            switch = builder.switch(values[0], after)
            for place, (function_type, callee) in enumerate(zip(function_types, signatures, strict=True)):
                block = builder.append_basic_block(f"case{place}")
                switch.add_case(ir.Constant(values[0].type, place), block)
                builder.position_at_end(block)
                implementation = context.get_function(function_type, callee)
                context.add_linking_libs(getattr(implementation, "libs", ()))
                converted = zip(unpacked, arguments.types, callee.args, strict=True)
                implementation(builder, [context.cast(builder, *one) for one in converted])
                builder.branch(after)
            builder.position_at_end(after)
            return context.get_dummy_value()

        return types.void(number, arguments), generate

    return call


ROWS, COLUMNS = 16, 64
"""The block of a tile that `add_products` multiplies at once."""


@_llvm
def add_products(typing: Any, tiles: Any, tile: Any, stride: Any, x: Any, y: Any, ahead: Any) -> Any:
    """y[r] += sum over c of tiles[tile + stride * r + c] * x[c], for ROWS rows and COLUMNS columns, modulo 2^32.

    `tiles` is int8 [n], x int16 [>= COLUMNS], y int32 [>= ROWS]. The row at `ahead` + stride * r is fetched into the
    cache meanwhile. The products are written so that LLVM finds the host's multiply-and-add of pairs.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def pointer(place: int, index: Any = None) -> Any:
            array = context.make_array(signature.args[place])(context, builder, values[place])
            return builder.gep(array.data, [index]) if index is not None else array.data

        first, next_first, step = pointer(0, values[1]), pointer(0, values[5]), values[2]
        prefetch_type = ir.FunctionType(ir.VoidType(), [_BYTES, _INT32, _INT32, _INT32])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [_BYTES], prefetch_type)
        operand = _load(builder, pointer(3), _INT16, COLUMNS)
        sums: list[Any] = []
        for row in range(ROWS):
            offset = builder.mul(step, ir.Constant(step.type, row))
            builder.call(prefetch, [builder.gep(next_first, [offset]), _INT32(0), _INT32(2), _INT32(1)])
            weights = _load(builder, builder.gep(first, [offset]), _INT8, COLUMNS)
            sums.append(_narrow(builder, builder.mul(weights, operand)))
        while len(sums) > 2:
            sums = [_add_pairs(builder, sums[place], sums[place + 1]) for place in range(0, len(sums), 2)]
        total = _shuffle(builder, sums[0], sums[1], range(ROWS))
        place = builder.bitcast(pointer(4), total.type.as_pointer())
        builder.store(builder.add(builder.load(place, align=4), total), place, align=4)
        return context.get_dummy_value()

    return types.void(tiles, tile, stride, x, y, ahead), generate


def _load(builder: Any, pointer: Any, element: Any, count: int) -> Any:
    """`count` elements from memory, sign extended to 32 bits."""
    place = builder.bitcast(pointer, ir.VectorType(element, count).as_pointer())
    return builder.sext(builder.load(place, align=1), ir.VectorType(_INT32, count))


def _shuffle(builder: Any, x: Any, y: Any, places: range) -> Any:
    indices = ir.Constant(ir.VectorType(_INT32, len(places)), [_INT32(place) for place in places])
    return builder.shuffle_vector(x, y, indices)


def _add_pairs(builder: Any, x: Any, y: Any) -> Any:
    """The sums of neighbours, x's before y's: as many elements as x has."""
    count = 2 * x.type.count
    return builder.add(_shuffle(builder, x, y, range(0, count, 2)), _shuffle(builder, x, y, range(1, count, 2)))


def _narrow(builder: Any, products: Any) -> Any:
    """Sums that a row's products make, 8 of them: neighbours first, then halves."""
    count = products.type.count
    even, odd = (_shuffle(builder, products, products, range(first, count, 2)) for first in (0, 1))
    total = builder.add(even, odd)
    while total.type.count > ROWS // 2:
        half = total.type.count // 2
        low, high = (_shuffle(builder, total, total, range(first, first + half)) for first in (0, half))
        total = builder.add(low, high)
    return total
