"""A message to syslog as the payload of a log entry: `<34>Oct 11 22:14:15 su[7]: 'su root' failed` (RFC 3164).

Its priority is its severity, unless it is JSON that says otherwise. Its time has no year and no fraction: when it came
is known better. The tag stays in the text.
"""

from __future__ import annotations

import re
from dataclasses import replace

from homerun.core.log_payload import Payload, payload

_HEADER = re.compile(r"<(\d{1,3})>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?")
_MOST = 191
"""23 facilities and a severity."""
_SEVERITIES = ("EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG")


def syslog_payload(message: str) -> Payload:
    header = _HEADER.match(message)
    if header is None or int(header[1]) > _MOST:
        return payload(message)
    said = payload(message[header.end() :])
    return said if said.severity != "DEFAULT" else replace(said, severity=_SEVERITIES[int(header[1]) % 8])
