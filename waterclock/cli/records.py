"""Options that several commands take: a record says them once, and its fields become options of each command."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar, get_type_hints

Result = TypeVar("Result")


def with_records(command: Callable[..., Result]) -> Callable[..., Result]:
    """The command with each parameter that is a record (a dataclass with a default for every field) replaced by the
    record's fields, in its place."""
    hints = get_type_hints(command, include_extras=True)
    kinds: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    own = {name: each for name, each in signature(command).parameters.items() if name not in kinds}
    parameters = [parameter for name in signature(command).parameters
                  for parameter in (_parameters(kinds[name]) if name in kinds else [own[name]])]  # fmt: skip
    flat = Signature([each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters])

    @wraps(command)
    def call(**given: Any) -> Result:
        bound = flat.bind(**given)
        bound.apply_defaults()
        records = {name: kind(**{field.name: bound.kwargs[field.name] for field in fields(kind)})
                   for name, kind in kinds.items()}  # fmt: skip
        return command(**{name: bound.kwargs[name] for name in own}, **records)

    call.__signature__ = flat  # pyright: ignore[reportAttributeAccessIssue]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    return call


def _parameters(kind: Any) -> list[Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
        for field in fields(kind)
    ]
