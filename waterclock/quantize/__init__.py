"""What precision costs: a float Graph becomes one of int8 products, and the difference is measured."""

from waterclock.quantize.evaluate import QUANTIZED_FUNCTIONS, evaluate_quantized
from waterclock.quantize.scheme import Scheme, quantize

__all__ = ["QUANTIZED_FUNCTIONS", "Scheme", "evaluate_quantized", "quantize"]
