"""Trace: what a chip issues, cycle by cycle, for people and for the tools that they know."""

from waterclock.simulator.trace.page import write_page
from waterclock.simulator.trace.perfetto import write_perfetto
from waterclock.simulator.trace.timeline import Launch, Script, Timeline, script, timeline

__all__ = ["Launch", "Script", "Timeline", "script", "timeline", "write_page", "write_perfetto"]
