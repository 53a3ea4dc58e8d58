"""The rules of templates (contract §3, §7.2, §13.3, §13.5), paths below the message that has the containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homerun.model import limits
from homerun.model.container_rules import CONTAINERS
from homerun.model.identity import is_email, is_service_account
from homerun.model.limits import AtMost
from homerun.model.metadata_rules import METADATA
from homerun.model.names import check_id, last
from homerun.model.quantity import parse_bytes, parse_cpu, parse_seconds
from homerun.model.rules import Rule, field, required
from homerun.model.volume_rules import VOLUMES

Json = Mapping[str, Any]


def _names_once(containers: Sequence[Json], owner: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for index, container in enumerate(containers):
        name = container.get("name", "")
        if name and name in seen:
            yield f"[{index}].name", f"{name!r} is the name of an earlier container as well"
        seen.add(name)


def _depends_on(containers: Sequence[Json], owner: str) -> Iterator[tuple[str, str]]:
    needs = {c.get("name", ""): list(c.get("dependsOn", ())) for c in containers}
    for index, container in enumerate(containers):
        for number, name in enumerate(container.get("dependsOn", ())):
            if name not in needs:
                yield f"[{index}].dependsOn[{number}]", f"no container is named {name!r}"
            elif _leads_to(name, container.get("name", ""), needs):
                yield f"[{index}].dependsOn[{number}]", f"{name!r} itself waits for this container"


def _leads_to(start: str, goal: str, needs: Mapping[str, Sequence[str]]) -> bool:
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            waiting += needs.get(name, ())
    return False


def _whole_instance(containers: Sequence[Json], owner: str) -> Iterator[tuple[str, str]]:
    given = [container.get("resources", {}).get("limits", {}) for container in containers]
    try:
        cpu = sum(parse_cpu(each.get("cpu", "1")) for each in given)
        memory = sum(parse_bytes(each.get("memory", "512Mi")) for each in given)
    except ValueError:
        return
    if len(containers) > 1 and (cpu > limits.INSTANCE_CPU or memory > limits.MEMORY.high):
        size = f"{cpu:g} CPU and {memory / limits.GIB:g}Gi"
        yield "", f"need {size} together; at most {limits.INSTANCE_CPU} CPU and 32Gi are allowed"


def _one_ingress(containers: Sequence[Json], owner: str) -> Iterator[tuple[str, str]]:
    with_ports = sum(bool(container.get("ports")) for container in containers)
    if len(containers) > 1 and with_ports != 1:
        yield "", f"{with_ports} containers have ports; exactly one must: the one that takes requests"


def _no_ports(ports: Sequence[Json], owner: str) -> Iterator[tuple[str, str]]:
    if ports:
        yield "", "a job's container takes no requests: leave it out"


def _one_way_out(access: Json, owner: str) -> Iterator[tuple[str, str]]:
    if access.get("connector") and access.get("networkInterfaces"):
        yield "connector", "must be left out when networkInterfaces are given"


def _some_network(interface: Json, owner: str) -> Iterator[tuple[str, str]]:
    if not interface.get("network") and not interface.get("subnetwork"):
        yield "", "needs a network or a subnetwork"


def _account(email: str, owner: str) -> Iterator[tuple[str, str]]:
    if not (is_email(email) and is_service_account(email)):
        yield "", f"{email!r} is no service account: give its address, NAME@PROJECT.iam.gserviceaccount.com"


TEMPLATE = (
    required("containers", "give one container with an image", "§1.3"),
    field("containers", AtMost(limits.CONTAINERS, "containers"), "§3"),
    Rule("containers[].name", "only once", "§13.3", _names_once, at="containers"),
    Rule("containers[].dependsOn[]", "other containers, and no circle", "§13.3", _depends_on, at="containers"),
    Rule(
        "containers[].resources.limits",
        f"at most {limits.INSTANCE_CPU} CPU and 32Gi together",
        "§3",
        _whole_instance,
        at="containers",
    ),
    *CONTAINERS,
    *VOLUMES,
    Rule("serviceAccount", "the address of a service account", "§13.7", _account),
    field("vpcAccess.networkInterfaces", AtMost(1, "network interfaces"), "§13.5"),
    Rule("vpcAccess.connector", "not beside networkInterfaces", "§13.5", _one_way_out, at="vpcAccess"),
    Rule("vpcAccess.networkInterfaces[]", "a network or a subnetwork", "§13.5", _some_network),
)
"""Of every kind."""

ONE_INGRESS = Rule("containers[].ports", "exactly one container has one", "§1.3", _one_ingress, at="containers")
NO_PORTS = Rule("containers[].ports", "none", "§1.3", _no_ports)


def _revision_name(name: str, owner: str) -> Iterator[tuple[str, str]]:
    id = last(name)
    if problem := check_id(id, "revision", limits.REVISION_ID):
        yield "", problem
    elif not id.startswith(f"{owner}-"):
        yield "", f"must begin with the name of what it is a revision of and a hyphen: {owner}-{id}"


def _shutdown(template: Json, owner: str) -> Iterator[tuple[str, str]]:
    try:
        duration = parse_seconds(template.get("encryptionKeyShutdownDuration", "0s"))
    except ValueError as error:
        yield "encryptionKeyShutdownDuration", str(error)
        return
    if duration and template.get("encryptionKeyRevocationAction") != "SHUTDOWN":
        yield "encryptionKeyShutdownDuration", "is only for encryptionKeyRevocationAction SHUTDOWN"
    elif duration % 3600 != 0:
        yield "encryptionKeyShutdownDuration", f"must be whole hours (3600s, …), and is {duration:g}s"


REVISION = (
    *METADATA,
    Rule("revision", f"the owner's name, a hyphen, and more; at most {limits.REVISION_ID}", "§4.1", _revision_name),
    Rule("encryptionKeyShutdownDuration", "whole hours, with SHUTDOWN", "§7.1", _shutdown, at=""),
    *TEMPLATE,
)
"""Of templates that become revisions."""


def instance_counts(at: str) -> tuple[Rule, ...]:
    """Minimum and maximum; a maximum of 0 is none."""

    def wrong(scaling: Json, owner: str) -> Iterator[tuple[str, str]]:
        low, high = scaling.get("minInstanceCount", 0), scaling.get("maxInstanceCount", 0)
        if high and low > high:
            yield "minInstanceCount", f"must not exceed maxInstanceCount ({high}), and is {low}"

    return (
        field(f"{at}.minInstanceCount", limits.MIN_INSTANCES, "§2.3"),
        field(f"{at}.maxInstanceCount", limits.MAX_INSTANCES, "§2.3"),
        Rule(f"{at}.minInstanceCount", "at most maxInstanceCount", "§2.1", wrong, at=at),
    )


def _concurrency(template: Json, owner: str) -> Iterator[tuple[str, str]]:
    concurrency, containers = template.get("maxInstanceRequestConcurrency", 0), template.get("containers", ())
    ingress = next((c for c in containers if c.get("ports")), containers[0] if containers else {})
    cpu = ingress.get("resources", {}).get("limits", {}).get("cpu", "1")
    try:
        too_little = parse_cpu(cpu) < 1
    except ValueError:
        return
    if too_little and concurrency > 1:
        yield "maxInstanceRequestConcurrency", f"must be 1 with less than 1 CPU ({cpu}), and is {concurrency}"


def _some_driver(scaling: Json, owner: str) -> Iterator[tuple[str, str]]:
    if scaling.get("cpuUtilization") == 0 and scaling.get("concurrencyUtilization") == 0:
        yield "concurrencyUtilization", "cannot be 0 as well: nothing would start instances"


SERVICE_REVISION = (
    *REVISION,
    ONE_INGRESS,
    field("timeout", limits.REQUEST_TIMEOUT, "§3"),
    *instance_counts("scaling"),
    field("scaling.cpuUtilization", limits.UTILIZATION, "§2.1"),
    field("scaling.concurrencyUtilization", limits.UTILIZATION, "§2.1"),
    Rule("scaling.concurrencyUtilization", "not 0 when cpuUtilization is", "§2.1", _some_driver, at="scaling"),
    field("maxInstanceRequestConcurrency", limits.CONCURRENCY, "§3"),
    Rule("maxInstanceRequestConcurrency", "1 with less than 1 CPU", "§2.3", _concurrency, at=""),
)
