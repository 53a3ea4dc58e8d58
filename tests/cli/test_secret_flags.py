"""--set-secrets and its relatives: what they make of a container and the volumes of its template."""

from __future__ import annotations

import copy
from typing import Any

import click
import pytest

from homerun.cli.secret_flags import SecretFlags

Json = dict[str, Any]


def variable(name: str, secret: str, version: str = "latest") -> Json:
    return {"name": name, "valueSource": {"secretKeyRef": {"secret": secret, "version": version}}}


def applied(template: Json, **flags: Any) -> Json:
    """A changed copy, its volumes renamed in order: v1, v2, …"""
    made = copy.deepcopy(template)
    made.setdefault("containers", [{}])
    SecretFlags(**flags).apply(made, made["containers"][0])
    names = {volume["name"]: f"v{number}" for number, volume in enumerate(made.get("volumes", ()), 1)}
    for named in [*made.get("volumes", ()), *(m for c in made["containers"] for m in c.get("volumeMounts", ()))]:
        named["name"] = names[named["name"]]
    return made


def volume(name: str, secret: str, **files: str) -> Json:
    items = [{"path": path, "version": version} for path, version in files.items()]
    return {"name": name, "secret": {"secret": secret, "items": items}}


def mounted(*containers: dict[str, str], volumes: list[Json], **more: Any) -> Json:
    """`containers`: folder -> volume."""
    made = [{"volumeMounts": [{"name": name, "mountPath": path} for path, name in c.items()]} for c in containers]
    return {"containers": made, "volumes": volumes, **more}


ONE = mounted({"/etc/tls": "v1"}, volumes=[volume("v1", "tls", key="1", cert="2")])


def test_variables_and_files() -> None:
    made = applied({}, set_secrets="DB=db:latest,KEY=projects/7/secrets/k:3,/etc/tls/key=tls:1,/etc/tls/cert=tls:2")
    assert made["containers"][0]["env"] == [variable("DB", "db"), variable("KEY", "projects/7/secrets/k", "3")]
    assert made["volumes"] == ONE["volumes"]
    assert made["containers"][0]["volumeMounts"] == ONE["containers"][0]["volumeMounts"]


def test_a_version_may_be_part_of_the_name() -> None:
    made = applied({}, update_secrets="KEY=projects/7/secrets/k/versions/3")
    assert made["containers"][0]["env"] == [variable("KEY", "projects/7/secrets/k", "3")]


@pytest.mark.parametrize("given", ["DB=db", "DB=db:", "DB=:latest", "/etc/tls/key=tls"])
def test_a_version_is_never_guessed(given: str) -> None:
    with pytest.raises(click.BadParameter, match=r":latest for the latest"):
        applied({}, update_secrets=given)


def test_set_replaces_all_and_update_adds() -> None:
    template = {"containers": [{"env": [{"name": "A", "value": "1"}, variable("B", "b")]}]}
    made = applied(template, update_secrets="B=b:2,C=c:latest")["containers"][0]["env"]
    assert made == [{"name": "A", "value": "1"}, variable("B", "b", "2"), variable("C", "c")]
    made = applied(template, set_secrets="C=c:latest")["containers"][0]["env"]
    assert made == [{"name": "A", "value": "1"}, variable("C", "c")]


@pytest.mark.parametrize("flags", [{"clear_secrets": True}, {"set_secrets": ""}])
def test_clear_leaves_what_is_no_secret(flags: Any) -> None:
    memory = {"name": "v2", "emptyDir": {}}
    template = mounted({"/etc/tls": "v1", "/tmp/x": "v2"}, volumes=[*ONE["volumes"], memory])
    template["containers"][0]["env"] = [{"name": "A", "value": "1"}, variable("B", "b")]
    made = applied(template, **flags)
    assert made["containers"][0]["env"] == [{"name": "A", "value": "1"}]
    assert made["volumes"] == [{"name": "v1", "emptyDir": {}}]
    assert made["containers"][0]["volumeMounts"] == [{"name": "v1", "mountPath": "/tmp/x"}]


def test_remove_takes_variables_files_and_the_last_file_s_volume() -> None:
    template = {
        **ONE,
        "containers": [{**ONE["containers"][0], "env": [variable("B", "b"), {"name": "A", "value": "1"}]}],
    }
    made = applied(template, remove_secrets="B,A,none,/etc/tls/key,/none/at")
    assert made["containers"][0]["env"] == [{"name": "A", "value": "1"}]
    assert made["volumes"] == [volume("v1", "tls", cert="2")]
    made = applied(template, remove_secrets="/etc/tls/key,/etc/tls/cert")
    assert made["volumes"] == [] and made["containers"][0]["volumeMounts"] == []


def test_a_file_is_replaced_and_one_is_added_beside_it() -> None:
    assert applied(ONE, update_secrets="/etc/tls/key=tls:7")["volumes"] == [volume("v1", "tls", cert="2", key="7")]
    made = applied(ONE, update_secrets="/etc/tls/ca=tls:1")["volumes"]
    assert made == [volume("v1", "tls", key="1", cert="2", ca="1")]


def test_a_folder_holds_one_secret() -> None:
    with pytest.raises(click.BadParameter, match="/etc/tls is where the secret tls is mounted"):
        applied(ONE, update_secrets="/etc/tls/password=db:1")
    memory = mounted({"/etc/tls": "v1"}, volumes=[{"name": "v1", "emptyDir": {}}])
    with pytest.raises(click.BadParameter, match="/etc/tls is where something else is mounted"):
        applied(memory, update_secrets="/etc/tls/password=db:1")
    single = mounted({"/etc/tls": "v1"}, volumes=[volume("v1", "tls", key="1")])
    assert applied(single, update_secrets="/etc/tls/key=db:1")["volumes"] == [volume("v1", "db", key="1")]
    for path in ("/key", "/etc/tls/"):
        with pytest.raises(click.BadParameter, match="must be a file in a folder of its own"):
            applied({}, update_secrets=f"{path}=db:1")


def test_what_another_container_mounts_as_well_stays_as_it_is_there() -> None:
    both = mounted({"/etc/tls": "v1"}, {"/tls": "v1"}, volumes=[volume("v1", "tls", key="1")])
    made = applied(both, update_secrets="/etc/tls/key=tls:2")
    assert made["volumes"] == [volume("v1", "tls", key="1"), volume("v2", "tls", key="2")]
    assert [c["volumeMounts"][0]["name"] for c in made["containers"]] == ["v2", "v1"]
    made = applied(both, clear_secrets=True)
    assert made["volumes"] == both["volumes"] and made["containers"][0]["volumeMounts"] == []


def test_a_volume_without_items_is_one_file_of_the_secret_s_name() -> None:
    whole = mounted({"/etc/tls": "v1"}, volumes=[{"name": "v1", "secret": {"secret": "projects/7/secrets/tls"}}])
    made = applied(whole, update_secrets="/etc/tls/key=projects/7/secrets/tls:2")
    assert made["volumes"] == [volume("v1", "projects/7/secrets/tls", tls="latest", key="2")]
    assert applied(whole, remove_secrets="/etc/tls/tls")["volumes"] == []


def test_a_plain_value_is_not_replaced_by_accident() -> None:
    template = {"containers": [{"env": [{"name": "A", "value": "1"}]}]}
    with pytest.raises(click.BadParameter, match="--remove-env-vars A first"):
        applied(template, update_secrets="A=a:1")


def test_nothing_given_changes_nothing() -> None:
    assert applied(ONE) == ONE
