"""Whether a URL is homerun's own: its API's, or that of a service. Such a request never leaves the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from homerun.core.http_attempt import Place
from homerun.model.environment import API_DOMAIN
from homerun.model.urls import is_loopback

GOOGLE = "googleapis.com"
APIS = frozenset(
    ("run", "cloudscheduler", "secretmanager", "logging", "iamcredentials", "serviceusage", "cloudresourcemanager")
)
"""Those that homerun speaks: at `run.googleapis.com`, and `us-central1-run.googleapis.com`."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """`domain`: of all services. `api_port`: of the API on this machine. `is_mapped`: whether a host name is a domain
    of a user's own that leads to a service."""

    domain: str
    api_port: int
    is_mapped: Callable[[str], bool]

    def place(self, scheme: str, host: str, port: int) -> Place:
        host = host.lower()
        if is_own_api(host) or (is_loopback(host) and port == self.api_port):
            return Place.API
        if host.endswith(f".{self.domain}") or self.is_mapped(host):
            return Place.ROUTER
        return Place.OUTSIDE


def is_own_api(host: str) -> bool:
    if f".{host}".endswith(f".{API_DOMAIN}"):
        return True
    name, _, domain = host.partition(".")
    return domain == GOOGLE and (name in APIS or name.rpartition("-")[2] in APIS)
