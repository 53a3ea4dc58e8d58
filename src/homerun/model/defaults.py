"""What a document says where its author said nothing (contract §2.3, §3, §5.1, §1.11).

Applied once, before a document is stored, so that nobody who reads one needs to know a default. What the real platform
does not show is not written down either: a default that appears beside what its author wrote is a difference to tools
that compare, such as Terraform (containers without a name, a service's execution environment, a maximum beside a
minimum, one limit beside another).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from homerun.model.container import DEFAULT_PORT
from homerun.model.quantity import parse_cpu

CPU = "1000m"
MEMORY = "512Mi"
PORT = {"name": "http1", "containerPort": DEFAULT_PORT}
REQUEST_TIMEOUT = "300s"
CONCURRENCY = 80
MAX_INSTANCES = 100
TASK_TIMEOUT = "600s"
MAX_RETRIES = 3
EXECUTION_ENVIRONMENT = "EXECUTION_ENVIRONMENT_GEN2"
PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "failureThreshold": 3}
DEFAULT_STARTUP_PROBE = {"timeoutSeconds": 240, "periodSeconds": 240, "failureThreshold": 1}
"""Of a container that takes requests and has no startup probe of its own: TCP, at its port."""

TRAFFIC_TARGET = "TRAFFIC_TARGET_ALLOCATION_TYPE_"
INSTANCE_SPLIT = "INSTANCE_SPLIT_ALLOCATION_TYPE_"
WORKERS = 1


def with_service_defaults(body: Mapping[str, Any], id: str, project_number: str) -> dict[str, Any]:
    """The Service `id` as a user wrote it, complete."""
    service = copy.deepcopy(dict(body))
    service.setdefault("ingress", "INGRESS_TRAFFIC_ALL")
    service.setdefault("launchStage", "GA")
    service["traffic"] = _shares(service.get("traffic"), TRAFFIC_TARGET)
    _revision_template(service["template"], project_number)
    return service


def with_worker_pool_defaults(body: Mapping[str, Any], id: str, project_number: str) -> dict[str, Any]:
    """The WorkerPool `id` as a user wrote it, complete."""
    pool = copy.deepcopy(dict(body))
    pool.setdefault("launchStage", "GA")
    pool.setdefault("scaling", {}).setdefault("manualInstanceCount", WORKERS)
    pool["instanceSplits"] = _shares(pool.get("instanceSplits"), INSTANCE_SPLIT)
    template = pool["template"]
    _account(template, project_number)
    for container in template["containers"]:
        _limits(container)
        _probes(container, DEFAULT_PORT)
    return pool


def with_job_defaults(body: Mapping[str, Any], id: str, project_number: str) -> dict[str, Any]:
    """The Job `id` as a user wrote it, complete."""
    job = copy.deepcopy(dict(body))
    job.setdefault("launchStage", "GA")
    execution = job["template"]
    execution["taskCount"] = execution.get("taskCount") or 1
    task = execution["template"]
    task.setdefault("maxRetries", MAX_RETRIES)
    task.setdefault("timeout", TASK_TIMEOUT)
    _account(task, project_number)
    if task.get("executionEnvironment", "EXECUTION_ENVIRONMENT_UNSPECIFIED").endswith("_UNSPECIFIED"):
        task["executionEnvironment"] = EXECUTION_ENVIRONMENT
    for container in task["containers"]:
        _limits(container)
        _probes(container, None)
    return job


def _shares(targets: list[dict[str, Any]] | None, prefix: str) -> list[dict[str, Any]]:
    """Of traffic or of instances: all to the latest, or each with the type that its author meant."""
    latest = f"{prefix}LATEST"
    for target in targets or ():
        if target.get("type", "_UNSPECIFIED").endswith("_UNSPECIFIED"):
            target["type"] = f"{prefix}REVISION" if target.get("revision") else latest
    return targets or [{"type": latest, "percent": 100}]


def _revision_template(template: dict[str, Any], project_number: str) -> None:
    template.setdefault("timeout", REQUEST_TIMEOUT)
    _account(template, project_number)
    template["scaling"] = template.get("scaling") or {"maxInstanceCount": MAX_INSTANCES}
    containers = template["containers"]
    ingress = next((c for c in containers if c.get("ports")), containers[0])
    ingress["ports"] = [{**PORT, **_given(port)} for port in ingress.get("ports") or [{}]]
    for container in containers:
        _cpu_idle(container)
        _limits(container)
        _probes(container, None)
    if not ingress.get("startupProbe"):
        port = ingress["ports"][0]["containerPort"]
        ingress["startupProbe"] = {**DEFAULT_STARTUP_PROBE, "tcpSocket": {"port": port}}
    if not template.get("maxInstanceRequestConcurrency"):
        whole = parse_cpu(ingress["resources"]["limits"].get("cpu", CPU)) >= 1
        template["maxInstanceRequestConcurrency"] = CONCURRENCY if whole else 1


def _account(template: dict[str, Any], project_number: str) -> None:
    template["serviceAccount"] = template.get("serviceAccount") or default_service_account(project_number)


def default_service_account(project_number: str) -> str:
    """contract §13.7"""
    return f"{project_number}-compute@developer.gserviceaccount.com"


def _cpu_idle(container: dict[str, Any]) -> None:
    """True only where `resources` was not given at all: given without cpuIdle, it means false (contract §2.3)."""
    if not container.get("resources"):
        container["resources"] = {"cpuIdle": True}
    container["resources"].setdefault("cpuIdle", False)


def _limits(container: dict[str, Any]) -> None:
    resources = container.setdefault("resources", {})
    resources["limits"] = resources.get("limits") or {"cpu": CPU, "memory": MEMORY}


def _probes(container: dict[str, Any], port: int | None) -> None:
    """Those that were given. `port`: where to ask if neither the probe nor the container says so."""
    port = next((p["containerPort"] for p in container.get("ports", ()) if p.get("containerPort")), port)
    at = {"port": port} if port else {}
    for key in ("startupProbe", "livenessProbe", "readinessProbe"):
        if not container.get(key):
            continue
        probe = container[key] = {**PROBE, **_given(container[key])}
        kind = next((kind for kind in ("httpGet", "grpc", "tcpSocket") if kind in probe), "tcpSocket")
        path = {"path": "/"} if kind == "httpGet" else {}
        probe[kind] = path | at | _given(probe.get(kind, {}))


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without the zeros and empty texts that proto3 cannot tell from absent."""
    return {key: value for key, value in values.items() if value not in (0, "")}
