"""What the RTL tests share: they are skipped, with the reason, where Verilator or a compiler is missing."""

from pathlib import Path

import pytest

from waterclock.chip import Chip, load

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if HERE in item.path.parents]
    missing = _missing() if here else None
    for item in here:
        item.add_marker(pytest.mark.rtl)
        if missing:
            item.add_marker(pytest.mark.skip(reason=missing))


def _missing() -> str | None:
    pytest.importorskip("amaranth", reason="the RTL needs the Python package amaranth")
    from waterclock.rtl.verilated import missing_tools

    return missing_tools()


@pytest.fixture(scope="session")
def chip() -> Chip:
    """`tiny` with one ALU, fewer slices and smaller memories, so that it compiles in seconds."""
    return load("tiny").with_fields({
        "lanes": 4, "num_streams": 16, "num_params": 2, "max_queue_entries": 64,
        "layout.num_mxm_west": 0, "layout.num_mem_west": 1, "layout.num_mem_east": 1,
        "mem.num_words": 32, "vxm.num_alus": 1, "vxm.num_holds": 2,
        "mxm.num_reram_tiles": 16, "mxm.num_sram_tiles": 8,
    })  # fmt: skip
