"""The flags of `homerun schedules create` and `update`, under gcloud's names, and the Job that they make."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import click

from homerun.cli.client import Json
from homerun.cli.flags import parse_duration
from homerun.cli.lists import split_list, split_pairs

Command = TypeVar("Command", bound=Callable[..., Any])
_METHODS = ("POST", "GET", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")

_FIELDS = {
    "schedule": "schedule",
    "time_zone": "timeZone",
    "description": "description",
    "attempt_deadline": "attemptDeadline",
    "max_retry_attempts": "retryConfig.retryCount",
    "max_retry_duration": "retryConfig.maxRetryDuration",
    "min_backoff": "retryConfig.minBackoffDuration",
    "max_backoff": "retryConfig.maxBackoffDuration",
    "max_doublings": "retryConfig.maxDoublings",
}
"""By parameter, where its value goes."""
_TARGETS = {
    "httpTarget": {
        "uri": "uri",
        "http_method": "httpMethod",
        "headers": "headers",
        "message_body": "body",
        "oidc_service_account_email": "oidcToken.serviceAccountEmail",
        "oidc_token_audience": "oidcToken.audience",
        "oauth_service_account_email": "oauthToken.serviceAccountEmail",
        "oauth_token_scope": "oauthToken.scope",
    },
    "pubsubTarget": {"topic": "topicName", "attributes": "attributes", "message_body": "data"},
}
"""Likewise, within a target."""
_PAIRS = ("headers", "attributes")
_DURATIONS = ("attempt_deadline", "max_retry_duration", "min_backoff", "max_backoff")
TOKENS = ("httpTarget.oidcToken", "httpTarget.oauthToken")

_RESETS = ("time_zone", "max_retry_attempts", "max_retry_duration", "min_backoff", "max_backoff", "max_doublings")

_COMMON = [
    click.option("--time-zone", metavar="ZONE", help="Of the tz database, such as Europe/Berlin. Default: UTC."),
    click.option("--description", metavar="TEXT", help="What it is for."),
    click.option("--max-retry-attempts", type=int, metavar="N", help="Retries after a failure: 0 to 5 (0)."),
    click.option("--max-retry-duration", metavar="TIME", help="Retry for so long, at least; 0: no matter (0)."),
    click.option("--min-backoff", metavar="TIME", help="Before the first retry (5s)."),
    click.option("--max-backoff", metavar="TIME", help="Longest between two retries (1h)."),
    click.option("--max-doublings", type=int, metavar="N", help="How often that time doubles (5)."),
]
_BODY = [
    click.option("--message-body", metavar="TEXT", help="Body of the request, or of the message."),
    click.option("--message-body-from-file", type=click.File("rb"), metavar="FILE", help="The same, from a file."),
]
_HTTP = [
    click.option("--attempt-deadline", metavar="TIME", help="Longest that an attempt may take: 15s to 30m (180s)."),
    click.option("--http-method", type=click.Choice(_METHODS, case_sensitive=False), help="Default: POST."),
    click.option("--headers", metavar="K=V,…", help="Headers of the request."),
    click.option("--oidc-service-account-email", metavar="EMAIL",
                 help="Call with an ID token of this account: for private services."),
    click.option("--oidc-token-audience", metavar="URL", help="Of that token. Default: what is called."),
    click.option("--oauth-service-account-email", metavar="EMAIL",
                 help="Call with an access token of this account: for *.googleapis.com, such as running a job."),
    click.option("--oauth-token-scope", metavar="SCOPE", help="Of that token; stored only."),
]  # fmt: skip


def schedule_option(*, required: bool) -> Callable[[Command], Command]:
    return click.option("--schedule", required=required, metavar="WHEN", help='"*/5 * * * *", or "every monday 09:00".')


def uri_option(*, required: bool) -> Callable[[Command], Command]:
    return click.option("--uri", required=required, metavar="URL", help="What is called.")


def topic_option(*, required: bool) -> Callable[[Command], Command]:
    return click.option(
        "--topic", required=required, metavar="TOPIC", help="Where messages go: T, or projects/P/topics/T."
    )


def http_options(command: Command) -> Command:
    return _with(command, [*_COMMON, *_BODY, *_HTTP])


def pubsub_options(command: Command) -> Command:
    attributes = click.option("--attributes", metavar="K=V,…", help="Attributes of the message.")
    return _with(command, [*_COMMON, *_BODY, attributes])


def change_options(pairs: str) -> Callable[[Command], Command]:
    """What only `update` has. `pairs`: headers or attributes."""
    changes = [
        click.option(f"--update-{pairs}", "update_pairs", metavar="K=V,…", help=f"Change or add {pairs}."),
        click.option(f"--remove-{pairs}", "remove_pairs", metavar="K,…", help=f"Remove {pairs}."),
        click.option(f"--clear-{pairs}", "clear_pairs", is_flag=True, help=f"Without {pairs}."),
    ]
    resets = [
        click.option(f"--clear-{name.replace('_', '-')}", is_flag=True, help="Back to the default.") for name in _RESETS
    ]
    return lambda command: _with(command, [*changes, *resets])


def _with(command: Command, options: list[Callable[[Any], Any]]) -> Command:
    decorated: Any = command
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def resets(given: dict[str, Any]) -> list[str]:
    """Fields that are to have their defaults again; takes their flags out of `given`."""
    return [_FIELDS[name] for name in _RESETS if given.pop(f"clear_{name}", False)]


def changed_pairs(before: dict[str, str], update: str | None, remove: str | None, flag: str) -> dict[str, str]:
    removed = set(split_list(remove or ""))
    kept = {key: value for key, value in before.items() if key not in removed}
    return {**kept, **split_pairs(update or "", flag)}


def wanted(given: dict[str, Any], target: str = "httpTarget", *, cleared: Sequence[str] = ()) -> tuple[Json, str]:
    """A Job with what was given, and the mask of those fields. `cleared`: fields that are to be empty."""
    body: Json = {}
    paths = [*cleared]
    for path, value in _values(given, target):
        *above, field = path.split(".")
        part = body
        for name in above:
            part = part.setdefault(name, {})
        part[field] = value
        paths.append(path)
    return body, ",".join(paths)


def _values(given: dict[str, Any], target: str) -> Iterator[tuple[str, Any]]:
    text, file = given.get("message_body"), given.pop("message_body_from_file", None)
    if text is not None and file is not None:
        raise click.UsageError("Give --message-body or --message-body-from-file, not both.")
    content = file.read() if file is not None else None if text is None else text.encode()
    within = {name: f"{target}.{path}" for name, path in _TARGETS[target].items()}
    for name, path in {**_FIELDS, **within}.items():
        value = given.get(name)
        if name == "message_body" and content is not None:
            yield path, base64.b64encode(content).decode()
        elif value is None:
            continue
        elif name in _DURATIONS:
            yield path, parse_duration(value, f"--{name.replace('_', '-')}")
        else:
            yield path, split_pairs(value, f"--{name}") if name in _PAIRS and isinstance(value, str) else value
