"""A small chip that still has everything: a slice of each kind, all instructions, room for the random programs."""

from waterclock.chip import Chip, load


def small() -> Chip:
    """`tiny` with fewer lanes, streams and slices, and memories just large enough, so that it compiles in seconds."""
    return load("tiny").with_fields({
        "lanes": 4, "num_streams": 16, "num_params": 8, "max_queue_entries": 1024,
        "layout.num_mxm_west": 0, "layout.num_mem_west": 1, "layout.num_mem_east": 1,
        "mem.num_words": 128, "vxm.num_alus": 2, "mxm.num_reram_tiles": 80, "mxm.num_sram_tiles": 80,
    })  # fmt: skip
