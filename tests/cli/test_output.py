import click
import pytest

from homerun.cli.output import ago, clock_time, conditions, cost, duration, last, mark, print_json, section, size, table


@pytest.mark.parametrize(
    "seconds,text",
    [(0.0421, "42 ms"), (3.21, "3.2 s"), (99.9, "99.9 s"), (250, "4m 10s"), (18180, "5h 3m"), (6 * 86400, "6d")],
)
def test_durations_have_the_precision_that_matters(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_columns_line_up_whatever_is_coloured() -> None:
    text = click.unstyle(table(("", "NAME", "X"), [(click.style("✓", fg="green"), "a", 1), ("", "long", "")], "  "))
    assert text == "     NAME  X\n  ✓  a     1\n     long"


def test_a_table_without_rows_is_its_header() -> None:
    assert click.unstyle(table(("A", "B"), [])) == "A  B"


def test_ages_count_from_now_and_are_never_negative() -> None:
    assert ago("1970-01-01T00:00:10Z", 15.2) == "5 s ago"
    assert ago("1970-01-01T00:00:10Z", 5) == "0 s ago"
    assert ago("1970-01-01T00:00:10Z", 310) == "5m 0s ago"
    assert ago(None, 5) == "-"


@pytest.mark.parametrize("amount,text", [(999, "999 B"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (3e9, "3.0 GB")])
def test_sizes(amount: float, text: str) -> None:
    assert size(amount) == text


def test_the_time_of_day_of_a_timestamp() -> None:
    assert clock_time("2024-11-24T11:00:00.123456Z") == "11:00:00.123"
    assert clock_time("2024-11-24T11:00:00Z") == "11:00:00"


@pytest.mark.parametrize("state,sign", [("CONDITION_SUCCEEDED", "✓"), ("CONDITION_FAILED", "✗"), ("", "…")])
def test_marks(state: str, sign: str) -> None:
    assert click.unstyle(mark({"state": state})) == sign
    assert click.unstyle(mark(None)) == "…"


def test_conditions_show_long_messages_indented() -> None:
    resource = {
        "terminalCondition": {"type": "Ready", "state": "CONDITION_FAILED", "message": "one\ntwo"},
        "conditions": [{"type": "RoutesReady"}],
    }
    assert click.unstyle(conditions(resource)) == "  ✗ Ready  one\n      two\n  … RoutesReady"
    assert conditions({}) == "  none yet"


def test_costs_say_whose_prices_they_are() -> None:
    text = cost(
        {"usd": 0.5, "billableSeconds": 2, "vcpuSeconds": 2, "gibSeconds": 1, "requests": 3, "freeTierNote": "note"}
    )
    assert "$0.500000" in text and "Cloud Run's public prices" in text and text.endswith("\n  note")


def test_ids_and_sections_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert last("a/b/c") == "c"
    assert click.unstyle(section("Title", "body")) == "\nTitle\nbody"
    print_json({"a": [1]})
    assert capsys.readouterr().out == '{\n  "a": [\n    1\n  ]\n}\n'
