"""Stop strings: text that comes in pieces, up to the first string that ends it."""

from collections.abc import Sequence


class StopStrings:
    """Holds back the end of a text for as long as it could become a stop string.

    What is let through does not depend on how the text is cut into pieces: it ends before the stop string that is
    complete first, the longest of them where several are.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings = strings
        self._held: str = ""
        self.found = False

    def push(self, text: str) -> str:
        """What can be shown now; all of it that ever will be, once a stop string was found."""
        text = self._held + text
        self._held = ""
        places = [(start + len(string), start) for string in self._strings if (start := text.find(string)) >= 0]
        if places:
            self.found = True
            return text[: min(places)[1]]
        end = len(text) - self._num_open(text)
        self._held = text[end:]
        return text[:end]

    def finish(self) -> str:
        """What is held back at the end of the text, which became no stop string."""
        return self._held

    def _num_open(self, text: str) -> int:
        """How many characters at the end of the text begin a stop string."""
        starts = (string[:length] for string in self._strings for length in range(1, len(string)))
        return max((len(start) for start in starts if text.endswith(start)), default=0)
