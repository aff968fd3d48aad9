"""Proofs about the RTL: queues, streams, fp32 sums and products. `PROOFS` has all of them by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from waterclock.rtl.formal import icu, products, streams, sums
from waterclock.rtl.formal.proof import Proof

PROOFS: Final[Mapping[str, Proof]] = MappingProxyType(
    {proof.name: proof for module in (icu, streams, sums, products) for proof in module.PROOFS}
)
