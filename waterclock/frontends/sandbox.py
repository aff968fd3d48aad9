"""A Jinja environment for programs that come out of model files.

Jinja's immutable sandbox keeps a template away from Python's internals. This adds a budget
(`waterclock.frontends.template_budget`): whatever a template makes, by an operator, a call, a filter, a slice, as a
literal or as output, is paid for, and so is every turn of a loop. Filters, globals and methods are allow-lists; nothing
a template can reach is random, knows the date, or shows an address in memory.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import reduce, wraps
from itertools import islice
from types import CodeType, NoneType
from typing import Any, Literal, NoReturn, cast

import jinja2
from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import do_round
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from waterclock.frontends.template_budget import MAX_ITEMS, MAX_STEPS, Budget, check_integer, parts

MAX_NODES = 4_096
MAX_INDENT = 8
MAX_DECIMALS = 16
COMPARISONS_PER_STEP = 1_000

_FILTERS = (
    "abs capitalize default d dictsort first float int items last length count list lower map max min reject"
    " rejectattr reverse safe select selectattr sort title unique upper"
)
_METHODS = (
    "capitalize casefold count endswith find get index isalnum isalpha isascii isdecimal isdigit islower isnumeric"
    " isspace istitle isupper items keys lower lstrip partition removeprefix removesuffix replace rfind rindex"
    " rpartition rsplit rstrip split splitlines startswith strip swapcase title upper values"
)
_SEARCHES = ("lstrip", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "strip")
"""Methods of text that take time with the product of the text's length and an argument's."""
_VALUES = (str, int, float, bytes, list, tuple, dict, range, type)
_WRITABLE = (str, int, float, NoneType, Undefined, list, tuple, dict)
_REFUSED_OPERANDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "*": ((str, list, tuple), "repeating a text or a list"),
    "%": ((str,), "formatting with %"),
    "**": ((object,), "the operator **"),
}


def compile_template(source: str) -> CodeType:
    """Translate a template; raises whatever Jinja does, and SecurityError if it is too large."""
    return Sandbox().compile(source)


def render_template(code: CodeType, variables: Mapping[str, Any]) -> str:
    """Run a template on a budget of its own; raises whatever it does wrong, and SecurityError beyond the budget."""
    sandbox = Sandbox()
    return jinja2.Template.from_code(sandbox, code, sandbox.make_globals(None)).render(variables)


class Sandbox(ImmutableSandboxedEnvironment):
    """One environment renders one template once: the budget is its own."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)

    def __init__(self) -> None:
        # Jinja's optimizer needs time with the cube of an expression's depth, and computes beside the budget.
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"], optimized=False)
        self._budget = Budget()
        filters: dict[str, Callable[..., Any]] = {name: self.filters[name] for name in _FILTERS.split()} | {
            "join": self._join,
            "replace": self._replace,
            "round": _bounded_round,
            "trim": self._trim,
            "tojson": _to_json,
        }
        self.filters = {name: self._metered(filter_) for name, filter_ in filters.items()} | {
            "made": self._made,
            "string": self._text,
            "turns": self._turns,
        }
        self.tests = {name: self._metered(test) for name, test in self.tests.items()}
        self.globals = {"range": _bounded_range, "dict": dict, "namespace": _Namespace, "raise_exception": _raise}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        is_listed = not isinstance(obj, _VALUES) or attr in _METHODS.split()
        return is_listed and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Formatting has no bounded form here: `format` is an attribute like others, and not a listed one."""

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]: Jinja mangles the names
        self._budget.spend()
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(owner, str) and name == "replace":
            return self._budget.charge(self._replace(owner, *args, **kwargs))
        if isinstance(owner, str) and name in _SEARCHES:
            self._pay_for_search(owner, *args, *kwargs.values())
        if isinstance(obj, LoopContext):  # a recursive loop calls itself with what to go over
            args = tuple(self._turns(context, items) for items in args)
        return self._budget.charge(super().call(context, obj, *args, **kwargs))

    def getitem(self, obj: Any, argument: Any) -> Any:
        self._budget.spend()  # a filter's attribute may be a path as long as the template
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        types, reason = _REFUSED_OPERANDS.get(operator, ((), ""))
        for operand in (left, right):
            check_integer(operand)
            if isinstance(operand, types):
                raise SecurityError(f"{reason} is not accepted")
        return self._budget.charge(super().call_binop(context, operator, left, right))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        parsed = super()._parse(source, name, filename)
        num_nodes = sum(1 for _ in islice(parsed.find_all(nodes.Node), MAX_NODES + 1))
        if num_nodes > MAX_NODES:
            raise SecurityError(f"has more than {MAX_NODES} parts")
        return cast(nodes.Template, _PayForAll().visit(parsed))

    def _metered(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def metered(*args: Any, **kwargs: Any) -> Any:
            return self._budget.charge(function(*args, **kwargs))

        return metered

    # These three take the context, which keeps Jinja from computing them once and for all while it compiles.
    @pass_context
    def _made(self, context: Context, value: Any) -> Any:
        return self._budget.charge(value)

    @pass_context
    def _text(self, context: Context, value: Any) -> str:
        for part in parts(value):
            if not isinstance(part, _WRITABLE):
                raise SecurityError(f"writing out a {type(part).__name__} is not accepted")
        return self._budget.charge(value if isinstance(value, str) else str(self._budget.charge(value)))

    @pass_context
    def _turns(self, context: Context, items: Iterable[Any]) -> list[Any]:
        """What a loop goes over; its turns are paid for when it starts."""
        turns = list(islice(items, MAX_STEPS + 1))
        self._budget.spend(1 + len(turns))
        return turns

    def _join(self, items: Iterable[Any], separator: str = "", attribute: str | int | None = None) -> str:
        values = [self.getitem(item, attribute) for item in items] if attribute is not None else list(items)
        texts = [str(value) for value in self._budget.charge(values)]
        self._budget.spend(len(texts), sum(map(len, texts)) + len(texts) * len(separator))
        return separator.join(texts)

    def _trim(self, value: Any, chars: str | None = None) -> str:
        text = value if isinstance(value, str) else str(value)
        self._pay_for_search(text, chars)
        return text.strip(chars)

    def _pay_for_search(self, text: str, *arguments: Any) -> None:
        num_sought = sum(len(argument) for argument in arguments if isinstance(argument, str))
        self._budget.spend(len(text) * num_sought // COMPARISONS_PER_STEP)

    def _replace(self, text: str, old: str, new: str, count: int | None = None) -> str:
        text = str(text)
        self._budget.spend(num_characters=len(text) + text.count(old) * len(new))
        return text.replace(old, new, -1 if count is None else count)


class _PayForAll(NodeTransformer):
    """Rewrites a parsed template so that what it makes without a call, a filter or an operator is paid for too."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.iter = _through("turns", node.iter)
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Output:
        self.generic_visit(node)
        node.nodes = [_through("string", part) for part in node.nodes]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:
        self.generic_visit(node)
        return reduce(nodes.Add, [_through("string", part) for part in node.nodes])

    def _visit_made(self, node: nodes.Expr) -> nodes.Expr:
        self.generic_visit(node)
        return _through("made", node)

    visit_List = visit_Dict = visit_Compare = _visit_made

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:
        return self._visit_made(node) if node.ctx == "load" else node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:
        self.generic_visit(node)
        return _through("made", node) if isinstance(node.arg, nodes.Slice) else node

    def visit_Name(self, node: nodes.Name) -> nodes.Expr:
        is_made = node.ctx == "load" and node.name in ("varargs", "kwargs")
        return _through("made", node) if is_made else node


def _through(filter_: str, node: nodes.Node) -> nodes.Expr:
    return nodes.Filter(cast(nodes.Expr, node), filter_, [], [], None, None)


class _Namespace(Namespace):
    """One that does not write out what it holds, which may hold it in turn."""

    def __repr__(self) -> str:
        return "<Namespace>"


def _bounded_range(*arguments: int) -> range:
    numbers = range(*arguments)
    if len(numbers) > MAX_ITEMS:
        raise SecurityError(f"range of {len(numbers)} numbers, at most {MAX_ITEMS} are accepted")
    return numbers


def _bounded_round(value: float, precision: int = 0, method: Literal["common", "ceil", "floor"] = "common") -> float:
    if not -MAX_DECIMALS <= precision <= MAX_DECIMALS:
        raise SecurityError(f"rounding to {precision} decimals, at most {MAX_DECIMALS} are accepted")
    return do_round(value, precision, method)


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _to_json(value: Any, indent: int | None = None, **options: bool) -> str:
    if indent is not None and not 0 <= indent <= MAX_INDENT:
        raise SecurityError(f"tojson indent is {indent}, at most {MAX_INDENT} is accepted")
    return json.dumps(value, ensure_ascii=options.get("ensure_ascii", False), indent=indent)
