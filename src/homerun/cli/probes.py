"""Probes on the command line, in gcloud's grammar: `httpGet.path=/up,periodSeconds=5` (contract §1.11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from homerun.cli.flags import Command, Json
from homerun.cli.lists import split_pairs

_TEXTS = ("httpGet.path", "grpc.service")
_NUMBERS = (
    "httpGet.port",
    "tcpSocket.port",
    "grpc.port",
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "failureThreshold",
    "successThreshold",
)
_OPTIONS = {
    "startup": "When the container has started; default: as soon as its port listens.",
    "liveness": "Whether the container is still alive; if not, its instance is killed.",
    "readiness": "Whether the container takes requests right now; if not, it gets no new ones.",
}


def probe_options(*kinds: str) -> Callable[[Command], Command]:
    """`--startup-probe` and so on."""

    def add(command: Command) -> Command:
        for kind in reversed(kinds):
            help = f"{_OPTIONS[kind]} httpGet.path=/up,periodSeconds=5 or grpc.port=50051; empty: none."
            command = click.option(f"--{kind}-probe", metavar="K=V,…", help=help)(command)
        return command

    return add


def set_probes(container: Json, given: Mapping[str, str | None]) -> None:
    """Change a v2 container in place. `given`: kind -> text; None leaves what is there, empty takes it away."""
    for kind, text in given.items():
        if text:
            container[f"{kind}Probe"] = parse_probe(text, f"--{kind}-probe")
        elif text is not None:
            container.pop(f"{kind}Probe", None)


def parse_probe(text: str, flag: str) -> Json:
    """The v2 Probe. Raises click.BadParameter."""
    probe: Json = {}
    for key, value in split_pairs(text, flag).items():
        if key not in (*_TEXTS, *_NUMBERS):
            known = ", ".join((*_TEXTS, *_NUMBERS))
            raise click.BadParameter(f"{key!r} is no field of a probe: those are {known}", param_hint=flag)
        if key in _NUMBERS and not value.isdecimal():
            raise click.BadParameter(f"{key} wants a whole number, and has {value!r}", param_hint=flag)
        field = value if key in _TEXTS else int(value)
        head, _, rest = key.partition(".")
        if rest:
            probe.setdefault(head, {})[rest] = field
        else:
            probe[head] = field
    return probe


def set_port(container: Json, port: int) -> None:
    """Where it listens. A startup probe that only connects to the port that it had moves with it, as with gcloud."""
    ports = (container.get("ports") or [{}])[0]
    probed = container.get("startupProbe", {}).get("tcpSocket", {})
    if probed.get("port") and probed["port"] == ports.get("containerPort"):
        probed["port"] = port
    container["ports"] = [{**ports, "containerPort": port}]
