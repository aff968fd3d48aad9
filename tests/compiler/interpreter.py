"""Tile operations of the VXM executed one by one, without a schedule: what was built, as values."""

from collections.abc import Mapping, Sequence

import numpy as np

from waterclock.compiler.tileops import Chain, Immediate, TileOp, Use, Vector
from waterclock.isa.table import INSTRUCTIONS, Form
from waterclock.simulator.semantics import SEMANTICS, lane_xor


def interpret(operations: Sequence[TileOp | Chain], values: Mapping[Vector, np.ndarray]) -> dict[Vector, np.ndarray]:
    """All vectors, int32 [lanes], once the operations have been executed in order on the given ones."""
    known = dict(values)
    for op in operations:
        assert isinstance(op, TileOp) and op.result is not None
        numbers = [op.settings[o.field] for o in INSTRUCTIONS[op.mnemonic].operands if o.form is Form.NUMBER]
        operands = [_operand(operand, known) for operand in op.operands]
        known[op.result] = SEMANTICS[op.mnemonic](*operands, *numbers)
    return known


def _operand(operand: object, known: Mapping[Vector, np.ndarray]) -> np.ndarray:
    if isinstance(operand, Use):
        return lane_xor(known[operand.vector], operand.xor)
    assert isinstance(operand, Immediate)
    lanes = len(next(iter(known.values())))
    return np.full(lanes, operand.bits, np.int32)
