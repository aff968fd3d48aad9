"""Builder: tile operations one by one, as plain function calls on vectors.

The methods mirror `waterclock.numerics`: what a tensor operation means there, in which order, is what is built here.
"""

from collections.abc import Callable, Sequence

import numpy as np

from waterclock.compiler.tileops import Broadcast, Chain, Immediate, Link, Operand, Reference, TileOp, Use, Vector
from waterclock.isa.record import Records
from waterclock.isa.table import INSTRUCTIONS, Width

Source = Vector | Operand | float


def bits_of(value: float) -> int:
    """The int32 whose bits are those of `value` rounded to fp32."""
    return int(np.float32(value).view(np.int32))


class Builder:
    """Collects the operations of one segment; `operation` labels what is built, and `after` sets the parameters that it
    sees, until they are set anew."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.operation = ""
        self.after: TileOp | None = None
        self._operations: list[TileOp | Chain] = []
        self._count = 0

    @property
    def operations(self) -> tuple[TileOp | Chain, ...]:
        """All that was built so far."""
        return tuple(self._operations)

    def vector(self, width: Width = Width.WORD, homes: tuple[Reference, ...] = ()) -> Vector:
        """A fresh vector."""
        self._count += 1
        return Vector(f"{self.operation}#{self._count}", width, homes)

    def emit(self, op: TileOp) -> TileOp:
        """Append an operation."""
        self._operations.append(op)
        return op

    def alu(self, mnemonic: str, *sources: Source, **settings: int) -> Vector:
        """A VXM instruction on vectors, floats (fp32 immediates) or operands; returns its fresh result."""
        row = INSTRUCTIONS[mnemonic]
        assert row.result is not None
        result = self.vector(row.result.width)
        operands = tuple(_operand(source) for source in sources)
        after = self.after if any(isinstance(operand, Broadcast) for operand in operands) else None
        self.emit(TileOp(mnemonic, operands, result, self.operation, settings=settings, after=after))
        return result

    def add(self, a: Source, b: Source) -> Vector:
        return self.alu("vxm.add", a, b)

    def sub(self, a: Source, b: Source) -> Vector:
        return self.alu("vxm.sub", a, b)

    def mul(self, a: Source, b: Source) -> Vector:
        return self.alu("vxm.mul", a, b)

    def max(self, a: Source, b: Source) -> Vector:
        return self.alu("vxm.max", a, b)

    def abs(self, a: Source) -> Vector:
        return self.alu("vxm.abs", a)

    def butterfly(self, a: Vector, mask: int) -> Vector:
        return self.alu("vxm.butterfly", a, mask=mask)

    def tree(self, combine: Callable[[Source, Source], Vector], vectors: Sequence[Vector]) -> Vector:
        """Halving tree over vectors padded to a power of two, missing terms skipped: i with i + half."""
        terms = list(vectors)
        half = 1 << max(len(terms) - 1, 0).bit_length() >> 1
        while half:
            terms = [combine(t, terms[i + half]) if i + half < len(terms) else t for i, t in enumerate(terms[:half])]
            half //= 2
        return terms[0]

    def reduce_add(self, vectors: Sequence[Vector]) -> Vector:
        """Sum of all elements of a logical vector, in every lane."""
        return self.alu("vxm.reduce_add", self.tree(self.add, vectors), segment=self.lanes)

    def reduce_max(self, vectors: Sequence[Vector]) -> Vector:
        """Maximum of all elements of a logical vector, in every lane."""
        return self.alu("vxm.reduce_max", self.tree(self.max, vectors), segment=self.lanes)

    def hadamard(self, vectors: Sequence[Vector], block: int) -> list[Vector]:
        """Unnormalised Hadamard transform of each aligned block of `block` elements; strides block/2 .. 1."""
        current, half = list(vectors), block // 2
        while half >= self.lanes:
            step = half // self.lanes
            current = [self.sub(current[i ^ step], v) if i & step else self.add(v, current[i ^ step])
                       for i, v in enumerate(current)]  # fmt: skip
            half //= 2
        while half:
            current = [self.butterfly(v, half) for v in current]
            half //= 2
        return current

    def quantized(self, x: Sequence[Vector]) -> tuple[list[Vector], Vector]:
        """int8 codes and the scale, by the vector's own maximum."""
        largest = self.reduce_max([self.abs(v) for v in x])
        inverse = self.mul(self.alu("vxm.reciprocal", largest), 127.0)
        codes = [self.alu("vxm.to_int8", self.mul(v, inverse)) for v in x]
        return codes, self.mul(largest, 1 / 127)

    def chain(
        self, mnemonic: str, slice_name: str, links: Sequence[Link], *, unsigned: bool = False, sram: bool = False
    ) -> Vector:
        """Matvecs into one accumulator of one MXM; the result is the int32 sum."""
        result = self.vector()
        self._operations.append(Chain(mnemonic, slice_name, tuple(links), result, self.operation, unsigned, sram))
        return result

    def memory(
        self,
        mnemonic: str,
        slice_name: str,
        operands: Sequence[Vector],
        address: Reference,
        place: Records | None = None,
        *,
        result: Vector | None = None,
        publishes: tuple[Vector, ...] = (),
    ) -> TileOp:
        """An instruction of a MEM, MXM or SXM slice with an address."""
        return self.emit(
            TileOp(
                mnemonic,
                tuple(Use(v) for v in operands),
                result,
                self.operation,
                slice_name,
                address,
                place,
                publishes=publishes,
                after=self.after,
            )
        )


def _operand(source: Source) -> Operand:
    if isinstance(source, Vector):
        return Use(source)
    if isinstance(source, (Use, Immediate, Broadcast)):
        return source
    return Immediate(bits_of(source))
