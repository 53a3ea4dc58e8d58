"""google.logging.type.LogSeverity."""

from __future__ import annotations

SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
"""In order; the number of each is a hundred times its place."""

_ALSO = {
    "TRACE": "DEBUG",
    "INFORMATION": "INFO",
    "WARN": "WARNING",
    "ERR": "ERROR",
    "SEVERE": "ERROR",
    "CRIT": "CRITICAL",
    "FATAL": "CRITICAL",
    "PANIC": "EMERGENCY",
    "EMERG": "EMERGENCY",
}
"""What loggers write for them."""


def severity_number(text: str) -> int:
    """By name or number. Raises ValueError."""
    if text.isascii() and text.isdigit():
        return int(text[:9])
    return 100 * SEVERITIES.index(text.upper())


def severity_name(number: int) -> str:
    """The nearest that is not above it."""
    return SEVERITIES[max(0, min(number // 100, len(SEVERITIES) - 1))]


def written_severity(value: object) -> str | None:
    """What a line of JSON says of itself, in whatever case and by whichever logger; None: that is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return severity_name(value)
    text = str(value).upper()
    return text if text in SEVERITIES else _ALSO.get(text)
