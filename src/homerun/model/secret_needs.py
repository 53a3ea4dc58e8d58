"""Which secrets the instances of a template want, as variables and as files, and in whose name they read them (contract
§13.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homerun.model import names
from homerun.model.container import container_names
from homerun.model.secret import LATEST, SecretRef
from homerun.model.volume import SecretFiles, parse_volumes


@dataclass(frozen=True, slots=True)
class SecretVariable:
    """`container` and `name`: where the value goes."""

    container: str
    name: str
    ref: SecretRef


@dataclass(frozen=True, slots=True)
class SecretNeeds:
    """`project`: whose secrets are meant by their ids alone. `account`: of the service account that reads them."""

    project: str = ""
    account: str = ""
    variables: tuple[SecretVariable, ...] = ()
    volumes: tuple[SecretFiles, ...] = ()

    @classmethod
    def parse(cls, template: Mapping[str, Any], owner: str) -> SecretNeeds:
        """`template`: what has the containers; `owner`: full name of the service, job or worker pool."""
        containers = template["containers"]
        return cls(
            project=owner.split("/")[1],
            account=template.get("serviceAccount", ""),
            variables=tuple(
                variable
                for name, container in zip(container_names(containers, names.last(owner)), containers, strict=True)
                for variable in _variables(name, container)
            ),
            volumes=tuple(v for v in parse_volumes(template.get("volumes") or ()) if isinstance(v, SecretFiles)),
        )

    def __bool__(self) -> bool:
        return bool(self.variables or self.volumes)

    def refs(self) -> Iterator[SecretRef]:
        """All that must be readable."""
        for variable in self.variables:
            yield variable.ref
        for volume in self.volumes:
            for item in volume.items:
                yield SecretRef(volume.secret, item.version)


NO_SECRETS = SecretNeeds()


def _variables(container: str, json: Mapping[str, Any]) -> Iterator[SecretVariable]:
    for variable in json.get("env") or ():
        if ref := (variable.get("valueSource") or {}).get("secretKeyRef"):
            yield SecretVariable(container, variable["name"], SecretRef(ref["secret"], ref.get("version") or LATEST))
