"""Stop strings: what is shown ends before them, however the text comes in pieces."""

from hypothesis import example, given
from hypothesis import strategies as st

from waterclock.frontends.byte_level import Utf8Stream
from waterclock.runtime.stop_strings import StopStrings

STRINGS = st.lists(st.text("ab😀", min_size=1, max_size=4), max_size=3)
PIECES = st.lists(st.text("ab😀c", max_size=4), max_size=12)


def cut(text: str, strings: list[str]) -> tuple[str, bool]:
    """Slowly: the first end of a stop string, and then the first start of one that ends there."""
    for end in range(1, len(text) + 1):
        ending = [string for string in strings if text[:end].endswith(string)]
        if ending:
            return text[: end - max(map(len, ending))], True
    return text, False


@given(STRINGS, PIECES)
@example(["bc", "ab"], ["abc"])
@example(["c", "bc", "abc"], ["abc"])
@example(["abcd", "b"], ["a", "bcd"])
def test_the_text_ends_before_the_first_stop_string(strings: list[str], pieces: list[str]) -> None:
    stops, shown = StopStrings(strings), ""
    for piece in pieces:
        shown += stops.push(piece)
        if stops.found:
            break
    shown += stops.finish()
    assert (shown, stops.found) == cut("".join(pieces), strings)


@given(STRINGS, PIECES)
def test_only_what_could_become_a_stop_string_is_held_back(strings: list[str], pieces: list[str]) -> None:
    stops, shown, text = StopStrings(strings), "", ""
    for piece in pieces:
        text += piece
        shown += stops.push(piece)
        if stops.found:
            return
        held = text[len(shown) :]
        assert text.startswith(shown)
        assert held == "" or any(string.startswith(held) and string != held for string in strings)


def test_a_character_whose_bytes_come_one_by_one() -> None:
    characters, stops = Utf8Stream(), StopStrings(["本語"])
    shown = [stops.push(characters.push(bytes([byte]))) for byte in "日本語".encode()]
    assert shown == ["", "", "日", "", "", "", "", "", ""]
    assert stops.found
