"""Placement: which tile holds which weights, where constants, KV cache and their scales live.

The placement belongs to the deployment: all programs compiled for it share it. It hands out `Object`s and remembers the
data that the loader puts there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip, SliceKind
from waterclock.compiler.layout import Layout
from waterclock.compiler.tileops import Axis, Reference
from waterclock.errors import InputError
from waterclock.isa.program import Object, Role, Space
from waterclock.isa.record import address


@dataclass(frozen=True, eq=False)
class Image:
    """What the loader writes: `data[layer, index]` at object copy `layer`, word or tile `index`."""

    object: Object
    data: npt.NDArray[np.generic]


@dataclass(frozen=True)
class Part:
    """A piece of one output block: tiles `links` (input block, place) of one MXM."""

    slice: str
    links: tuple[tuple[int, Reference], ...]


TileGrid = tuple[tuple[Part, ...], ...]
"""For each output block of a weight matrix the parts whose int32 sums add up to it."""


def reference(
    obj: Object, index: int = 0, *terms: tuple[int, int, int, int, int], token_stride: int = 0, token_step: int = 0
) -> Reference:
    """Word or tile `index` (+ terms) of the object, in the copy of the current layer; for each further token
    `token_stride` more, and `token_step` more in each term's const."""
    strides: dict[int, int] = {Axis.LAYER: obj.stride if obj.num_layers > 1 else 0, Axis.TOKEN: token_stride}
    return Reference(obj, address(index, *terms, strides=strides, steps={Axis.TOKEN: token_step}))


def assign(num_blocks: int, num_links: int, load: list[int]) -> list[list[tuple[int, range]]]:
    """Spread blocks of `num_links` tiles over the MXMs: whole rounds first, one block each; blocks of the last,
    incomplete round are split where more than one MXM falls to each. `load` (tiles on each MXM) is kept up to date."""
    num_mxm = len(load)
    whole = num_blocks - num_blocks % num_mxm
    parts_each = min(num_links, max(1, num_mxm // max(1, num_blocks - whole)))
    result: list[list[tuple[int, range]]] = [[(j % num_mxm, range(num_links))] for j in range(whole)]
    order = sorted(range(num_mxm), key=lambda m: (load[m], m))
    bounds = [num_links * i // parts_each for i in range(parts_each + 1)]
    for r in range(num_blocks - whole):
        mxms = [order[(r * parts_each + i) % num_mxm] for i in range(parts_each)]
        result.append([(m, range(lo, hi)) for m, lo, hi in zip(mxms, bounds[:-1], bounds[1:], strict=True)])
    for parts in result:
        for m, links in parts:
            load[m] += len(links)
    return result


SHARE_OF_TEMPORARIES = 1 / 2
"""Of a MEM slice, while others have room."""


@dataclass
class _Turns:
    """Names of slices, one after another and over again."""

    names: Sequence[str]
    _begun: int = 0

    def next(self, words: Mapping[str, int], room: float) -> str:
        """The next name with so much room beside its words; the emptiest if there is none."""
        turns = [self.names[(self._begun + i) % len(self.names)] for i in range(len(self.names))]
        chosen = next((name for name in turns if words[name] <= room), min(turns, key=lambda name: words[name]))
        self._begun += turns.index(chosen) + 1
        return chosen


def _outermost(chip: Chip) -> list[str]:
    """The MEM slices, those farthest from the VXM first."""
    vxm = chip.slice_by_name["vxm"].x
    return [piece.name for piece in sorted(chip.slices_of(SliceKind.MEM), key=lambda s: (-abs(s.x - vxm), s.x))]


class Placement:
    """Hands out objects. Layer tiles come first in each MXM, `layer_tiles` apart, so that a layer is a constant stride
    and banks fall alike in all layers."""

    def __init__(self, chip: Chip, num_layers: int, max_context: int) -> None:
        self.chip, self.num_layers, self.max_context = chip, num_layers, max_context
        self.mxms = [s.name for s in chip.slices_of(SliceKind.MXM)]
        self.mems = [s.name for s in chip.slices_of(SliceKind.MEM)]
        self.objects: list[Object] = []
        self._words_by_name: dict[str, Object] = {}
        self._tiles_by_name: dict[str, Object] = {}
        self.images: list[Image] = []
        self._inner, self._outer = (_Turns(names) for names in (self.mems, _outermost(chip)))
        self._words = dict.fromkeys(self.mems, 0)
        self._layer_load = [0] * len(self.mxms)
        self._load = [0] * len(self.mxms)
        self._sram = [0] * len(self.mxms)
        self.layer_tiles = 0

    @property
    def num_positions_blocks(self) -> int:
        """Vectors that hold one value per position of the largest context."""
        return -(-self.max_context // self.chip.lanes)

    def words(
        self, name: str, size: int, role: Role, *, layered: bool = False, slice_name: str | None = None
    ) -> Object:
        """The MEM object of that name, of at least `size` words (in each layer): placed, when first asked for, in the
        given slice or the next one in turn. What a launch reads again and again (state) lies far from the VXM, where
        ports are not taken by temporaries."""
        if name in self._words_by_name:
            obj = self._words_by_name[name]
            assert obj.size >= size, f"{name}: the program that needs most of it comes first"
            return obj
        copies = self.num_layers if layered else 1
        if slice_name is None:
            turns = self._outer if role is Role.STATE else self._inner
            most = (1 - SHARE_OF_TEMPORARIES) * self.chip.mem.num_words
            slice_name = turns.next(self._words, most - size * copies)
        base = self._words[slice_name]
        self._words[slice_name] += size * copies
        self.check_room("mem.num_words", self._words[slice_name], self.chip.mem.num_words, slice_name)
        self._words_by_name[name] = Object(name, slice_name, Space.MEM, base, size, role, copies, size)
        return self._keep(self._words_by_name[name])

    def constant(self, name: str, data: npt.NDArray[np.generic], *, slice_name: str | None = None) -> Object:
        """The constant MEM object of that name; `data[layer or 0, word, lane]` (fp32 or int32)."""
        if name in self._words_by_name:
            return self._words_by_name[name]
        obj = self.words(name, data.shape[1], Role.CONSTANT, layered=data.shape[0] > 1, slice_name=slice_name)
        self.images.append(Image(obj, np.ascontiguousarray(data).view(np.int32)))
        return obj

    def free_word(self, slice_name: str) -> int:
        """The first word of a slice that no object takes: temporaries start here."""
        return self._words[slice_name]

    def plan_layer(self, groups: Sequence[Sequence[tuple[str, int, int]]]) -> dict[str, list[list[tuple[int, range]]]]:
        """Assign the layer's weight matrices, group by group (matrices with one input): rows of (name, output blocks,
        input blocks). Fixes `layer_tiles`."""
        plan: dict[str, list[list[tuple[int, range]]]] = {}
        for group in groups:
            blocks = assign(sum(rows for _, rows, _ in group), group[0][2], self._layer_load)
            for name, rows, _ in group:
                plan[name], blocks = blocks[:rows], blocks[rows:]
        banks = max(1, self.chip.mxm.num_reram_banks)
        self.layer_tiles = -(-max(self._layer_load) // banks) * banks
        self._load = [self.layer_tiles * self.num_layers] * len(self.mxms)
        self._layer_load = [0] * len(self.mxms)
        return plan

    def layer_weights(
        self,
        name: str,
        weights: Sequence[npt.NDArray[np.int8]],
        rows: Layout,
        columns: Layout,
        blocks: list[list[tuple[int, range]]],
    ) -> TileGrid:
        """Place a weight matrix [out, in] of every layer as planned."""
        spread = [columns.spread(rows.spread(w, 0), -1) for w in weights]  # [j, row lane, k, column lane]
        return tuple(
            tuple(self._part(f"{name}[{j}]", m, j, links, spread) for m, links in parts)
            for j, parts in enumerate(blocks)
        )

    def table(self, name: str, weight: npt.NDArray[np.int8], rows: Layout, columns: Layout) -> tuple[Object, ...]:
        """Place a matrix outside the layers so that rows can be looked up: row block j lies in MXM j mod num_mxm, tiles
        (j div num_mxm) * K + k of the returned object of that MXM, K input blocks. All objects are equally large."""
        num_mxm, num_links = len(self.mxms), columns.num_vectors
        rounds = -(-rows.num_vectors // num_mxm)
        spread = columns.spread(rows.spread(weight, 0), -1).swapaxes(1, 2)  # [j, k, row lane, column lane]
        padded = np.zeros((rounds * num_mxm, *spread.shape[1:]), np.int8)
        padded[: rows.num_vectors] = spread
        objects: list[Object] = []
        for m, mxm in enumerate(self.mxms):
            obj = Object(f"{name}.{mxm}", mxm, Space.RERAM, self._load[m], rounds * num_links, Role.CONSTANT)
            self._load[m] += obj.size
            self.check_room("mxm.num_reram_tiles", self._load[m], self.chip.mxm.num_reram_tiles, mxm)
            data = padded[m::num_mxm].reshape(1, obj.size, *spread.shape[2:])
            self.images.append(Image(self._keep(obj), data))
            objects.append(obj)
        return tuple(objects)

    def grid(self, objects: Sequence[Object], num_blocks: int) -> TileGrid:
        """The tiles of a table as the parts of a matrix product."""
        num_links = objects[0].size // -(-num_blocks // len(objects))

        def part(j: int) -> Part:
            obj, base = objects[j % len(objects)], j // len(objects) * num_links
            return Part(obj.slice, tuple((k, reference(obj, base + k)) for k in range(num_links)))

        return tuple((part(j),) for j in range(num_blocks))

    def _part(self, name: str, m: int, j: int, links: range, spread: Sequence[npt.NDArray[np.generic]]) -> Part:
        base = self._layer_load[m]
        obj = Object(
            f"{name}.{self.mxms[m]}",
            self.mxms[m],
            Space.RERAM,
            base,
            len(links),
            Role.CONSTANT,
            self.num_layers,
            self.layer_tiles,
        )
        self._layer_load[m] += len(links)
        top = base + self.layer_tiles * (self.num_layers - 1) + obj.size
        self.check_room("mxm.num_reram_tiles", top, self.chip.mxm.num_reram_tiles, self.mxms[m])
        self.images.append(
            Image(self._keep(obj), np.stack([w[j, :, links.start : links.stop].swapaxes(0, 1) for w in spread]))
        )
        return Part(self.mxms[m], tuple((k, reference(obj, i)) for i, k in enumerate(links)))

    def kv_tiles(self, name: str, turn: int, blocks_per_vector: int) -> Object:
        """The SRAM tiles of that name, for one head's keys or values in every layer: `blocks_per_vector` runs of tiles
        for positions."""
        if name in self._tiles_by_name:
            return self._tiles_by_name[name]
        m = turn % len(self.mxms)
        size = self.num_positions_blocks * blocks_per_vector
        base = self._sram[m]
        self._sram[m] += size * self.num_layers
        self.check_room("mxm.num_sram_tiles", self._sram[m], self.chip.mxm.num_sram_tiles, self.mxms[m])
        obj = Object(name, self.mxms[m], Space.SRAM, base, size, Role.STATE, self.num_layers, size)
        self._tiles_by_name[name] = obj
        return self._keep(obj)

    def _keep(self, obj: Object) -> Object:
        self.objects.append(obj)
        return obj

    def check_room(self, what: str, need: int, have: int, slice_name: str) -> None:
        """InputError where a slice has less than is needed of what the chip's field says."""
        if need > have:
            raise InputError(
                f"chip {self.chip.name}: {what} = {have}: the model needs {need} in {slice_name}; "
                f"choose a larger chip or --set {what}={need}"
            )
