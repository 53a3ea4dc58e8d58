"""Rules for the containers of a template. Each yields what is wrong with the path of the field, in v2 names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from homerun.lib.errors import Violation
from homerun.model import limits
from homerun.model.names import check_id
from homerun.model.quantity import parse_bytes, parse_cpu

Json = Mapping[str, Any]
_ENV_NAME = re.compile(r"[^=\0\s]+")
_IMAGE = re.compile(r"\S+")


class Ports(StrEnum):
    """How many of the containers may have one."""

    ONE = "one"
    """The one that takes requests."""
    OPTIONAL = "optional"
    """Nobody sends requests, but it may listen (contract §1.3)."""
    NONE = "none"


def check_containers(containers: Sequence[Json], path: str, ports: Ports) -> Iterator[Violation]:
    """`path` is that of the list."""
    if not containers:
        yield Violation(path, "is required: give one container with an image")
        return
    if len(containers) > limits.CONTAINERS:
        yield Violation(path, f"has {len(containers)} containers; at most {limits.CONTAINERS} are allowed")
    elif len(containers) > 1:
        yield Violation(f"{path}[1]", "several containers per instance are not supported yet: give one")
    yield from _names(containers, path)
    yield from _ports(containers, path, ports)
    for index, container in enumerate(containers):
        yield from _container(container, f"{path}[{index}]")


def _names(containers: Sequence[Json], path: str) -> Iterator[Violation]:
    seen: set[str] = set()
    for index, container in enumerate(containers):
        name = container.get("name", "")
        if name and (problem := check_id(name, "name", limits.DNS_LABEL)):
            yield Violation(f"{path}[{index}].name", problem)
        if name in seen and name:
            yield Violation(f"{path}[{index}].name", f"{name!r} is the name of an earlier container as well")
        seen.add(name)


def _ports(containers: Sequence[Json], path: str, allowed: Ports) -> Iterator[Violation]:
    with_port = [index for index, container in enumerate(containers) if container.get("ports")]
    if allowed is Ports.NONE:
        yield from (
            Violation(f"{path}[{i}].ports", "a job's container takes no requests: leave it out") for i in with_port
        )
        return
    if allowed is Ports.ONE and len(containers) > 1 and len(with_port) != 1:
        yield Violation(path, f"{len(with_port)} containers have ports; exactly one must: the one that takes requests")
    for index in with_port:
        yield from _port(containers[index]["ports"], f"{path}[{index}].ports")


def _port(ports: Sequence[Json], path: str) -> Iterator[Violation]:
    if len(ports) > 1:
        yield Violation(path, "only one port may be given")
    name = ports[0].get("name", "")
    if name == "h2c":
        yield Violation(f"{path}[0].name", "h2c (HTTP/2 to the container) is not supported yet: use http1")
    elif name not in ("", "http1"):
        yield Violation(f"{path}[0].name", f"must be http1 or h2c, and is {name!r}")
    number = ports[0].get("containerPort", 0)
    if number and (problem := limits.PORT.complaint(number)):
        yield Violation(f"{path}[0].containerPort", problem)


def _container(container: Json, path: str) -> Iterator[Violation]:
    if not _IMAGE.fullmatch(container.get("image", "")):
        yield Violation(f"{path}.image", "is required: name an image, such as docker://registry.example/app:v1")
    for field in ("command", "args"):
        if len(container.get(field, ())) > limits.COMMAND_ARGS:
            yield Violation(f"{path}.{field}", f"has more than {limits.COMMAND_ARGS} elements")
        for index, text in enumerate(container.get(field, ())):
            if "\0" in text:
                yield Violation(f"{path}.{field}[{index}]", "must not contain a NUL character")
    yield from check_env(container.get("env", ()), f"{path}.env")
    yield from _resources(container.get("resources", {}), f"{path}.resources")
    directory = container.get("workingDir", "")
    if directory and not directory.startswith("/"):
        yield Violation(f"{path}.workingDir", f"must be an absolute path, and is {directory!r}")
    yield from _startup_probe(container.get("startupProbe", {}), f"{path}.startupProbe")


def check_env(env: Sequence[Json], path: str) -> Iterator[Violation]:
    if len(env) > limits.ENV_VARS:
        yield Violation(path, f"has {len(env)} variables; at most {limits.ENV_VARS} are allowed")
    for index, variable in enumerate(env):
        name, value = variable.get("name", ""), variable.get("value", "")
        if not _ENV_NAME.fullmatch(name) or len(name) > limits.ENV_NAME:
            yield Violation(
                f"{path}[{index}].name", f"{name[:60]!r} cannot name a variable: no spaces, no '=', not empty"
            )
        elif name in limits.RESERVED_ENV or name.startswith(limits.RESERVED_ENV_PREFIX):
            yield Violation(f"{path}[{index}].name", f"{name} is reserved: the platform sets it")
        if len(value.encode()) > limits.ENV_VALUE:
            yield Violation(f"{path}[{index}].value", f"is longer than {limits.ENV_VALUE} bytes")
        if "\0" in value:
            yield Violation(f"{path}[{index}].value", "must not contain a NUL character")


def _resources(resources: Json, path: str) -> Iterator[Violation]:
    given = resources.get("limits", {})
    for key in given:
        if key == "nvidia.com/gpu":
            yield Violation(f"{path}.limits[{key}]", "GPUs are not supported yet")
        elif key not in ("cpu", "memory"):
            yield Violation(f"{path}.limits[{key}]", "is no resource that can be limited: cpu and memory are")
    cpu, memory, wrong = 1.0, 512 * limits.MIB, False
    try:
        cpu = parse_cpu(given.get("cpu", "1"))
    except ValueError as error:
        yield Violation(f"{path}.limits[cpu]", str(error))
        wrong = True
    try:
        memory = parse_bytes(given.get("memory", "512Mi"))
    except ValueError as error:
        yield Violation(f"{path}.limits[memory]", str(error))
        wrong = True
    if not wrong:
        yield from _cpu_and_memory(cpu, memory, f"{path}.limits")


def _cpu_and_memory(cpu: float, memory: int, path: str) -> Iterator[Violation]:
    fractional = limits.FRACTIONAL_CPU.complaint(cpu) is None
    if not fractional and cpu not in limits.WHOLE_CPUS:
        whole = ", ".join(str(n) for n in limits.WHOLE_CPUS)
        low, high = limits.FRACTIONAL_CPU.low, limits.FRACTIONAL_CPU.high
        yield Violation(f"{path}[cpu]", f"must be {whole}, or from {low:g} to {high:g}, and is {cpu:g}")
        return
    low, high = next((low, high) for top, low, high in limits.MEMORY_OF_CPU if cpu <= top)
    if not low <= memory <= high:
        yield Violation(
            f"{path}[memory]",
            f"must be from {low // limits.MIB}Mi to {high // limits.MIB}Mi with {cpu:g} CPU, and is "
            f"{memory / limits.MIB:g}Mi",
        )


def _startup_probe(probe: Json, path: str) -> Iterator[Violation]:
    for field, allowed in (
        ("initialDelaySeconds", limits.PROBE_INITIAL_DELAY),
        ("timeoutSeconds", limits.PROBE_TIMEOUT),
        ("periodSeconds", limits.PROBE_PERIOD),
        ("failureThreshold", limits.PROBE_FAILURES),
    ):
        if probe.get(field) and (problem := allowed.complaint(probe[field])):
            yield Violation(f"{path}.{field}", problem)
    kinds = [kind for kind in ("httpGet", "tcpSocket", "grpc") if kind in probe]
    if len(kinds) > 1:
        yield Violation(path, f"has both {' and '.join(kinds)}: give one")
    for kind in kinds:
        port = probe[kind].get("port", 0)
        if port and (problem := limits.PORT.complaint(port)):
            yield Violation(f"{path}.{kind}.port", problem)
    http_path = probe.get("httpGet", {}).get("path", "")
    if http_path and not re.fullmatch(r"/[!-~]*", http_path):
        yield Violation(f"{path}.httpGet.path", f"must be an absolute path such as /healthz, and is {http_path!r}")
    timeout, period = probe.get("timeoutSeconds") or 1, probe.get("periodSeconds") or 10
    if timeout > period:
        yield Violation(f"{path}.timeoutSeconds", f"must not exceed periodSeconds ({period}), and is {timeout}")
    total = period * (probe.get("failureThreshold") or 3)
    if probe and total > limits.STARTUP_SECONDS:
        yield Violation(
            path, f"failureThreshold x periodSeconds is {total} s; at most {limits.STARTUP_SECONDS} s are allowed"
        )
