"""How a logical tensor is cut into vectors of `lanes` elements."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Layout:
    """`elements[v, lane]` is the logical element in that lane of vector v, -1 for padding (a zero)."""

    elements: npt.NDArray[np.int32]

    @property
    def num_vectors(self) -> int:
        return self.elements.shape[0]

    def spread(self, values: npt.NDArray[np.generic], axis: int = -1) -> npt.NDArray[np.generic]:
        """`values` with the logical axis replaced by two axes (vector, lane); padding is zero."""
        moved = np.moveaxis(values, axis, -1)
        padded = np.concatenate([moved, np.zeros((*moved.shape[:-1], 1), moved.dtype)], axis=-1)
        return np.moveaxis(padded[..., self.elements], (-2, -1), (axis - 1, axis) if axis < 0 else (axis, axis + 1))


def plain(size: int, lanes: int) -> Layout:
    """Element e in lane e mod lanes of vector e div lanes."""
    num_vectors = -(-size // lanes)
    elements = np.arange(num_vectors * lanes, dtype=np.int32).reshape(num_vectors, lanes)
    return Layout(np.where(elements < size, elements, -1))


def heads(num_heads: int, head_dim: int, lanes: int) -> Layout:
    """Each head starts a vector of its own."""
    one = plain(head_dim, lanes).elements
    return Layout(np.concatenate([np.where(one >= 0, one + h * head_dim, -1) for h in range(num_heads)]))
