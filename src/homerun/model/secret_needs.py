"""Which secrets the instances of a template want, as variables, and in whose name they read them (contract §13.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homerun.model import names
from homerun.model.container import container_names
from homerun.model.secret import LATEST, SecretRef


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
        )

    def __bool__(self) -> bool:
        return bool(self.variables)

    def refs(self) -> Iterator[tuple[str, SecretRef]]:
        """Each with the words for where it is wanted."""
        for variable in self.variables:
            yield f"variable {variable.name} of container {variable.container}", variable.ref


NO_SECRETS = SecretNeeds()


def _variables(container: str, json: Mapping[str, Any]) -> Iterator[SecretVariable]:
    for variable in json.get("env") or ():
        if ref := (variable.get("valueSource") or {}).get("secretKeyRef"):
            yield SecretVariable(container, variable["name"], SecretRef(ref["secret"], ref.get("version") or LATEST))
