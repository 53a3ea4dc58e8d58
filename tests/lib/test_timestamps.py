import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.lib.timestamps import from_rfc3339, to_rfc3339


def test_the_proto3_json_form() -> None:
    assert to_rfc3339(1732446000.25) == "2024-11-24T11:00:00.250000Z"


@given(st.integers(0, 4_000_000_000_000_000))
def test_what_is_written_reads_the_same(micros: int) -> None:
    assert from_rfc3339(to_rfc3339(micros / 1e6)) == pytest.approx(micros / 1e6, abs=1e-6)


@pytest.mark.parametrize(
    "text", ["2024-11-24T11:00:00.250000123Z", "2024-11-24T12:00:00.25+01:00", "2024-11-24T11:00:00.250"]
)
def test_other_ways_to_write_the_same_moment(text: str) -> None:
    assert from_rfc3339(text) == 1732446000.25


def test_what_is_no_timestamp_is_refused() -> None:
    with pytest.raises(ValueError):
        from_rfc3339("yesterday")
