"""Where a service answers: `http://SERVICE-PROJECTNUMBER.REGION.run.localhost:PORT`, or https (contract §4.3)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from homerun.model.names import Name


@dataclass(frozen=True, slots=True)
class Addresses:
    """`domain` and `port` of the listener that takes users' requests. `plain_port`: that without TLS beside it."""

    domain: str
    port: int
    scheme: str = "http"
    plain_port: int | None = None

    @classmethod
    def of_listeners(cls, domain: str, http: str, https: str = "") -> Addresses:
        """Both HOST:PORT. Services are known by their secure address when there is one."""
        plain = int(http.rpartition(":")[2])
        return cls(domain, int(https.rpartition(":")[2]), "https", plain) if https else cls(domain, plain)

    def service(self, name: Name, project_number: str) -> str:
        return self.of_host(f"{name.id}-{project_number}.{name.location}.{self.domain}")

    def of_host(self, host: str) -> str:
        return _url(self.scheme, host, self.port)

    def everywhere(self, url: str) -> list[str]:
        """`url`, and all others under which its host is reached: a token for one is a token for all."""
        host = urlsplit(url).hostname or ""
        plain = [_url("http", host, self.plain_port)] if self.plain_port is not None else []
        return list(dict.fromkeys([url, self.of_host(host), *plain]))

    def moved(self, service: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of `service` with its URLs as they are now, if they were others when it was stored."""

        def now(url: str) -> str:
            return self.of_host(urlsplit(url).hostname or "") if url else url

        made: dict[str, Any] = {}
        if service.get("urls"):
            made = {"uri": now(service["uri"]), "urls": [now(url) for url in service["urls"]]}
        if statuses := service.get("trafficStatuses"):
            made["trafficStatuses"] = [s | {"uri": now(s["uri"])} if s.get("uri") else s for s in statuses]
        return {name: value for name, value in made.items() if value != service[name]}


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{host}" + ("" if port == {"http": 80, "https": 443}[scheme] else f":{port}")


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
