import pytest

from homerun.model.quantity import parse_bytes, parse_cpu, parse_seconds


@pytest.mark.parametrize(("text", "cores"), [("1", 1), ("1000m", 1), ("0.5", 0.5), ("80m", 0.08)])
def test_cpu(text: str, cores: float) -> None:
    assert parse_cpu(text) == cores


@pytest.mark.parametrize(
    ("text", "size"), [("512Mi", 512 << 20), ("2Gi", 2 << 30), ("1G", 10**9), ("128", 128), ("1k", 1000)]
)
def test_bytes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(("text", "seconds"), [("300s", 300), ("0.5s", 0.5)])
def test_seconds(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("parse", [parse_cpu, parse_bytes, parse_seconds])
@pytest.mark.parametrize("text", ["", "much", "-1", "1Xi", "1 Gi"])
def test_what_is_no_quantity_is_explained(parse, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="write"):
        parse(text)


def test_units_of_memory_are_no_units_of_cpu() -> None:
    with pytest.raises(ValueError):
        parse_cpu("512Mi")
    with pytest.raises(ValueError):
        parse_bytes("500m")
