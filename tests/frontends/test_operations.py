"""The operation table: every row's signature is complete, accepts what it says and refuses anything else."""

import pytest

from waterclock.frontends.operations import OPS, Attribute, DType, OpRow, TensorType

ROWS = pytest.mark.parametrize("row", OPS.values(), ids=OPS.keys())
PRIMES = (3, 5, 7, 11, 13, 17, 19)


def example(row: OpRow) -> tuple[list[TensorType], dict[str, TensorType], dict[str, Attribute], list[TensorType]]:
    """Operands of a node that fits the row: each name of the signature gets its own prime."""
    terms = (*row.inputs, *row.constants, *row.outputs)
    names = dict.fromkeys(factor for term in terms for factors in term.dimensions for factor in factors)
    sizes = dict(zip((name for name in names if not name.isdigit()), PRIMES, strict=False))
    attributes: dict[str, Attribute] = {name: sizes.get(name, kind(2)) for name, kind in row.attributes.items()}
    constants = {term.role: term.resolve(sizes) for term in row.constants}
    return [t.resolve(sizes) for t in row.inputs], constants, attributes, [t.resolve(sizes) for t in row.outputs]


@ROWS
def test_a_fitting_node_is_accepted(row: OpRow) -> None:
    inputs, constants, attributes, outputs = example(row)
    assert list(row.infer(inputs, constants, attributes)) == outputs
    assert outputs
    assert row.meaning


@ROWS
def test_each_wrong_operand_is_refused(row: OpRow) -> None:
    inputs, constants, attributes, _ = example(row)
    for index, tensor in enumerate(inputs):
        for wrong in (TensorType(DType.U8, tensor.shape), TensorType(tensor.dtype, (*tensor.shape, 2))):
            with pytest.raises(ValueError, match="expected"):
                row.infer([*inputs[:index], wrong, *inputs[index + 1 :]], constants, attributes)
    for role, tensor in constants.items():
        for wrong in (TensorType(DType.U8, tensor.shape), TensorType(tensor.dtype, (*tensor.shape, 2))):
            with pytest.raises(ValueError, match=f"{role} is .* expected"):
                row.infer(inputs, {**constants, role: wrong}, attributes)


@ROWS
def test_each_missing_part_is_refused(row: OpRow) -> None:
    inputs, constants, attributes, _ = example(row)
    with pytest.raises(ValueError, match="inputs"):
        row.infer(inputs[1:], constants, attributes)
    with pytest.raises(ValueError, match="inputs"):
        row.infer([*inputs, inputs[0]], constants, attributes)
    for role in constants:
        with pytest.raises(ValueError, match="constants"):
            row.infer(inputs, {name: t for name, t in constants.items() if name != role}, attributes)
    for name, value in attributes.items():
        with pytest.raises(ValueError, match="attributes"):
            row.infer(inputs, constants, {other: v for other, v in attributes.items() if other != name})
        for wrong in ("text", -value, 0, True):
            with pytest.raises(ValueError, match=f"attribute {name}"):
                row.infer(inputs, constants, {**attributes, name: wrong})


def test_a_block_must_divide_the_size() -> None:
    with pytest.raises(ValueError, match="block=3"):
        OPS["hadamard"].infer([TensorType(DType.F32, (8,))], {}, {"block": 3})
