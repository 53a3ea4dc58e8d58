"""The rules of schedules (Cloud Scheduler API v1, contract §8), paths below the Job.

That its `schedule` can be read is asked where it is read (core.english): it is a language, not a limit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from homerun.model.identity import is_email, is_service_account
from homerun.model.limits import AtMost, Range, Seconds, Text
from homerun.model.quantity import parse_seconds
from homerun.model.rules import HOMERUN, Rule, field, required
from homerun.model.schedule import TARGETS, time_zone

Json = Mapping[str, Any]
Wrong = Iterator[tuple[str, str]]

FIELDS, SEMANTICS, HTTP, PUBSUB = "§8.2", "§8.3", "§8.4", "§8.5"
SCHEDULE_ID = Text(r"[A-Za-z0-9_-]{1,500}", "1 to 500 letters, digits, '-' and '_'")
_DEADLINE = Seconds(Range(15, 1800, " seconds"))
_SIZE, _HEADERS = 1 << 20, 80 << 10
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TOPIC = re.compile(r"projects/([^/\s]+)/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
_WITH_BODY = ("POST", "PUT", "PATCH")
_GOOGLE = ".googleapis.com"


def _one_target(job: Json, owner: str) -> Wrong:
    found = [target for target in TARGETS if target in job]
    if len(found) != 1:
        yield "httpTarget", f"one of {', '.join(TARGETS)} is required" + (f", not {len(found)}" if found else "")


def _size(job: Json, owner: str) -> Wrong:
    size = len(json.dumps(job, ensure_ascii=False).encode())
    if size > _SIZE:
        yield "", f"the job has {size} bytes; at most {_SIZE} are allowed"


def _zone(name: str, owner: str) -> Wrong:
    try:
        time_zone(name)
    except ValueError as error:
        yield "", str(error)


def _uri(uri: str, owner: str) -> Wrong:
    try:
        parts = urlsplit(uri)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"[\s\x00-\x20\x7f]", uri):
        yield "", f"must be a URL that begins with http:// or https://, without spaces, and is {uri[:70]!r}"
    elif "@" in parts.netloc:
        yield "", "must hold no user name and password: send them in headers, as Authorization"


def _body(target: Json, owner: str) -> Wrong:
    method = target.get("httpMethod", "POST")
    if target.get("body") and method not in _WITH_BODY:
        yield "body", f"is allowed with {', '.join(_WITH_BODY)} only, and httpMethod is {method}"


def _header_lines(headers: Json, owner: str) -> Wrong:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            yield f"[{name}]", "the name must have letters, digits and '-' only"
        elif not _VALUE.fullmatch(value):
            yield f"[{name}]", "the value must be one line of Latin-1 text"


def _header_size(headers: Json, owner: str) -> Wrong:
    size = sum(len(name.encode()) + len(value.encode()) for name, value in headers.items())
    if size > _HEADERS:
        yield "", f"have {size} bytes in names and values; at most {_HEADERS} are allowed"


def _one_token(target: Json, owner: str) -> Wrong:
    if "oauthToken" in target and "oidcToken" in target:
        yield "oidcToken", "must be left out when oauthToken is given"


def _account(email: str, owner: str) -> Wrong:
    if not is_email(email) or not is_service_account(email):
        yield "", f"must be the address of a service account, NAME@PROJECT.iam.gserviceaccount.com, and is {email!r}"


def _oauth(target: Json, owner: str) -> Wrong:
    """An access token opens homerun's API to whoever sees it."""
    if "oauthToken" in target and not _is_google(target.get("uri", "")):
        yield (
            "oauthToken",
            f"is for URLs of *{_GOOGLE} only, such as https://run.googleapis.com/v2/…:run: use oidcToken elsewhere",
        )


def _is_google(uri: str) -> bool:
    try:
        return f".{urlsplit(uri).hostname or ''}".endswith(_GOOGLE)
    except ValueError:
        return False


def _topic(name: str, owner: str) -> Wrong:
    if not _TOPIC.fullmatch(name):
        yield "", f"must be of the form projects/PROJECT/topics/TOPIC, and is {name[:70]!r}"


def _message(target: Json, owner: str) -> Wrong:
    if not target.get("data") and not target.get("attributes"):
        yield "data", "is required, or at least one of attributes: a message is not empty"


def _backoffs(config: Json, owner: str) -> Wrong:
    try:
        low, high = (parse_seconds(config.get(f"{end}BackoffDuration", "0s")) for end in ("min", "max"))
    except ValueError:
        return  # each says so itself
    if low > (high or 3600):
        yield "minBackoffDuration", f"must not be longer than maxBackoffDuration, {high or 3600:g} seconds"


def _absent(why: str) -> Any:
    def wrong(value: Any, owner: str) -> Wrong:
        yield "", why

    return wrong


UNSUPPORTED = {
    "appEngineHttpTarget": "there is no App Engine here: deploy it as a service, and give its URL in httpTarget",
}
_DURATION = Seconds(Range(0, 10_000 * 86400, " seconds"))

SCHEDULE = (
    Rule("", f"at most {_SIZE:,} bytes in all", "§8.1", _size),
    field("description", AtMost(500, "characters"), FIELDS),
    required("schedule", 'unix-cron, such as "*/5 * * * *", or App Engine\'s English: "every 5 minutes"', FIELDS),
    Rule("timeZone", "a name of the tz database; none is UTC", FIELDS, _zone),
    Rule("httpTarget", "this or another target, and only one", FIELDS, _one_target, at=""),
    *(Rule(path, "none", HOMERUN, _absent(why)) for path, why in UNSUPPORTED.items()),
    required("httpTarget.uri", "the URL to be called", HTTP),
    Rule("httpTarget.uri", "http:// or https://, and no password", HTTP, _uri),
    field("httpTarget.uri", AtMost(2083, "characters"), HTTP),
    Rule("httpTarget.body", f"with {', '.join(_WITH_BODY)} only", HTTP, _body, at="httpTarget"),
    Rule("httpTarget.headers[*]", "one line of text", HTTP, _header_lines, at="httpTarget.headers"),
    Rule("httpTarget.headers", f"at most {_HEADERS:,} bytes together", HTTP, _header_size),
    Rule("httpTarget.oidcToken", "not beside oauthToken", HTTP, _one_token, at="httpTarget"),
    Rule("httpTarget.oauthToken", f"for URLs of *{_GOOGLE} only", HOMERUN, _oauth, at="httpTarget"),
    *(
        rule
        for token in ("oidcToken", "oauthToken")
        for rule in (
            required(f"httpTarget.{token}.serviceAccountEmail", "who calls", HTTP),
            Rule(f"httpTarget.{token}.serviceAccountEmail", "a service account", HTTP, _account),
        )
    ),
    required("pubsubTarget.topicName", "where messages go", PUBSUB),
    Rule("pubsubTarget.topicName", "projects/PROJECT/topics/TOPIC", PUBSUB, _topic),
    Rule("pubsubTarget.data", "this, or attributes", PUBSUB, _message, at="pubsubTarget"),
    field("retryConfig.retryCount", Range(0, 5), SEMANTICS),
    field("retryConfig.maxRetryDuration", _DURATION, SEMANTICS),
    field("retryConfig.minBackoffDuration", _DURATION, SEMANTICS),
    Rule("retryConfig.minBackoffDuration", "not above maxBackoffDuration", SEMANTICS, _backoffs, at="retryConfig"),
    field("retryConfig.maxBackoffDuration", _DURATION, SEMANTICS),
    field("retryConfig.maxDoublings", Range(0, 100), SEMANTICS),
    field("attemptDeadline", _DEADLINE, FIELDS),
)
