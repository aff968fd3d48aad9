"""Exact sums of a tile's rows, as LLVM vector instructions.

They are written so that LLVM finds the host's instruction that multiplies 16-bit numbers and adds pairs of products; it
does not from a loop. A host without one gets its ordinary multiplications: same result, slower.
"""

from typing import Any

from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba.core import types

from waterclock.simulator.machine.kernels.compiled import llvm
from waterclock.simulator.machine.kernels.ir import (
    INT8,
    INT16,
    INT32,
    INT64,
    add_pairs,
    add_to,
    load,
    places,
    shuffle,
    vector_of,
    widened,
)

ROWS, COLUMNS = 16, 64
"""The block of a tile that is multiplied at once."""


@llvm
def add_weighted_rows(typing: Any, tiles: Any, tile: Any, stride: Any, x: Any, y: Any) -> Any:
    """y[c] += sum over r of tiles[tile + stride * r + c] * x[r], for ROWS rows and COLUMNS columns, modulo 2^32.

    `tiles` is int8 [n], x int16 [>= ROWS], y int32 [>= COLUMNS].
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def of(argument: int, *indices: Any) -> Any:
            return places(context, builder, signature, values, argument)(*indices)

        first, step = of(0, values[1]), values[2]
        total = ir.Constant(vector_of(INT32, COLUMNS), None)
        for row in range(0, ROWS, 2):
            offsets = [builder.mul(step, INT64(each)) for each in (row, row + 1)]
            rows = [load(builder, builder.gep(first, [offset]), INT8, COLUMNS) for offset in offsets]
            weights = shuffle(builder, rows[0], rows[1], (c + k * COLUMNS for c in range(COLUMNS) for k in (0, 1)))
            pair = load(builder, of(3, row), INT16, 2)
            operand = shuffle(builder, pair, pair, COLUMNS * (0, 1))
            products = builder.mul(widened(builder, weights), widened(builder, operand))
            total = builder.add(total, add_pairs(builder, products))
        add_to(builder, of(4), total)
        return context.get_dummy_value()

    return types.void(tiles, tile, stride, x, y), generate
