"""Values out of model files on their way into messages: never long, never more than a line."""

from collections.abc import Sized

MAX_SHOWN = 64


def printable(text: str) -> str:
    """One line without control characters, since it will be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shown(value: object) -> str:
    """A value as a message quotes it: a text's beginning, how many items an array has, a number."""
    if isinstance(value, str):
        return repr(value[:MAX_SHOWN])
    return f"an array of {len(value)}" if isinstance(value, Sized) else repr(value)
