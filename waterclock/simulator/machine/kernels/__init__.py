"""All kernels, by mnemonic and by number."""

from collections.abc import Mapping
from types import MappingProxyType

from waterclock.simulator.machine.kernels import products, stores, vectors
from waterclock.simulator.machine.kernels.memory import Kernel

KERNELS: Mapping[str, Kernel] = MappingProxyType({
    **vectors.ELEMENTWISE_KERNELS,
    "icu.set_param": stores.set_param,
    "mem.read8": stores.read8,
    "mem.read32": stores.read32,
    "mem.write8": stores.write8,
    "mem.write32": stores.write32,
    "mem.write_lane": stores.write_lane,
    "vxm.butterfly": vectors.butterfly,
    "vxm.reduce_add": vectors.reduce_add,
    "vxm.reduce_max": vectors.reduce_max,
    "vxm.lane_index": vectors.lane_index,
    "sxm.rotate": vectors.rotate,
    "sxm.permute": vectors.permute,
    "sxm.broadcast": vectors.broadcast,
    "sxm.mask": vectors.mask,
    "sxm.transpose": vectors.transpose,
    "mxm.matvec": products.matvec,
    "mxm.matvec_t": products.matvec_t,
    "mxm.read_row": stores.read_row,
    "mxm.write_row": stores.write_row,
})  # fmt: skip
"""The kernel of every mnemonic that issues."""

_PREPARING = (
    stores.arrive_param,
    stores.broadcast_param,
    vectors.byte_plane,
    vectors.lane_xor,
    products.matvecs,
)

PREPARATIONS: Mapping[str, Kernel] = MappingProxyType({
    kernel.__name__: kernel for kernel in _PREPARING
})  # fmt: skip
"""Kernels that no instruction names."""

NUMBER_BY_KERNEL: Mapping[str, int] = MappingProxyType(
    {name: number for number, name in enumerate([*KERNELS, *PREPARATIONS])}
)
FUNCTIONS: tuple[Kernel, ...] = (*KERNELS.values(), *PREPARATIONS.values())
"""All kernels, by number."""
