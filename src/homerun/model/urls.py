"""Where a service answers: `http://SERVICE-PROJECTNUMBER.REGION.run.localhost:PORT` (contract §4.3)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from homerun.model.names import Name


@dataclass(frozen=True, slots=True)
class Addresses:
    """`domain` and `port` of the listener that takes users' requests."""

    domain: str
    port: int
    scheme: str = "http"

    def service(self, name: Name, project_number: str) -> str:
        return self.of_host(f"{name.id}-{project_number}.{name.location}.{self.domain}")

    def of_host(self, host: str) -> str:
        port = "" if self.port == {"http": 80, "https": 443}[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def tag_url(url: str, tag: str) -> str:
    """`http://hello-1.r.run.localhost:8080` -> `http://TAG---hello-1.r.run.localhost:8080`."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{tag}---{rest}"


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach what listens on `host`, a name or an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
