"""Settings from and to the command line of a process of the daemon."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from homerun.lib.errors import Invalid
from homerun.settings import Settings

_NUMBERS: dict[str, type[float]] = {
    "idle_timeout": float,
    "root_disk": int,
    "grace": float,
    "log_size": int,
    "log_days": float,
    "standby": int,
    "routers": int,
    "max_tasks": int,
    "task_memory": int,
    "request_limit": int,
    "response_limit": int,
    "queue_limit": int,
    "queue_wait": float,
    "max_connections": int,
}
_FLAGS = {"redirect_https", "retry_idempotent", "user_namespaces"}
_REPEATED = {"allow_host_path"}
_FILES = {"certificate", "key", "secrets_key", "criu"}
MOST_ROUTERS = 64


def parse(arguments: Sequence[str]) -> Settings:
    """`--idle-timeout 60` or `--idle-timeout=60`, one for each field of Settings; those that are true or false may be
    given alone. Raises Invalid."""
    known = {"--" + field.name.replace("_", "-"): field.name for field in dataclasses.fields(Settings)}
    values: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag not in known:
            raise Invalid(f"unknown option {flag}: known are {', '.join(sorted(known))}")
        if not equals and known[flag] in _FLAGS:
            value = "true"
        elif not equals:
            if not rest:
                raise Invalid(f"{flag} needs a value")
            value = rest.pop(0)
        name = known[flag]
        if name in _REPEATED:
            values[name] = (*values.get(name, ()), _allowed(flag, value))
        else:
            values[name] = _convert(flag, name, value)
    settings = dataclasses.replace(Settings(), **values)
    if not 1 <= settings.routers <= MOST_ROUTERS:
        raise Invalid(f"--routers must be from 1 to {MOST_ROUTERS}, and {settings.routers} is not")
    for address in filter(None, (settings.api, settings.http, settings.https)):
        _check_address(address)
    _check_tls(settings)
    if settings.criu and settings.user_namespaces:
        raise Invalid("--criu and --user-namespaces exclude each other: leave one of them out")
    return settings


def unparse(settings: Settings) -> list[str]:
    """The arguments that `parse` makes these settings from."""
    given = ((field.name, getattr(settings, field.name)) for field in dataclasses.fields(settings))
    each = ((name, value) for name, found in given for value in (found if name in _REPEATED else [found]))
    return [f"--{name.replace('_', '-')}={value}" for name, value in each]


def split_address(address: str) -> tuple[str, int]:
    """HOST:PORT, IPv6 hosts in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _convert(flag: str, name: str, value: str) -> object:
    if name == "state":
        return Path(value).absolute()
    if name in _FILES:
        return str(Path(value).absolute()) if value else ""
    if name in _FLAGS:
        if value.lower() not in ("true", "false"):
            raise Invalid(f"{flag} is true or false, not {value!r}")
        return value.lower() == "true"
    try:
        number = _NUMBERS[name](value) if name in _NUMBERS else value
    except ValueError:
        raise Invalid(f"{flag} must be a number, not {value!r}") from None
    if not isinstance(number, str) and number < 0:
        raise Invalid(f"{flag} must not be negative, and {value} is")
    return number


def _allowed(flag: str, value: str) -> Path:
    """Links in it are followed now, and by nobody later."""
    folder = Path(value).resolve()
    if not folder.is_dir():
        raise Invalid(f"{flag} {value}: there is no such folder")
    return folder


def _check_address(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise Invalid(f"{address!r} is no HOST:PORT, such as 127.0.0.1:8787")


def _check_tls(settings: Settings) -> None:
    if bool(settings.certificate) != bool(settings.key):
        given, missing = ("--certificate", "--key") if settings.certificate else ("--key", "--certificate")
        raise Invalid(f"{given} needs {missing}: a certificate and its private key go together")
    wants = {
        "--certificate": settings.certificate,
        "--redirect-https": settings.redirect_https,
        "--acme": settings.acme,
    }
    for flag in (flag for flag, given in wants.items() if given and not settings.https):
        raise Invalid(f"{flag} needs --https HOST:PORT: where services take requests over TLS")
    if settings.acme and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", settings.acme):
        raise Invalid(f"--acme needs an e-mail address for the account, and {settings.acme!r} is none")
    if not settings.acme_directory.startswith(("https://", "http://")):
        raise Invalid(f"--acme-directory needs an https:// URL, and {settings.acme_directory!r} is none")
