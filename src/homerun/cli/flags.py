"""Flags that services and jobs share, written as gcloud writes them, and what they change in a container's v2 JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import click

from homerun.cli.lists import split_list, split_pairs
from homerun.cli.secret_flags import SECRET_OPTIONS, SecretFlags
from homerun.cli.volume_flags import VOLUME_OPTIONS, VolumeFlags

Json = dict[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"s": 1, "": 1, "m": 60, "h": 3600}


def parse_duration(text: str, flag: str) -> str:
    """`300`, `300s`, `5m`, `1h` -> a proto3 JSON duration, `300s`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not match:
        raise click.BadParameter(f"{text!r} is no duration: write 300, 300s, 5m or 1h", param_hint=flag)
    return f"{float(match[1]) * _UNITS[match[2]]:g}s"


@dataclass(frozen=True, slots=True)
class ContainerFlags:
    """As given on the command line; None (or empty) leaves what is there."""

    image: str | None = None
    source: str | None = None
    cpu: str | None = None
    memory: str | None = None
    command: str | None = None
    args: str | None = None
    set_env_vars: str | None = None
    update_env_vars: str | None = None
    env: tuple[str, ...] = ()
    remove_env_vars: str | None = None
    clear_env_vars: bool = False
    volumes: VolumeFlags = field(default_factory=VolumeFlags)
    secrets: SecretFlags = field(default_factory=SecretFlags)

    def apply(self, container: Json, image: str) -> None:
        """Change a v2 container in place."""
        container["image"] = image
        limits = {key: value for key, value in (("cpu", self.cpu), ("memory", self.memory)) if value}
        if limits:
            resources = container.setdefault("resources", {})
            resources["limits"] = resources.get("limits", {}) | limits
        if self.command is not None:
            container["command"] = split_list(self.command)
        if self.args is not None:
            container["args"] = split_list(self.args)
        self._apply_env(container)

    def _apply_env(self, container: Json) -> None:
        kept = {entry["name"]: entry for entry in container.get("env", ())}
        if self.clear_env_vars or self.set_env_vars is not None:
            # Only plain values: references to secrets have flags of their own.
            kept = {name: entry for name, entry in kept.items() if "valueSource" in entry}
        for name in split_list(self.remove_env_vars or ""):
            kept.pop(name, None)
        for name, value in self.variables().items():
            kept[name] = {"name": name, "value": value}
        if kept or "env" in container:
            container["env"] = list(kept.values())

    def variables(self) -> dict[str, str]:
        """All that were given, by whichever flag; later ones win."""
        given = split_pairs(self.set_env_vars or "", "--set-env-vars")
        given |= split_pairs(self.update_env_vars or "", "--update-env-vars")
        for pair in self.env:
            given |= split_pairs(f"^\0^{pair}", "--env")
        return given


_CONTAINER_OPTIONS = [
    click.option("--image", metavar="IMAGE", help="Image to run: registry/name:tag, oci-archive:FILE, oci:DIR, …"),
    click.option("--source", metavar="DIR", type=click.Path(exists=True, file_okay=False),
                 help="Folder with a Dockerfile: build it first, here."),
    click.option("--cpu", metavar="CORES", help="CPU limit: 0.5, 1, 2, 500m."),
    click.option("--memory", metavar="SIZE", help="Memory limit: 512Mi, 2Gi."),
    click.option("--command", metavar="A,B,…", help="Instead of the image's entrypoint."),
    click.option("--args", metavar="A,B,…", help="Instead of the image's arguments."),
    click.option("--set-env-vars", metavar="K=V,…", help="These environment variables and no others."),
    click.option("--update-env-vars", metavar="K=V,…", help="These, besides those that are there."),
    click.option("--env", metavar="K=V", multiple=True, help="One more, whatever is in the value; repeatable."),
    click.option("--remove-env-vars", metavar="K,…", help="Without these."),
    click.option("--clear-env-vars", is_flag=True, help="Without any."),
]  # fmt: skip


def container_options(command: Command) -> Command:
    for option in reversed(_CONTAINER_OPTIONS + SECRET_OPTIONS + VOLUME_OPTIONS):
        command = option(command)
    return command


def take_container_flags(given: dict[str, Any]) -> ContainerFlags:
    """Move the container's flags out of a command's keyword arguments."""
    volumes = VolumeFlags(**{f.name: given.pop(f.name) for f in fields(VolumeFlags)})
    secrets = SecretFlags(**{f.name: given.pop(f.name) for f in fields(SecretFlags)})
    own = {f.name: given.pop(f.name) for f in fields(ContainerFlags) if f.name not in ("volumes", "secrets")}
    flags = ContainerFlags(**own, volumes=volumes, secrets=secrets)
    if flags.image and flags.source:
        raise click.UsageError("Give --image or --source, not both.")
    return flags


def set_if_given(target: Json, values: Mapping[str, Any]) -> None:
    target.update({key: value for key, value in values.items() if value is not None})


def main_container(template: Json) -> Json:
    """What the flags of a container are about: of several, the one that takes the requests, or the first."""
    containers: Sequence[Json] = template.setdefault("containers", [{}])
    return next((container for container in containers if container.get("ports")), containers[0])
