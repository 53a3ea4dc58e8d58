"""Flags for secrets as variables and as files, written as gcloud writes them, and the v2 JSON that they make.

    --set-secrets DB_PASSWORD=db:latest,/etc/tls/key.pem=tls-key:3

What begins with a slash is a file: its folder becomes a volume of that one secret.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

import click

from homerun.cli.lists import split_list, split_pairs
from homerun.lib import ids

Json = dict[str, Any]
_SET, _UPDATE, _REMOVE = "--set-secrets", "--update-secrets", "--remove-secrets"


@dataclass(frozen=True, slots=True)
class SecretFlags:
    """As given on the command line; None (or False) leaves what is there."""

    set_secrets: str | None = None
    update_secrets: str | None = None
    remove_secrets: str | None = None
    clear_secrets: bool = False

    def apply(self, template: Json, container: Json) -> None:
        """Change a v2 container, and the volumes of its template, in place."""
        if self.clear_secrets or self.set_secrets is not None:
            _clear(template, container)
        for target in split_list(self.remove_secrets or ""):
            if target.startswith("/"):
                _remove_file(template, container, target)
            else:
                _remove_variable(container, target)
        wanted = [
            (target, text, flag)
            for given, flag in ((self.set_secrets, _SET), (self.update_secrets, _UPDATE))
            for target, text in split_pairs(given or "", flag).items()
        ]
        for target, text, flag in wanted:
            secret, version = _parse(target, text, flag)
            if target.startswith("/"):
                _add_file(template, container, target, secret, version, flag)
            else:
                _add_variable(container, target, secret, version, flag)


SECRET_OPTIONS = [
    click.option(_SET, metavar="K=S:V,…", help="These secrets and no others, each as a variable, NAME=SECRET:VERSION, "
                 "or as a file, /FOLDER/FILE=SECRET:VERSION."),
    click.option(_UPDATE, metavar="K=S:V,…", help="These, besides those that are there."),
    click.option(_REMOVE, metavar="K,…", help="Without these: names of variables, paths of files."),
    click.option("--clear-secrets", is_flag=True, help="Without any."),
]  # fmt: skip


def _parse(target: str, text: str, flag: str) -> tuple[str, str]:
    """`db:latest`, `projects/P/secrets/db:3`, or with `/versions/3` at its end."""
    secret, colon, version = text.partition(":")
    if not colon and "/versions/" in text:
        secret, _, version = text.partition("/versions/")
    if not secret or not version:
        raise click.BadParameter(
            f"no version of a secret is given for {target}: write {target}={secret or 'SECRET'}:latest for the latest",
            param_hint=flag,
        )
    return secret, version


def _clear(template: Json, container: Json) -> None:
    if "env" in container:
        container["env"] = [entry for entry in container["env"] if "valueSource" not in entry]
    volumes = _secret_volumes(template)
    for mount in [mount for mount in container.get("volumeMounts", ()) if mount["name"] in volumes]:
        _unmount(template, container, mount)


def _remove_variable(container: Json, name: str) -> None:
    kept = [e for e in container.get("env", ()) if e["name"] != name or "valueSource" not in e]
    if len(kept) != len(container.get("env", ())):
        container["env"] = kept


def _add_variable(container: Json, name: str, secret: str, version: str, flag: str) -> None:
    source = {"secretKeyRef": {"secret": secret, "version": version}}
    for entry in container.get("env", ()):
        if entry["name"] == name:
            if "valueSource" not in entry:
                raise click.BadParameter(
                    f"{name} has a plain value: take it away with --remove-env-vars {name} first", param_hint=flag
                )
            entry["valueSource"] = source
            return
    container.setdefault("env", []).append({"name": name, "valueSource": source})


def _remove_file(template: Json, container: Json, path: str) -> None:
    folder, file = posixpath.split(path)
    mount = _mounted(container, folder)
    volume = _secret_volumes(template).get(mount["name"]) if mount else None
    if mount is None or volume is None:
        return
    volume = _own(template, container, mount, volume)
    volume["secret"]["items"] = [item for item in _items(volume) if item["path"] != file]
    if not volume["secret"]["items"]:
        _unmount(template, container, mount)


def _add_file(template: Json, container: Json, path: str, secret: str, version: str, flag: str) -> None:
    folder, file = posixpath.split(path)
    if folder == "/" or not file:
        raise click.BadParameter(f"{path} must be a file in a folder of its own: /etc/secrets/{file}", param_hint=flag)
    item = {"path": file, "version": version}
    mount = _mounted(container, folder)
    if mount is None:
        name = f"secret-{ids.suffix(8)}"
        template.setdefault("volumes", []).append({"name": name, "secret": {"secret": secret, "items": [item]}})
        container.setdefault("volumeMounts", []).append({"name": name, "mountPath": folder})
        return
    volume = _secret_volumes(template).get(mount["name"])
    kept = [other for other in _items(volume) if other["path"] != file] if volume is not None else []
    if volume is None or (kept and volume["secret"]["secret"] != secret):
        what = "something else" if volume is None else f"the secret {volume['secret']['secret']}"
        raise click.BadParameter(f"{folder} is where {what} is mounted: choose another folder", param_hint=flag)
    volume = _own(template, container, mount, volume)
    volume["secret"] |= {"secret": secret, "items": [*kept, item]}


def _secret_volumes(template: Json) -> dict[str, Json]:
    return {volume["name"]: volume for volume in template.get("volumes", ()) if "secret" in volume}


def _items(volume: Json) -> list[Json]:
    """A secret without items is one file of its own name."""
    secret = volume["secret"]
    return secret.get("items") or [{"path": secret["secret"].rpartition("/")[2], "version": "latest"}]


def _mounted(container: Json, folder: str) -> Json | None:
    found = (m for m in container.get("volumeMounts", ()) if posixpath.normpath(m.get("mountPath", "")) == folder)
    return next(found, None)


def _own(template: Json, container: Json, mount: Json, volume: Json) -> Json:
    """The volume behind `mount`, changeable without a change elsewhere: a copy, if it is mounted there as well."""
    if _uses(template, mount["name"]) == 1:
        return volume
    made = {**volume, "name": f"secret-{ids.suffix(8)}", "secret": dict(volume["secret"])}
    template["volumes"].append(made)
    mount["name"] = made["name"]
    return made


def _unmount(template: Json, container: Json, mount: Json) -> None:
    """With its volume, if nobody else mounts that."""
    container["volumeMounts"] = [other for other in container["volumeMounts"] if other is not mount]
    if not _uses(template, mount["name"]):
        template["volumes"] = [volume for volume in template["volumes"] if volume["name"] != mount["name"]]


def _uses(template: Json, volume: str) -> int:
    return sum(mount["name"] == volume for other in template["containers"] for mount in other.get("volumeMounts", ()))
