import pytest

from homerun.core.syslog import syslog_payload


@pytest.mark.parametrize(
    ("message", "severity", "text"),
    [
        ("<34>Oct 11 22:14:15 su[7]: 'su root' failed", "CRITICAL", "su[7]: 'su root' failed"),
        ("<13>Dec  1 09:00:00 app: two words", "NOTICE", "app: two words"),
        ("<191>app: of the last facility", "DEBUG", "app: of the last facility"),
        ("<0>kernel", "EMERGENCY", "kernel"),
        ("<14>", "INFO", ""),
        ("<192>no priority", "DEFAULT", "<192>no priority"),
        ("<x>none", "DEFAULT", "<x>none"),
        ("just words", "DEFAULT", "just words"),
        ("<11>Oct 99 not a time", "ERROR", "Oct 99 not a time"),
    ],
)
def test_the_priority_is_the_severity_and_the_rest_the_text(message: str, severity: str, text: str) -> None:
    said = syslog_payload(message)
    assert (said.severity, said.text, said.json) == (severity, text, None)


def test_json_stays_json_and_its_own_severity_counts() -> None:
    assert syslog_payload('<14>{"a": 1}').json == {"a": 1}
    assert syslog_payload('<14>{"a": 1}').severity == "INFO"
    assert syslog_payload('<14>{"a": 1, "severity": "ALERT"}').severity == "ALERT"
