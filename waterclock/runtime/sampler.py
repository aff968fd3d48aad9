"""From logits to a token, on the host.

The filters and their order are llama.cpp's (its default chain, without those that Waterclock lacks): repetition
penalty, top-k, top-p, min-p, then temperature, then the draw. Models come as GGUF files, and with the temperature last
it makes the choice among the kept tokens more or less even but has no say in which are kept. (vLLM and transformers
divide by the temperature before they filter.) top-p counts probabilities among the tokens that top-k kept.

- Repetition penalty: Keskar et al., "CTRL", arXiv 1909.05858, equation in 4.1, with the field's amendment that a
  negative logit is multiplied, for dividing it would make it likelier. Recent tokens count once, the prompt's as well.
- top-k: Fan et al., arXiv 1805.04833. top-p: Holtzman et al., arXiv 1904.09751. min-p: Nguyen et al., arXiv 2407.01082.

The same logits, tokens so far and Sampling give the same token everywhere. Arithmetic is `waterclock.runtime.softmax`,
equal logits are ordered by token id, and the draw at a position is the first output of the counter-based generator
Philox 4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with the seed as its key and the
position as its counter: what was drawn before has no part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.errors import InputError
from waterclock.runtime.sampling import Sampling
from waterclock.runtime.softmax import LOWEST, Floats, exp, log_softmax, running_sum

Logits = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Candidates:
    """The tokens that the filters kept, the likeliest first, equal ones by id. A weight is proportional to the token's
    probability; the first weighs 1.
    """

    tokens: Ids
    weights: Floats

    def pick(self, share: float) -> int:
        """The token at a share, 0 <= share < 1, of all weights in order: the inverse of the distribution function."""
        ends = running_sum(self.weights)
        return int(self.tokens[np.searchsorted(ends, share * ends[-1], side="right")])


@dataclass(frozen=True)
class TokenLogprob:
    """The natural logarithm of a token's probability."""

    token: int
    logprob: float


@dataclass(frozen=True)
class Logprobs:
    """Of the chosen token and of the most likely ones, the likeliest first; impossible tokens are left out.

    They are the log-softmax of the raw logits, before penalty, filters and temperature, as in vLLM.
    """

    chosen: float
    top: tuple[TokenLogprob, ...]


def choose(logits: Logits, tokens: Sequence[int], sampling: Sampling) -> int:
    """The token that follows `tokens`, whose last one gave the logits, float32 [vocab].

    InputError for logits that are no distribution: NaN, +inf or nothing but -inf.
    """
    if not sampling.draws:
        return int(_penalised(logits, tokens, sampling).argmax())
    return candidates(logits, tokens, sampling).pick(uniform(sampling.seed, len(tokens) - 1))


def candidates(logits: Logits, tokens: Sequence[int], sampling: Sampling) -> Candidates:
    """What `choose` draws from; the temperature must be above 0."""
    values = _penalised(logits, tokens, sampling)
    ids = _most_likely(values, sampling.top_k or len(values))
    below = values[ids] - values[ids[0]]
    weights = exp(below)
    num_kept = min(_num_together(weights, sampling.top_p), int((weights >= sampling.min_p).sum()))
    temperature = sampling.temperature
    return Candidates(ids[:num_kept], exp(np.maximum(below[:num_kept], LOWEST * temperature) / temperature))


def uniform(seed: int, position: int) -> float:
    """A multiple of 2^-53 from 0 up to 1, which depends on the seed and the position alone."""
    bits: int = np.random.Philox(key=seed, counter=position).random_raw()
    return (bits >> 11) * 2.0**-53


def logprobs(logits: Logits, token: int, num_top: int) -> Logprobs:
    """Of `token` and of the `num_top` most likely ones. InputError as in `choose`."""
    values = _checked(logits)
    logprob = log_softmax(values)
    top = tuple(TokenLogprob(int(id_), float(logprob[id_])) for id_ in _most_likely(values, num_top))
    return Logprobs(float(logprob[token]), top)


def _checked(logits: Logits) -> Floats:
    """The same values in float64, exact."""
    if not np.isfinite(logits.max()):
        raise InputError("logits: hold NaN or +inf, or nothing but -inf: no token can be chosen")
    return logits.astype(np.float64)


def _penalised(logits: Logits, tokens: Sequence[int], sampling: Sampling) -> Floats:
    values, penalty = _checked(logits), sampling.repetition_penalty
    if penalty == 1:
        return values
    recent = np.array(tokens[-sampling.repetition_window :], np.int64)
    values[recent] = np.where(values[recent] > 0, values[recent] / penalty, values[recent] * penalty)
    return values


def _most_likely(values: Floats, num: int) -> Ids:
    """The ids of the `num` largest values, falling, equal ones by id; those of -inf never."""
    possible = np.flatnonzero(values > -np.inf)
    if num == 0:
        return possible[:0]
    if num < len(possible):  # so that few are sorted
        possible = possible[values[possible] >= np.partition(values[possible], -num)[-num]]
    return possible[np.argsort(-values[possible], kind="stable")][:num]


def _num_together(weights: Floats, share: float) -> int:
    """The fewest first tokens that have this share of all weights."""
    if share == 1:
        return len(weights)
    ends = running_sum(weights)
    return int((ends < share * ends[-1]).sum()) + 1
