# Two words meet at the VXM, one from the west and one from the east; their sum is written to MEM. For chip `tiny`:
#
#     mxm0 | sxm0 | mem0 | mem1 | vxm | mem2 | mem3 | sxm1 | mxm1
#
# A read takes 2 cycles and a sum 4; every slice on the way takes one more.

queue mem0:
    icu.start
    mem.read32 word[0] -> s0e        # issued in cycle 0, at mem0 in cycle 2, at the VXM in cycle 4

queue mem3:
    icu.start
    mem.read32 word[0] -> s4w        # the same from the other side
    icu.nop n=9
    mem.write32 s8e, word[1]         # cycle 10: the sum has come by way of mem2

queue vxm.alu0:
    icu.start
    icu.nop n=4
    vxm.add s0e, s4w -> s8e          # cycle 4; the sum is at the VXM in cycle 8
