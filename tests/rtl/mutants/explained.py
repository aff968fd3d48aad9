"""Survivors that are not proven equivalent, and why no default vector kills them."""

from collections.abc import Mapping
from types import MappingProxyType

EXPLANATIONS: Mapping[str, str] = MappingProxyType({})
