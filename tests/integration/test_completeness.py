"""Nothing of a program or an image is idle: one changed weight or immediate changes the logits, and exactly so."""

from dataclasses import replace

import numpy as np
import pytest

from tests.integration.executions import Built, build, random_graph, random_tokens, step_token
from tests.integration.test_random_models import CONTEXT, SHAPES
from waterclock.chip import Chip
from waterclock.frontends.graph import Graph
from waterclock.isa.program import Program
from waterclock.isa.program_file import program_sha256
from waterclock.isa.record import OperandKind
from waterclock.isa.table import OPCODES
from waterclock.simulator.link import Linked
from waterclock.simulator.machine import Machine

NUM_TOKENS = 3
NUM_IMMEDIATES = 8
HIGH_FRACTION_BIT = 1 << 21


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return random_graph(tmp_path_factory.mktemp("model"), **SHAPES["four to a kv head"])


@pytest.fixture(scope="module")
def built(graph: Graph, tiny: Chip) -> Built:
    return build(graph, tiny, CONTEXT)


def run(built: Built, tokens: list[int], linked: Linked | None = None) -> np.ndarray:
    """The machine's logits, raw bits; the last launch is stepped too and leaves the same state in the same cycles."""
    machine, rows = Machine(linked or built.linked, built.loaded()), []
    for position, token in enumerate(tokens):
        before = machine.state.copy()
        launched = machine.launch(built.params(position, token))
        rows.append(machine.output("logits"))
    stepped = step_token(built, before, position, token)
    assert stepped.state.first_difference(launched.state) is None
    assert stepped.length_cycles == launched.length_cycles
    return np.array(rows)


def weights_of(graph: Graph) -> list[str]:
    return [name for name, constant in graph.constants.items() if constant.dtype == np.int8]


def test_every_weight_matrix_counts(graph: Graph, built: Built) -> None:
    """One changed weight of any matrix is one changed byte of the image, and the reference's change of the logits."""
    tokens = random_tokens(built, NUM_TOKENS)
    before = run(built, tokens)
    rng = np.random.default_rng(9)
    for name in weights_of(graph):
        weight = graph.constants[name].copy()
        row = tokens[0] if len(weight) == graph.config.vocab else rng.integers(len(weight))
        weight[row, rng.integers(weight.shape[1])] ^= 0x40
        changed = build(replace(graph, constants={**graph.constants, name: weight}), built.chip, CONTEXT)
        num_bytes = np.count_nonzero(changed.deployment.reram != built.deployment.reram)
        assert num_bytes == 1, name
        assert (changed.deployment.mem == built.deployment.mem).all()
        assert program_sha256(changed.program) == program_sha256(built.program)
        after = run(changed, tokens, built.linked)
        assert (after != before).any(), name
        assert (after == changed.reference(tokens)).all(), name


def factors(program: Program) -> list[tuple[str, int]]:
    """The products with an immediate on the way to the logits: constants of quantization, attention, norm and SiLU."""
    argmax = program.operations.index("argmax")
    return [
        (name, entry)
        for name, records in program.queues.items()
        for entry, record in enumerate(records)
        if record["op"] == OPCODES["vxm.mul"]
        and OperandKind.IMMEDIATE in (record["a"]["kind"], record["b"]["kind"])
        and program.labels[name][entry] != argmax
    ]


def test_immediates_count(built: Built) -> None:
    """A changed factor in any instruction changes the logits, in the stepper and in the machine alike."""
    tokens = random_tokens(built, NUM_TOKENS)
    before = run(built, tokens)
    places = factors(built.program)
    for place in np.random.default_rng(10).choice(len(places), NUM_IMMEDIATES, replace=False):
        name, entry = places[place]
        records, flow = built.program.queues[name].copy(), built.program.flow[name].copy()
        records["scalar"][entry] ^= HIGH_FRACTION_BIT
        flow["computes"]["scalar"][entry] ^= HIGH_FRACTION_BIT  # or link would refuse it
        queues, meant = {**built.program.queues, name: records}, {**built.program.flow, name: flow}
        program = replace(built.program, queues=queues, flow=meant)
        assert (run(replace(built, program=program), tokens) != before).any(), f"{name}[{entry}]"
