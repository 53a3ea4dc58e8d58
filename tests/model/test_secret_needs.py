"""Which secrets a template wants."""

from typing import Any

from homerun.model.secret import SecretRef
from homerun.model.secret_needs import NO_SECRETS, SecretNeeds, SecretVariable

OWNER = "projects/p/locations/r/services/hello"


def variable(name: str, secret: str, **version: str) -> dict[str, Any]:
    return {"name": name, "valueSource": {"secretKeyRef": {"secret": secret, **version}}}


def test_who_wants_none_has_no_needs() -> None:
    needs = SecretNeeds.parse({"containers": [{"env": [{"name": "A", "value": "1"}, {"name": "B"}]}]}, OWNER)
    assert not needs and not NO_SECRETS and list(needs.refs()) == []


def test_variables_of_each_container_in_order() -> None:
    first = {
        "env": [{"name": "A", "value": "1"}, variable("B", "db"), variable("C", "projects/q/secrets/x", version="3")]
    }
    template = {"containers": [first, {"name": "side", "env": [variable("B", "db", version="prod")]}]}
    needs = SecretNeeds.parse({**template, "serviceAccount": "robot@p.iam.gserviceaccount.com"}, OWNER)
    assert needs
    assert (needs.project, needs.account) == ("p", "robot@p.iam.gserviceaccount.com")
    assert needs.variables == (
        SecretVariable("hello-1", "B", SecretRef("db", "latest")),
        SecretVariable("hello-1", "C", SecretRef("projects/q/secrets/x", "3")),
        SecretVariable("side", "B", SecretRef("db", "prod")),
    )
    assert [*needs.refs()] == [variable.ref for variable in needs.variables]


def test_files_of_volumes() -> None:
    items = [{"path": "key", "version": "3"}, {"path": "ca", "version": "latest", "mode": 0o400}]
    volumes = [{"name": "m", "emptyDir": {}}, {"name": "v", "secret": {"secret": "tls", "items": items}}]
    needs = SecretNeeds.parse({"containers": [{}], "volumes": volumes}, OWNER)
    assert needs and [volume.name for volume in needs.volumes] == ["v"]
    assert [*needs.refs()] == [SecretRef("tls", "3"), SecretRef("tls", "latest")]
