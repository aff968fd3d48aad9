"""Exact products of a block of a tile, as LLVM vector instructions.

They are written so that LLVM finds the host's instruction that multiplies 16-bit numbers and adds pairs of products; it
does not from a loop. A host without one gets its ordinary multiplications: same result, slower.
"""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba.core import types

from waterclock.simulator.machine.kernels.compiled import llvm

ROWS, COLUMNS = 16, 64
"""The block of a tile that is multiplied at once."""

_INT8, _INT16, _INT32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_BYTES = _INT8.as_pointer()


@llvm
def add_products(typing: Any, tiles: Any, tile: Any, stride: Any, x: Any, y: Any, ahead: Any) -> Any:
    """y[r] += sum over c of tiles[tile + stride * r + c] * x[c], for ROWS rows and COLUMNS columns, modulo 2^32.

    `tiles` is int8 [n], x int16 [>= COLUMNS], y int32 [>= ROWS]. The row at `ahead` + stride * r is fetched into the
    cache meanwhile.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _pointers(context, builder, signature, values)
        first, next_first, step = pointer(0, values[1]), pointer(0, values[5]), values[2]
        prefetch_type = ir.FunctionType(ir.VoidType(), [_BYTES, _INT32, _INT32, _INT32])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [_BYTES], prefetch_type)
        operand = _widened(builder, _load(builder, pointer(3), _INT16, COLUMNS))
        sums: list[Any] = []
        for row in range(ROWS):
            offset = builder.mul(step, ir.Constant(step.type, row))
            builder.call(prefetch, [builder.gep(next_first, [offset]), _INT32(0), _INT32(2), _INT32(1)])
            weights = _widened(builder, _load(builder, builder.gep(first, [offset]), _INT8, COLUMNS))
            sums.append(_narrowed(builder, _add_pairs(builder, builder.mul(weights, operand))))
        while len(sums) > 2:
            sums = [_add_pairs(builder, *sums[place : place + 2]) for place in range(0, len(sums), 2)]
        _add_to(builder, pointer(4), _shuffle(builder, sums[0], sums[1], range(ROWS)))
        return context.get_dummy_value()

    return types.void(tiles, tile, stride, x, y, ahead), generate


LINKS = 3
"""Tiles whose products are added up at once."""


def _add_linked_products(rows: int, tokens: int) -> Callable[..., Any]:
    @llvm
    def add(typing: Any, tiles: Any, first: Any, second: Any, third: Any, stride: Any, x: Any, y: Any) -> Any:
        """y[t, r] += sum over the three tiles and c of tiles[tile + stride * r + c] * x[k, t, c], modulo 2^32, for
        `rows` rows r, `tokens` tokens t and COLUMNS columns c.

        `tiles` is int8 [n]; x is int16 [LINKS, >= tokens, stride] and y int32 [>= tokens, stride], both from the
        first token, row and column on.
        """

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            base, x_at, y_at = (_places(context, builder, signature, values, place) for place in (0, 5, 6))
            step, links = values[4], range(LINKS)

            def weights(link: int, row: int) -> Any:
                place = builder.gep(
                    base(), [builder.add(values[1 + link], builder.mul(step, ir.Constant(step.type, row)))]
                )
                return _widened(builder, _load(builder, place, _INT8, COLUMNS))

            def operand(link: int, token: int) -> Any:
                return _widened(builder, _load(builder, x_at(link, token), _INT16, COLUMNS))

            tiles = [[weights(link, row) for link in links] for row in range(rows)]
            sums: list[Any] = []
            for token in range(tokens):
                x = [operand(link, token) for link in links]
                for tile in tiles:
                    parts = [_add_pairs(builder, builder.mul(*pair)) for pair in zip(tile, x, strict=True)]
                    sums.append(_narrowed(builder, reduce(builder.add, parts)))
            while len(sums) > 2:
                sums = [_add_pairs(builder, *sums[place : place + 2]) for place in range(0, len(sums), 2)]
            whole = _shuffle(builder, sums[0], sums[1], range(rows * tokens))
            for token in range(tokens):
                part = _shuffle(builder, whole, whole, range(token * rows, (token + 1) * rows))
                _add_to(builder, y_at(token), part)
            return context.get_dummy_value()

        return types.void(tiles, first, second, third, stride, x, y), generate

    return add


def _places(context: Any, builder: Any, signature: Any, values: Any, place: int) -> Callable[..., Any]:
    """A function that gives the address of the array argument at a place, by its strides, at these first indices."""
    array = context.make_array(signature.args[place])(context, builder, values[place])
    dimensions = len(array.strides.type.elements)
    strides: list[Any] = [builder.extract_value(array.strides, place) for place in range(dimensions)]

    def address(*indices: int) -> Any:
        steps = [builder.mul(stride, ir.Constant(stride.type, i)) for i, stride in zip(indices, strides, strict=False)]
        offset = reduce(builder.add, steps, ir.Constant(strides[0].type, 0))
        return builder.bitcast(builder.gep(builder.bitcast(array.data, _BYTES), [offset]), array.data.type)

    return address


add_linked_products = _add_linked_products(ROWS, 1)
add_linked_products_of_tokens = _add_linked_products(4, 4)
TOKENS, ROWS_OF_TOKENS = 4, 4


@llvm
def add_weighted_rows(typing: Any, tiles: Any, tile: Any, stride: Any, x: Any, y: Any) -> Any:
    """y[c] += sum over r of tiles[tile + stride * r + c] * x[r], for ROWS rows and COLUMNS columns, modulo 2^32.

    `tiles` is int8 [n], x int16 [>= ROWS], y int32 [>= COLUMNS].
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _pointers(context, builder, signature, values)
        first, step = pointer(0, values[1]), values[2]
        total = ir.Constant(ir.VectorType(_INT32, COLUMNS), None)
        for row in range(0, ROWS, 2):
            offsets = [builder.mul(step, ir.Constant(step.type, each)) for each in (row, row + 1)]
            rows = [_load(builder, builder.gep(first, [offset]), _INT8, COLUMNS) for offset in offsets]
            weights = _shuffle(builder, rows[0], rows[1], (c + k * COLUMNS for c in range(COLUMNS) for k in (0, 1)))
            pair = _load(builder, builder.gep(pointer(3), [_INT32(row)]), _INT16, 2)
            operand = _shuffle(builder, pair, pair, COLUMNS * (0, 1))
            products = builder.mul(_widened(builder, weights), _widened(builder, operand))
            total = builder.add(total, _add_pairs(builder, products))
        _add_to(builder, pointer(4), total)
        return context.get_dummy_value()

    return types.void(tiles, tile, stride, x, y), generate


def _pointers(context: Any, builder: Any, signature: Any, values: Any) -> Callable[..., Any]:
    """A function that gives the address of an element (without `index`, the first) of the array argument at a place."""

    def pointer(place: int, index: Any = None) -> Any:
        array = context.make_array(signature.args[place])(context, builder, values[place])
        return array.data if index is None else builder.gep(array.data, [index])

    return pointer


def _load(builder: Any, pointer: Any, element: Any, count: int) -> Any:
    place = builder.bitcast(pointer, ir.VectorType(element, count).as_pointer())
    return builder.load(place, align=1)


def _widened(builder: Any, vector: Any) -> Any:
    """Sign extended to 32 bits."""
    return builder.sext(vector, ir.VectorType(_INT32, vector.type.count))


def _add_to(builder: Any, pointer: Any, vector: Any) -> None:
    place = builder.bitcast(pointer, vector.type.as_pointer())
    builder.store(builder.add(builder.load(place, align=4), vector), place, align=4)


def _shuffle(builder: Any, x: Any, y: Any, places: Iterable[int]) -> Any:
    """The elements of x and then y at these places."""
    indices = [_INT32(place) for place in places]
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_INT32, len(indices)), indices))


def _add_pairs(builder: Any, x: Any, y: Any = None) -> Any:
    """The sums of neighbours, x's before y's if there is a y."""
    count = x.type.count * (1 if y is None else 2)
    even, odd = (_shuffle(builder, x, x if y is None else y, range(first, count, 2)) for first in (0, 1))
    return builder.add(even, odd)


def _narrowed(builder: Any, sums: Any) -> Any:
    """ROWS / 2 numbers with the same sum."""
    while sums.type.count > ROWS // 2:
        half = sums.type.count // 2
        low, high = (_shuffle(builder, sums, sums, range(first, first + half)) for first in (0, half))
        sums = builder.add(low, high)
    return sums
