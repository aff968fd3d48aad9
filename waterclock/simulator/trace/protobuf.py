"""The wire format of protocol buffers, as much of it as a trace needs: numbers, texts and messages.

A message is the bytes of its fields, one after the other; a field is a key (number and wire type) and a value. Source:
https://protobuf.dev/programming-guides/encoding/
"""

_VARINT, _LENGTH_DELIMITED = 0, 2
_CONTINUES = 0x80
_SINGLE = [bytes([value]) for value in range(_CONTINUES)]


def varint(value: int) -> bytes:
    """A whole number >= 0 in groups of seven bits, lowest first."""
    if value < _CONTINUES:
        return _SINGLE[value]
    groups = bytearray()
    while value >= _CONTINUES:
        groups.append(value & (_CONTINUES - 1) | _CONTINUES)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def number(field: int, value: int) -> bytes:
    """A field of an unsigned integer, a bool or an enumeration."""
    return varint(field << 3 | _VARINT) + varint(value)


def message(field: int, *fields: bytes) -> bytes:
    """A field that is a message of these fields."""
    contents = b"".join(fields)
    return varint(field << 3 | _LENGTH_DELIMITED) + varint(len(contents)) + contents


def text(field: int, value: str) -> bytes:
    """A field of text."""
    return message(field, value.encode())
