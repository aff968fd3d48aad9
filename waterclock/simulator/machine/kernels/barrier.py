"""Waiting for one another: threads that run parts of a tape's tokens."""

from typing import Any

from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba.core import types

from waterclock.simulator.machine.kernels.compiled import compiled, llvm
from waterclock.simulator.machine.kernels.ir import INT32, INT64, places

APART = 16
"""Counters of two threads are so many numbers apart: in lines of the cache of their own."""
PATIENCE = 2000
"""Looks at another thread's counter before the processor is offered to others: some microseconds."""


@llvm
def _load(typing: Any, counters: Any, place: Any) -> Any:
    """counters[place], as other threads have left it."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = builder.bitcast(places(context, builder, signature, values, 0)(values[1]), INT64.as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(counters, place), generate


@llvm
def _store(typing: Any, counters: Any, place: Any, value: Any) -> Any:
    """counters[place] = value, after all that this thread has stored."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = builder.bitcast(places(context, builder, signature, values, 0)(values[1]), INT64.as_pointer())
        builder.store_atomic(values[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(counters, place, value), generate


@llvm
def _yield(typing: Any) -> Any:
    """Let another thread have the processor."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        function_type = ir.FunctionType(INT32, [])
        name = "sched_yield"
        function = builder.module.globals.get(name) or ir.Function(builder.module, function_type, name)
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), generate


@compiled(inline=True)
def wait_for_all(counters: Any, thread: int) -> None:
    """Return once every thread has come here as often as this one. `counters` is int64 [APART * num_threads]."""
    arrived = counters[APART * thread] + 1
    _store(counters, APART * thread, arrived)
    for other in range(0, len(counters), APART):
        looks = 0
        while _load(counters, other) < arrived:
            looks += 1
            if looks > PATIENCE:
                _yield()
