"""Link: the proof that a program does what its compiler meant, before it runs.

From instructions and timing alone it rebuilds whose value each operand finds, and refuses any difference from the
program's flow, every hazard and every bad address. Of loops it looks at so many runs as show all that can happen, where
it can tell that the others are like them, and at every run elsewhere.
"""

from waterclock.simulator.link.equal import dataflow_equal
from waterclock.simulator.link.errors import Cause, LinkError
from waterclock.simulator.link.linked import Events, Linked, Rows
from waterclock.simulator.link.proof import link, link_every_run
from waterclock.simulator.link.rebuild import every_run, rebuild, rebuild_every_run
from waterclock.simulator.link.unroll import unroll

__all__ = [
    "Cause",
    "Events",
    "LinkError",
    "Linked",
    "Rows",
    "dataflow_equal",
    "every_run",
    "link",
    "link_every_run",
    "rebuild",
    "rebuild_every_run",
    "unroll",
]
