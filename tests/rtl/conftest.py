"""What the RTL tests share: they are skipped, with the reason, where Verilator or a compiler is missing."""

from pathlib import Path

import pytest

from tests.rtl.small import small
from waterclock.chip import Chip

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if HERE in item.path.parents]
    missing = _missing() if here else None
    for item in here:
        item.add_marker(pytest.mark.rtl)
        if missing:
            item.add_marker(pytest.mark.skip(reason=missing))


def _missing() -> str | None:
    from waterclock.rtl.tools import missing_tools

    return missing_tools()


OTHER_TIMES = {
    "latency.mem_read": 3, "latency.vxm_add": 6, "latency.matvec": 8, "mxm.sense_cycles": 2, "mxm.num_sram_banks": 1,
}  # fmt: skip


@pytest.fixture(scope="session", params=[{}, pytest.param(OTHER_TIMES, marks=pytest.mark.slow)], ids=["tiny", "slower"])
def chip(request: pytest.FixtureRequest) -> Chip:
    """The small chip, also with other times."""
    return small().with_fields(request.param)
