"""Rules for templates (contract §3, §13.3, §13.5)."""

from typing import Any

import pytest

from homerun.model.rules import Rule, check
from homerun.model.template_rules import NO_PORTS, REVISION, SERVICE_REVISION, TEMPLATE


def wrong(rules: tuple[Rule, ...] = SERVICE_REVISION, **template: Any) -> set[str]:
    return {v.field for v in check({"containers": [{"image": "x"}], **template}, rules, "hello")}


def named(*names: str, **first: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [{"image": "x", "name": name} for name in names]
    made[0] |= first
    return made


def test_there_must_be_a_container() -> None:
    assert wrong(TEMPLATE, containers=[]) == {"containers"}


def test_a_job_s_container_has_no_port() -> None:
    assert wrong((NO_PORTS,), containers=[{"ports": [{"containerPort": 1}]}]) == {"containers[0].ports"}
    assert wrong((NO_PORTS,)) == set()


def test_there_may_be_ten_with_names_of_their_own_and_one_takes_the_requests() -> None:
    small = [{**each, "resources": {"limits": {"cpu": "500m"}}} for each in named(*map(str, range(11)), ports=[{}])]
    assert wrong(containers=small[:10]) == set()
    assert wrong(containers=small) == {"containers"}
    assert wrong(containers=named("a", "a", ports=[{}])) == {"containers[1].name"}
    assert wrong(containers=named("a", "b")) == {"containers"}


@pytest.mark.parametrize(
    ("needs", "fields"),
    [
        ({"a": ["b"], "b": ["c"]}, set()),
        ({"a": ["z"]}, {"containers[0].dependsOn[0]"}),
        ({"a": ["a"]}, {"containers[0].dependsOn[0]"}),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, {f"containers[{index}].dependsOn[0]" for index in range(3)}),
    ],
)
def test_containers_wait_for_others_and_not_in_a_circle(needs: dict[str, list[str]], fields: set[str]) -> None:
    containers = [{**container, "dependsOn": needs.get(container["name"], [])} for container in named("a", "b", "c")]
    containers[0]["ports"] = [{}]
    assert wrong(containers=containers) == fields


def test_all_containers_together_fit_an_instance() -> None:
    big = {"limits": {"cpu": "8", "memory": "16Gi"}}
    containers = named("a", "b", ports=[{}], resources=big)
    assert wrong(containers=containers) == {"containers"}


@pytest.mark.parametrize(
    ("template", "field"),
    [
        ({"vpcAccess": {"connector": "c", "networkInterfaces": [{"network": "n"}]}}, "vpcAccess.connector"),
        ({"vpcAccess": {"networkInterfaces": [{"tags": ["t"]}]}}, "vpcAccess.networkInterfaces[0]"),
        ({"vpcAccess": {"networkInterfaces": [{"network": "n"}] * 2}}, "vpcAccess.networkInterfaces"),
        ({"encryptionKeyShutdownDuration": "3600s"}, "encryptionKeyShutdownDuration"),
        (
            {"encryptionKeyShutdownDuration": "90s", "encryptionKeyRevocationAction": "SHUTDOWN"},
            "encryptionKeyShutdownDuration",
        ),
        ({"encryptionKeyShutdownDuration": "-3600s"}, "encryptionKeyShutdownDuration"),
        ({"revision": "other-1"}, "revision"),
        ({"revision": "hello-A"}, "revision"),
        ({"timeout": "3601s"}, "timeout"),
        ({"scaling": {"minInstanceCount": 3, "maxInstanceCount": 2}}, "scaling.minInstanceCount"),
        ({"scaling": {"minInstanceCount": -1}}, "scaling.minInstanceCount"),
        ({"scaling": {"cpuUtilization": 0.96}}, "scaling.cpuUtilization"),
        ({"scaling": {"cpuUtilization": 0.0, "concurrencyUtilization": 0.0}}, "scaling.concurrencyUtilization"),
        ({"maxInstanceRequestConcurrency": 1001}, "maxInstanceRequestConcurrency"),
        ({"labels": {"a b": "c"}}, "labels[a b]"),
    ],
)
def test_bad_templates(template: dict[str, Any], field: str) -> None:
    assert wrong(**template) == {field}


def test_good_templates() -> None:
    hours = {"encryptionKeyShutdownDuration": "7200s", "encryptionKeyRevocationAction": "SHUTDOWN"}
    assert wrong(REVISION, **hours, revision="hello-blue", vpcAccess={"connector": "c"}) == set()
    assert wrong(maxInstanceRequestConcurrency=1000, scaling={"minInstanceCount": 5}, timeout="0s") == set()


def test_less_than_a_cpu_takes_one_request_at_a_time() -> None:
    container = {"image": "x", "resources": {"limits": {"cpu": "500m"}}}
    assert wrong(containers=[container], maxInstanceRequestConcurrency=2) == {"maxInstanceRequestConcurrency"}
    assert wrong(containers=[container], maxInstanceRequestConcurrency=1) == set()
