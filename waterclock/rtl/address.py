"""The address pipeline: from a decoded entry and its iterations to values, in the last cycles before it issues.

Cycle 1 multiplies strides and steps by iterations and reads the launch parameters; cycle 2 shifts, masks, multiplies
the terms and adds. All sums are int32, the shift is arithmetic.
"""

from collections.abc import Sequence

from amaranth.hdl import Array, Const, Module, Mux, Value

from waterclock.chip import Chip
from waterclock.isa.record import NUM_LEVELS, NUM_TERMS, OPERAND_NAMES, OperandKind
from waterclock.isa.table import INSTRUCTIONS, Area, Form, Instruction, Operand
from waterclock.rtl.entry import ADDRESS_BITS, ADDRESSES, any_of, is_opcode
from waterclock.rtl.pipeline import Values, registered
from waterclock.rtl.streams import BYTES_PER_WORD

ADDRESS_CYCLES = 2


def _int32(value: Value) -> Value:
    """The low 32 bits, as a signed number."""
    return value[:ADDRESS_BITS].as_signed() if len(value) > ADDRESS_BITS else value


def _along(fields: Values, path: str, iteration: Sequence[Value]) -> Value:
    """The sum over all levels of the field at `path` times the iteration."""
    products = [fields[f"{path}.{level}"] * iteration[level] for level in range(NUM_LEVELS)]
    return _int32(sum(products[1:], start=products[0]))


def first_cycle(fields: Values, iteration: Sequence[Value], params: Sequence[Value]) -> dict[str, Value]:
    """Every address without its terms, every term's number before shift and mask, and the scalar."""
    sums: dict[str, Value] = {}
    for name in ADDRESSES:
        if f"{name}.base" not in fields:
            continue
        sums[name] = _int32(fields[f"{name}.base"] + _along(fields, f"{name}.stride", iteration))
        for term in range(NUM_TERMS):
            path = f"{name}.term.{term}"
            steps = _along(fields, f"{path}.step", iteration)
            sums[f"{path}.number"] = _int32(Array(params)[fields[f"{path}.param"]] + fields[f"{path}.const"] + steps)
    if "scalar" in fields:
        sums["scalar"] = _scalar(fields, iteration, params)
    return sums


def _scalar(fields: Values, iteration: Sequence[Value], params: Sequence[Value]) -> Value:
    """The scalar, plus parameter and steps if an operand is a parameter."""
    operands = [name for name in OPERAND_NAMES if f"{name}.kind" in fields]
    is_param = {name: fields[f"{name}.kind"] == OperandKind.PARAM for name in operands}
    index = fields[f"{operands[0]}.index"]
    for name in operands[1:]:
        index = Mux(is_param[name], fields[f"{name}.index"], index)
    steps = _along(fields, "scalar_step", iteration)
    moved = _int32(Array(params)[index] + fields["scalar"] + steps)
    return Mux(any_of(is_param.values()), moved, fields["scalar"]).as_signed()


def second_cycle(fields: Values, sums: Values) -> dict[str, Value]:
    """The value of every address, and the scalar."""
    values: dict[str, Value] = {}
    for name in (name for name in ADDRESSES if name in sums):
        value = sums[name]
        for path in (f"{name}.term.{term}" for term in range(NUM_TERMS)):
            number = (sums[f"{path}.number"] >> fields[f"{path}.shift"]) & fields[f"{path}.mask"]
            value = value + Mux(fields[f"{path}.used"], _int32(fields[f"{path}.stride"] * number), 0)
        values[name] = _int32(value)
    return values | ({"scalar": sums["scalar"]} if "scalar" in sums else {})


def resolve(m: Module, fields: Values, iteration: Sequence[Value], params: Sequence[Value]) -> dict[str, Value]:
    """Fields and iterations of this cycle in; `ADDRESS_CYCLES` - 1 cycles later, the values of addresses and scalar."""
    sums = registered(m, "sums", first_cycle(fields, iteration, params))
    return second_cycle(registered(m, "fields", fields), sums)


def is_outside(chip: Chip, mnemonics: Sequence[str], values: Values) -> Value:
    """Whether an address of an issue, with these opcode, `sram` flag and address values, lies outside its memory."""
    outside: list[Value] = []
    for mnemonic in mnemonics:
        for operand in INSTRUCTIONS[mnemonic].operands:
            limit = _limit(chip, INSTRUCTIONS[mnemonic], operand, values)
            if limit is not None:
                value = values[operand.field]
                outside.append(is_opcode(values["opcode"], mnemonic) & ((value < 0) | (value >= limit)))
    return any_of(outside)


def _limit(chip: Chip, row: Instruction, operand: Operand, values: Values) -> Value | int | None:
    """How many there are of what an address counts; None where it is no address, or of the SXM, which takes any."""
    if operand.form is not Form.ADDRESS or row.area is Area.SXM:
        return None
    is_sram = values["sram"] if row.field("sram") else Const(1, 1)
    limit_by_word = {
        "word": chip.mem.num_words,
        "byte": chip.mem.num_words * BYTES_PER_WORD,
        "tile": Mux(is_sram, chip.mxm.num_sram_tiles, chip.mxm.num_reram_tiles),
    }
    return limit_by_word.get(operand.word, chip.lanes)
