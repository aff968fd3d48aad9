"""Softmax in float64 that gives the same bits on every platform and with any number of threads.

Only operations that IEEE 754 rounds correctly are used, one numpy call for each, and sums run from left to right.
numpy's own `exp` and `sum` choose another code, and with it other last bits, for each kind of processor.
"""

import math
from decimal import Context, Decimal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LOWEST = -750.0
"""e to this is 0 in float64, as it is below."""
_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
"""The first 32 bits of ln 2, so that a multiple up to 2^21 is exact, and the rest."""
_COEFFICIENTS = [1 / math.factorial(degree) for degree in range(13, -1, -1)]
"""Taylor's, the highest degree first: within ln 2 / 2 of 0 what is left out is below 2^-57 of the result."""
_CONTEXT = Context(prec=40)


def exp(x: Floats) -> Floats:
    """e^x of values from -inf up to 0, within 2 units in the last place of float64."""
    x = np.maximum(x, LOWEST)
    power = np.rint(x * _LOG2_E)
    rest = (x - power * _LN2_HIGH) - power * _LN2_LOW
    value = np.zeros_like(rest)
    for coefficient in _COEFFICIENTS:
        value = value * rest + coefficient
    return np.ldexp(value, power.astype(np.int32))


def log(x: float) -> float:
    """The natural logarithm of a positive value: `decimal` rounds it correctly."""
    return float(Decimal(x).ln(_CONTEXT))


def running_sum(values: Floats) -> Floats:
    """The sums of the first 1, 2, ... values, each added to the one before."""
    return np.cumsum(values)


def log_softmax(logits: Floats) -> Floats:
    """The natural logarithm of each token's probability; -inf where a logit is."""
    below = logits - logits.max()
    return below - log(float(running_sum(exp(below))[-1]))
