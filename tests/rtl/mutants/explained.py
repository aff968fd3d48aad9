"""Survivors that are not proven equivalent, and why no default vector kills them."""

from collections.abc import Mapping
from types import MappingProxyType

EXPLANATIONS: Mapping[str, str] = MappingProxyType({
    "icu_0.sequencer $reduce_and$chip.v:2834$1198 A[9] const0": (
        "a fault, with which `make formal` fails: cycles of an iteration are counted up to 2^25 - 1 and no further; "
        "with it they begin anew, and an illegal loop is taken for legal if its body takes over 33 million cycles"
    ),
    "icu_2.sequencer $lt$chip.v:13794$5270 Y[0] const1": (
        "no difference: whether a loop end lies in the queue need not be asked. A level is live only if a loop end "
        "that was loaded noted its head, and the queue has that loop end before its length ends"
    ),
    "icu_2.store words found[21] const0": (
        "no difference for legal entries: bit 21 is the 4 of an xor between lanes, of which there are 4, or the 8 of a "
        "parameter's number, of which there are 8"
    ),
    "alu_1 lane_1_after_3 opcode[6] const0": (
        "no difference: no instruction of an ALU has that bit in its opcode, and what else its queue issues is not its"
    ),
})  # fmt: skip
