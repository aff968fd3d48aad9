"""Lanes that change places within a few, as LLVM vector instructions, which LLVM does not make of so short a loop."""

from typing import Any

from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba.core import types

from waterclock.simulator.machine.kernels.compiled import llvm

EXCHANGED = 16
"""Lanes that are exchanged at once; masks are smaller."""
_INT32 = ir.IntType(32)
_VECTOR = ir.VectorType(_INT32, EXCHANGED)
_MASKS = tuple(1 << power for power in range(EXCHANGED.bit_length() - 1))


@llvm
def exchange_few(typing: Any, x: Any, y: Any, start: Any, mask: Any) -> Any:
    """y[start + i] = x[start + (i ^ mask)] for EXCHANGED lanes i and a mask that is a power of two below that."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arrays = [context.make_array(signature.args[place])(context, builder, values[place]) for place in (0, 1)]
        starts = [builder.gep(array.data, [values[2]]) for array in arrays]
        source, target = (builder.bitcast(start, _VECTOR.as_pointer()) for start in starts)
        vector = builder.load(source, align=4)
        result = vector
        for each in _MASKS:
            places = ir.Constant(ir.VectorType(_INT32, EXCHANGED), [_INT32(i ^ each) for i in range(EXCHANGED)])
            exchanged = builder.shuffle_vector(vector, vector, places)
            chosen = builder.icmp_signed("==", values[3], ir.Constant(values[3].type, each))
            result = builder.select(chosen, exchanged, result)
        builder.store(result, target, align=4)
        return context.get_dummy_value()

    return types.void(x, y, start, mask), generate
