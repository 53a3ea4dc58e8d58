import pytest

from homerun.model.severity import SEVERITIES, severity_name, severity_number, written_severity


def test_names_and_numbers() -> None:
    assert [severity_number(name) for name in SEVERITIES] == list(range(0, 900, 100))
    assert [severity_name(severity_number(name)) for name in SEVERITIES] == list(SEVERITIES)
    assert (severity_name(250), severity_name(-1), severity_name(9999)) == ("INFO", "DEFAULT", "EMERGENCY")
    assert severity_number("250") == 250
    with pytest.raises(ValueError):
        severity_number("loud")


def test_what_loggers_write() -> None:
    assert [written_severity(said) for said in ("warn", "Info", "crit", 400, True, None, "x")] == [
        "WARNING",
        "INFO",
        "CRITICAL",
        "WARNING",
        None,
        None,
        None,
    ]
