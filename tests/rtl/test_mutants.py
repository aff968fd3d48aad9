"""Single faults in the netlist of the slices: the default vectors notice 95 in 100 of those that are faults at all."""

import sys

import pytest

pytest.importorskip("amaranth", reason="the RTL needs the Python package amaranth")

from waterclock.rtl.synth import yosys

LEAST_KILLED = 0.95


@pytest.mark.slow
@pytest.mark.skipif(yosys.missing_tools() is not None, reason=str(yosys.missing_tools()))
def test_the_default_vectors_kill_mutants() -> None:
    from tests.rtl.mutants.choice import NUM_MUTANTS
    from tests.rtl.mutants.run import run

    hunted = run(lambda text: print(text, file=sys.stderr, flush=True))
    assert len(hunted.mutations) == len(hunted.outcomes) == NUM_MUTANTS
    assert hunted.rates()[1] >= LEAST_KILLED, "\n".join(hunted.lines())
    assert not hunted.unexplained, "\n".join(hunted.lines())
