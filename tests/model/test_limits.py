"""The limits, against the contract."""

import pytest

from homerun.model import limits


def test_a_range_names_what_is_wrong() -> None:
    assert limits.CONCURRENCY.complaint(1000) is None
    assert limits.CONCURRENCY.complaint(1001) == "must be between 1 and 1000, and is 1001"
    assert limits.MAX_RETRIES.complaint(-1) == "must be between 0 and 10, and is -1"
    assert str(limits.MAX_RETRIES) == "0 to 10"


def test_a_duration_is_its_seconds() -> None:
    assert limits.REQUEST_TIMEOUT.complaint("3600s") is None
    assert limits.REQUEST_TIMEOUT.complaint("0s") is None, "the same as absent"
    assert limits.REQUEST_TIMEOUT.complaint("3600.5s") == "must be between 1 and 3600 seconds, and is 3600.5"
    assert limits.REQUEST_TIMEOUT.complaint("-5s") == "'-5s' is no duration: write seconds with an s, such as 300s"
    assert str(limits.TASK_TIMEOUT) == "1 to 604800 seconds"


def test_what_has_a_length_has_at_most_one() -> None:
    few = limits.AtMost(2, "things")
    assert (few.complaint([1, 2]), few.complaint([1, 2, 3])) == (None, "has 3 things; at most 2 are allowed")
    assert str(limits.AtMost(1000, "things")) == "at most 1,000 things"


def test_a_text_says_what_it_must_be() -> None:
    assert limits.LABEL.complaint("a-1") is None
    assert limits.LABEL.complaint("A" * 100) == f"must be {limits.LABEL.says}, and is {'A' * 70!r}"


@pytest.mark.parametrize("bounds", limits.MEMORY_OF_CPU)
def test_every_amount_of_cpu_has_some_memory_that_is_allowed(bounds: tuple[float, int, int]) -> None:
    _, low, high = bounds
    assert limits.MEMORY.low <= low < high <= limits.MEMORY.high


def test_more_cpu_never_allows_less_memory() -> None:
    assert list(limits.MEMORY_OF_CPU) == sorted(limits.MEMORY_OF_CPU)
    highs = [high for _, _, high in limits.MEMORY_OF_CPU]
    assert highs == sorted(highs)
