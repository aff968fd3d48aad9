"""The page about link: its table of causes is that of the program."""

import re
from pathlib import Path

from waterclock.simulator.link import Cause

PAGE = Path(__file__).parent.parent / "docs" / "link.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (.*) \|$", re.MULTILINE)


def test_the_causes_are_those_of_link_in_their_order() -> None:
    assert ROW.findall(PAGE.read_text()) == [(cause.value, cause.meaning) for cause in Cause]
