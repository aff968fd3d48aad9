"""What numba lacks for an interpreter: functions that count no references, and a table of them to call by number."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba import njit as _njit  # pyright: ignore[reportUnknownVariableType]
from numba.core import types
from numba.extending import intrinsic as _intrinsic  # pyright: ignore[reportUnknownVariableType]

from waterclock.numerics.native import kept_native

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(*, inline: bool = False, cache: bool = False) -> Callable[[Function], Function]:
    """Compile for the host, without fast-math; `inline` into every caller, or `cache` on disk.

    Such a function allocates nothing and counts no references: counting would take longer than most of the work.
    """
    options = {"_nrt": False, "nogil": True, "error_model": "numpy", "forceinline": inline}
    native = cast(Any, _njit)(**options)
    return (lambda function: kept_native(native(function))) if cache else native


def llvm(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function for compiled code whose LLVM instructions `function` writes."""
    return cast(Any, _intrinsic)(function)


def call_by_number(functions: tuple[Callable[..., None], ...]) -> Callable[..., None]:
    """A function for compiled code: `call(number, arguments)` does `functions[number](*arguments)`, without checks."""

    @llvm
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
