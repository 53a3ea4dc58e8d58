"""The limits, against the contract."""

import pytest

from homerun.model import limits


def test_a_range_names_what_is_wrong() -> None:
    assert limits.REQUEST_TIMEOUT.complaint(3600) is None
    assert limits.REQUEST_TIMEOUT.complaint(3601) == "must be between 1 and 3600 seconds, and is 3601"
    assert limits.MAX_RETRIES.complaint(-1) == "must be between 0 and 10, and is -1"


@pytest.mark.parametrize("bounds", limits.MEMORY_OF_CPU)
def test_every_amount_of_cpu_has_some_memory_that_is_allowed(bounds: tuple[float, int, int]) -> None:
    _, low, high = bounds
    assert limits.MEMORY.low <= low < high <= limits.MEMORY.high


def test_more_cpu_never_allows_less_memory() -> None:
    assert list(limits.MEMORY_OF_CPU) == sorted(limits.MEMORY_OF_CPU)
    highs = [high for _, _, high in limits.MEMORY_OF_CPU]
    assert highs == sorted(highs)
