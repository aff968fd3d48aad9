"""A Jinja environment for programs that come out of model files.

Jinja's immutable sandbox keeps a template away from Python's internals. This adds a budget: loop turns, calls,
operators and the characters of every text built are counted and limited, and so is the time. Filters and globals are
allow-lists; nothing a template can reach is random or knows the date.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, NoReturn, cast

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_STEPS = 100_000
MAX_CHARACTERS = 4_194_304
MAX_ITEMS = 10_000
MAX_SECONDS = 2.0
MAX_INTEGER_BITS = 64
MAX_INDENT = 8

_FILTERS = (
    "abs capitalize default d dictsort first float int items last length count list lower map max min reject"
    " rejectattr reverse round safe select selectattr sort string title trim unique upper"
)
_REFUSED_METHODS = frozenset(
    {"center", "expandtabs", "format", "format_map", "join", "ljust", "rjust", "translate", "zfill"}
)


class Sandbox(ImmutableSandboxedEnvironment):
    """One environment renders one template once: the budget is its own."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols"],
            finalize=self._count_output,
            keep_trailing_newline=False,
        )
        self.filters: dict[str, Callable[..., Any]] = {name: self.filters[name] for name in _FILTERS.split()} | {
            "join": self._join,
            "replace": self._replace,
            "tojson": _to_json,
            "turns": self._turns,
        }
        self.globals = {
            "range": _bounded_range,
            "dict": dict,
            "namespace": self.globals["namespace"],
            "raise_exception": _raise,
        }
        self._steps_left = MAX_STEPS
        self._characters_left = MAX_CHARACTERS
        self._deadline = time.monotonic() + MAX_SECONDS

    def spend(self, num_steps: int = 1, num_characters: int = 0) -> None:
        """Take from the budget; raises SecurityError when it is used up."""
        self._steps_left -= num_steps
        self._characters_left -= num_characters
        if self._steps_left < 0:
            raise SecurityError(f"takes more than {MAX_STEPS} steps")
        if self._characters_left < 0:
            raise SecurityError(f"builds more than {MAX_CHARACTERS} characters")
        if time.monotonic() > self._deadline:
            raise SecurityError(f"takes more than {MAX_SECONDS} seconds")

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return super().is_safe_attribute(obj, attr, value) and attr not in _REFUSED_METHODS

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]: Jinja mangles the names
        self.spend()
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str) and getattr(obj, "__name__", "") == "replace":
            return self._replace(owner, *args, **kwargs)
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        self.spend()
        _OPERAND_CHECKS[operator](left, right)
        result: Any = super().call_binop(context, operator, left, right)
        if isinstance(result, str):
            self.spend(num_characters=len(result))
        return result

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return cast(nodes.Template, _CountSteps().visit(super()._parse(source, name, filename)))

    def _turns(self, items: Iterable[Any]) -> list[Any]:
        """What a loop goes over; its turns are paid for when it starts."""
        turns = list(items)
        self.spend(1 + len(turns))
        return turns

    def _count_output(self, value: Any) -> Any:
        self.spend(num_characters=len(str(value)))
        return value

    def _join(self, items: Iterable[Any], separator: str = "", attribute: str | int | None = None) -> str:
        values = [self.getitem(item, attribute) for item in items] if attribute is not None else list(items)
        texts = [str(value) for value in values]
        self.spend(1 + len(texts), sum(map(len, texts)) + len(texts) * len(separator))
        return separator.join(texts)

    def _replace(self, text: str, old: str, new: str, count: int | None = None) -> str:
        text = str(text)
        self.spend(num_characters=len(text) + text.count(old) * len(new))
        return text.replace(old, new, -1 if count is None else count)


class _CountSteps(NodeTransformer):
    """Rewrites a parsed template so that every loop and every text it concatenates is counted."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "turns", [], [], None, None)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:
        self.generic_visit(node)
        texts: list[nodes.Expr] = [nodes.Filter(part, "string", [], [], None, None) for part in node.nodes]
        return reduce(nodes.Add, texts)


def _bounded_range(*arguments: int) -> range:
    numbers = range(*arguments)
    if len(numbers) > MAX_ITEMS:
        raise SecurityError(f"range of {len(numbers)} numbers, at most {MAX_ITEMS} are accepted")
    return numbers


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _to_json(value: Any, indent: int | None = None, **options: bool) -> str:
    if indent is not None and not 0 <= indent <= MAX_INDENT:
        raise SecurityError(f"tojson indent is {indent}, at most {MAX_INDENT} is accepted")
    return json.dumps(value, ensure_ascii=options.get("ensure_ascii", False), indent=indent)


def _check_sum(left: Any, right: Any) -> None:
    if isinstance(left, (list, tuple)) and len(cast(list[Any], left)) + len(right) > MAX_ITEMS:
        raise SecurityError(f"a list of more than {MAX_ITEMS} items")


def _check_product(left: Any, right: Any) -> None:
    if any(isinstance(operand, (str, list, tuple)) for operand in (left, right)):
        raise SecurityError("repeating a text or a list is not accepted")
    if any(isinstance(operand, int) and operand.bit_length() > MAX_INTEGER_BITS for operand in (left, right)):
        raise SecurityError(f"an integer of more than {MAX_INTEGER_BITS} bits")


def _refuse_power(left: Any, right: Any) -> None:
    raise SecurityError("the operator ** is not accepted")


def _check_remainder(left: Any, right: Any) -> None:
    if isinstance(left, str):
        raise SecurityError("formatting with % is not accepted")


_OPERAND_CHECKS: Mapping[str, Callable[[Any, Any], None]] = {
    "+": _check_sum,
    "*": _check_product,
    "**": _refuse_power,
    "%": _check_remainder,
}
