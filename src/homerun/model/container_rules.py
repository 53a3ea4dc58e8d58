"""The rules of one container (contract §1.1 to §1.3, §3, §7.2, §13), paths below the container."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homerun.model import limits
from homerun.model.limits import AtMost, Text
from homerun.model.probe_rules import PROBES
from homerun.model.quantity import parse_bytes, parse_cpu
from homerun.model.rules import HOMERUN, Rule, below, field, required

Json = Mapping[str, Any]
SECRET = Text(
    r"[A-Za-z0-9_-]{1,255}|projects/[^/\s]+/secrets/[A-Za-z0-9_-]{1,255}",
    "a secret's name, or projects/PROJECT/secrets/SECRET",
)
VERSION = Text(r"[A-Za-z0-9_-]{1,63}", "latest, a number or an alias")
_NO_NUL = Text(r"[^\0]*", "without a NUL character")
_RESOURCES = ("cpu", "memory", "nvidia.com/gpu")


def _env_name(name: str, owner: str) -> Iterator[tuple[str, str]]:
    if name in limits.RESERVED_ENV or name.startswith(limits.RESERVED_ENV_PREFIX):
        yield "", f"{name} is reserved: the platform sets it"


def _env_value(value: str, owner: str) -> Iterator[tuple[str, str]]:
    if len(value.encode()) > limits.ENV_VALUE:
        yield "", f"is longer than {limits.ENV_VALUE} bytes"


def _one_source(variable: Json, owner: str) -> Iterator[tuple[str, str]]:
    if variable.get("value") and variable.get("valueSource"):
        yield "valueSource", "must be left out when a value is given"


def _secret_once(env: Sequence[Json], owner: str) -> Iterator[tuple[str, str]]:
    """Of plain values with one name the last wins; a secret must be the only one."""
    times = Counter(variable["name"] for variable in env if variable.get("name"))
    for index, variable in enumerate(env):
        if variable.get("valueSource") and times[variable.get("name", "")] > 1:
            yield f"[{index}].name", f"{variable['name']!r} is the name of another variable as well"


ENV = (
    field("env", AtMost(limits.ENV_VARS, "variables"), "§3"),
    required("env[].name", "every variable has a name", "§1.2"),
    field("env[].name", Text(r"[^=\0\s]+", "a variable's name: no spaces, no '='"), "§1.2"),
    field("env[].name", AtMost(limits.ENV_NAME, "characters"), "§1.2"),
    Rule("env[].name", f"none of {', '.join(sorted(limits.RESERVED_ENV))}, nor X_GOOGLE_…", "§1.2", _env_name),
    field("env[].value", _NO_NUL, "§1.2"),
    Rule("env[].value", f"at most {limits.ENV_VALUE:,} bytes", "§1.2", _env_value),
    Rule("env[].valueSource", "no value beside it", "§7.2", _one_source, at="env[]"),
    required("env[].valueSource.secretKeyRef.secret", "name the secret", "§13.1"),
    field("env[].valueSource.secretKeyRef.secret", SECRET, "§13.1"),
    field("env[].valueSource.secretKeyRef.version", VERSION, "§7.2"),
    Rule(
        "env[].name", "given twice, the last value counts; that of a secret only once", "§1.2", _secret_once, at="env"
    ),
)


def _resource_names(given: Json, owner: str) -> Iterator[tuple[str, str]]:
    for key in given:
        if key not in _RESOURCES:
            yield f"[{key}]", "is no resource that can be limited: cpu and memory are"


def _gpus(given: Json, owner: str) -> Iterator[tuple[str, str]]:
    if "nvidia.com/gpu" in given:
        yield "[nvidia.com/gpu]", "GPUs are not supported yet"


def _cpu(given: Json, owner: str) -> Iterator[tuple[str, str]]:
    try:
        cpu = parse_cpu(given.get("cpu", "1"))
    except ValueError as error:
        yield "[cpu]", str(error)
        return
    low, high = limits.FRACTIONAL_CPU.low, limits.FRACTIONAL_CPU.high
    fractional = low <= cpu <= high and round(cpu * 100, 6).is_integer()
    if not fractional and cpu not in limits.WHOLE_CPUS:
        yield "[cpu]", f"must be {_WHOLE}, or from {low:g} to {high:g} in steps of 0.01, and is {cpu:g}"


def _memory(given: Json, owner: str) -> Iterator[tuple[str, str]]:
    try:
        memory = parse_bytes(given.get("memory", "512Mi"))
    except ValueError as error:
        yield "[memory]", str(error)
        return
    if any(_cpu(given, owner)):
        return
    cpu = parse_cpu(given.get("cpu", "1"))
    low, high = next((low, high) for top, low, high in limits.MEMORY_OF_CPU if cpu <= top)
    if not low <= memory <= high:
        bounds = f"from {low // limits.MIB}Mi to {high // limits.MIB}Mi"
        yield "[memory]", f"must be {bounds} with {cpu:g} CPU, and is {memory / limits.MIB:g}Mi"


_WHOLE = ", ".join(str(number) for number in limits.WHOLE_CPUS)
_MEMORY = "; ".join(
    f"{low // limits.MIB}Mi to {high // limits.GIB or '0.5'}Gi with up to {top:g} CPU"
    for top, low, high in limits.MEMORY_OF_CPU
)
RESOURCES = (
    Rule("resources.limits", "cpu, memory and nvidia.com/gpu", "§7.2", _resource_names),
    Rule("resources.limits", "no GPU", HOMERUN, _gpus),
    Rule("resources.limits[cpu]", f"0.08 to 0.99 in steps of 0.01, or {_WHOLE}", "§3", _cpu, at="resources.limits"),
    Rule("resources.limits[memory]", _MEMORY, "§3", _memory, at="resources.limits"),
)


PORTS = (
    field("ports", AtMost(1, "ports"), "§1.3"),
    field("ports[].name", Text("http1|h2c", "http1 or h2c"), "§1.3"),
    field("ports[].containerPort", limits.PORT, "§1.3"),
)

CONTAINER = (
    field("name", limits.LABEL, "§7.1"),
    required("image", "name an image, such as docker://registry.example/app:v1", "§1.1"),
    field("image", Text(r"\S+", "an image's name, without spaces"), "§1.1"),
    field("command", AtMost(limits.COMMAND_ARGS, "elements"), "§3"),
    field("args", AtMost(limits.COMMAND_ARGS, "elements"), "§3"),
    field("command[]", _NO_NUL, "§7.2"),
    field("args[]", _NO_NUL, "§7.2"),
    field("workingDir", Text(r"/[^\0]*", "an absolute path"), "§7.1"),
    *ENV,
    *RESOURCES,
    *PORTS,
    *PROBES,
)

CONTAINERS = below("containers[]", CONTAINER)
