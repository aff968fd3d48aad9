"""The page about link: its tables are of the causes and the faults that there are."""

import re
from pathlib import Path

from tests.simulator.misstate import MISSTATEMENTS
from tests.simulator.mutate import MUTATIONS
from waterclock.simulator.link import Cause

PAGE = (Path(__file__).parent.parent / "docs" / "link.md").read_text()
CAUSE = re.compile(r"^\| `([a-z-]+)` \| ([^|]*) \|$", re.MULTILINE)
FAULT = re.compile(r"^\| `([a-z_]+)` \| \d+ \|", re.MULTILINE)


def test_the_causes_are_those_of_link_in_their_order() -> None:
    assert CAUSE.findall(PAGE) == [(cause.value, cause.meaning) for cause in Cause]


def test_every_kind_of_fault_is_in_the_results() -> None:
    kinds = {kind.__name__ for kind in (*MUTATIONS, *MISSTATEMENTS)}
    assert set(FAULT.findall(PAGE)) == kinds | {"reroute"}
