import pytest

from homerun.core.backoff import delay


@pytest.mark.parametrize(("failures", "seconds"), [(0, 0), (-1, 0), (1, 1), (2, 2), (3, 4), (7, 60), (10_000, 60)])
def test_delays_double_up_to_the_most(failures: int, seconds: float) -> None:
    assert delay(failures) == seconds


def test_all_of_it_can_be_chosen() -> None:
    assert [delay(n, first=0.1, factor=3, most=1) for n in (1, 2, 3)] == pytest.approx([0.1, 0.3, 0.9])
