"""Frozen dataclasses as plain JSON values and back, checked against their type hints."""

from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

from waterclock.errors import InputError


def to_plain(value: Any) -> Any:
    """Dataclasses as dictionaries, tuples as lists, enumerations as their values, dictionaries with text keys item by
    item; numbers, text, bool and None as they are."""
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in cast(tuple[Any, ...], value)]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in cast(dict[str, Any], value).items()}
    return value.value if isinstance(value, Enum) else value


def from_plain(kind: Any, value: Any, where: str) -> Any:
    """The inverse of `to_plain` for a value of type `kind`. InputError names `where`, the field and the value."""
    if is_dataclass(kind):
        return _record(cast(type, kind), value, where)
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind), value, where)
    if get_origin(kind) is dict:
        return _mapping(get_args(kind)[1], value, where)
    if isinstance(kind, UnionType):
        return _optional(get_args(kind), value, where)
    if issubclass(kind, Enum):
        return _member(kind, value, where)
    if type(value) is not kind:
        raise _refused(where, value, f"of type {kind.__name__}")
    return value


_hints = cache(get_type_hints)


def _record(kind: type, value: Any, where: str) -> Any:
    hints = _hints(kind)
    if not isinstance(value, dict) or set(cast(dict[str, Any], value)) != set(hints):
        raise _refused(where, value, f"an object with the fields {', '.join(hints)}")
    return kind(**{name: from_plain(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})


def _tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _refused(where, value, "a list")
    items = cast(list[Any], value)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(items)
    if len(items) != len(kinds):
        raise _refused(where, items, f"a list of {len(kinds)}")
    pairs = enumerate(zip(kinds, items, strict=True))
    return tuple(from_plain(kind, item, f"{where}[{number}]") for number, (kind, item) in pairs)


def _mapping(kind: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused(where, value, "an object")
    return {key: from_plain(kind, item, f"{where}.{key}") for key, item in cast(dict[str, Any], value).items()}


def _optional(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """A value of `kind | None`."""
    (kind,) = (one for one in kinds if one is not NoneType)
    return None if value is None else from_plain(kind, value, where)


def _member(kind: type[Enum], value: Any, where: str) -> Enum:
    for member in kind:
        if member.value == value:
            return member
    raise _refused(where, value, f"one of {', '.join(str(member.value) for member in kind)}")


def _refused(where: str, value: Any, wanted: str) -> InputError:
    text = repr(value)
    return InputError(f"{where} = {text if len(text) <= 60 else text[:57] + '...'}: must be {wanted}")
