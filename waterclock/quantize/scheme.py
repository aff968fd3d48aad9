"""From a float Graph to the quantized Graph that the compiler lowers."""

import gc
from dataclasses import dataclass

import numpy as np

from waterclock.frontends.graph import Graph, GraphError
from waterclock.quantize.fold_norms import fold_norm_gains
from waterclock.quantize.rotate_products import rotate_products
from waterclock.quantize.rotate_residual import rotate_residual
from waterclock.quantize.rotate_values import rotate_values
from waterclock.quantize.to_int8 import to_int8

ROTATIONS = (rotate_residual, rotate_values, rotate_products)


@dataclass(frozen=True)
class Scheme:
    """How a model is quantized: int8 weights per output channel and activations per token, rotated before or not."""

    rotate: bool = True


def quantize(graph: Graph, scheme: Scheme) -> Graph:
    """The quantized Graph of a float Graph; raises GraphError naming the node or the weight that does not fit.

    The operations of the result are defined, bit for bit, by `waterclock.quantize.evaluate`.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused, not warned of
        for rewrite in (fold_norm_gains, *(ROTATIONS if scheme.rotate else ())):
            graph = rewrite(graph)
            gc.collect()  # tracebacks in numba's compiler keep the graph before, all its weights
        quantized = to_int8(graph)
    _check_finite(quantized)
    return quantized


def _check_finite(graph: Graph) -> None:
    for name, constant in graph.constants.items():
        if constant.dtype == np.float32 and not np.isfinite(constant).all():
            raise GraphError(
                f"graph {graph.name}: {name}: too large for float32 once gains and rotations are folded in"
            )
