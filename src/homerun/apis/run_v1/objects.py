"""Stored documents as v1 objects: apiVersion, kind, metadata, spec, status."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from homerun.apis.run.kinds import JOB, SERVICE, WORKER_POOL
from homerun.apis.run.writes import TYPE_URL, etag
from homerun.apis.run_v1 import conditions, convert
from homerun.apis.run_v1.difference import below, restored
from homerun.apis.run_v1.tables import RUN, TEMPLATE_METADATA
from homerun.model.names import Name, last
from homerun.model.project import Projects
from homerun.store.base import Document

Json = dict[str, Any]
SERVING = "serving.knative.dev/"
_EXECUTION_REFERENCE = {
    "createTime": "creationTimestamp",
    "completionTime": "completionTimestamp",
    "completionStatus": "completionStatus",
}


def to_v1(document: Document, projects: Projects) -> Json:
    """Any kind of document."""
    return _MAKERS[document.kind](document, Name.parse(document.name), projects)


def labels(document: Document) -> dict[str, str]:
    """Those of its v1 object, by themselves: a selector looks at many objects that are never shown."""
    name, body = Name.parse(document.name), document.body
    found = {**body.get("labels", {}), "cloud.googleapis.com/location": name.location}
    baggage = document.internal.get("v1", ())
    match document.kind:
        case "Service" | "WorkerPool":
            found = restored(found, below(baggage, "metadata", "labels"))
        case "Job":
            found = restored(found, below(baggage, "metadata", "labels"))
            found[RUN + "lastUpdatedTime"] = body["updateTime"]
        case "Revision":
            found = restored(found, below(baggage, *TEMPLATE_METADATA, "labels"))
            if name.parent.kind == "WorkerPool":
                found[RUN + "workerPool"] = name.parent.id
            else:
                found |= {SERVING + "service": name.parent.id, SERVING + "configuration": name.parent.id}
                found[SERVING + "configurationGeneration"] = str(document.internal.get("ordinal", 1))
        case "Execution":
            found[RUN + "job"] = name.parent.id
        case "Task":
            found |= {RUN + "execution": name.parent.id, RUN + "job": name.parent.parent.id}
    return found


def _written(document: Document) -> Json:
    """What its author wrote: `metadata` and `spec`."""
    baggage = document.internal.get("v1", ())
    own = {"Service": SERVICE, "WorkerPool": WORKER_POOL, "Job": JOB}[document.kind].written(document.body)
    return cast(Json, restored(convert.to_v1(document.kind, own, convert.aliases_of(baggage)), baggage))


def _template(kind: str, body: Mapping[str, Any], document: Document) -> Json:
    """The template of what was made from one: `body` is that part of a `kind`."""
    baggage = document.internal.get("v1", ())
    made = convert.shown(kind, body, convert.aliases_of(baggage))["spec"]["template"]
    return cast(Json, restored(made, below(baggage, "spec", "template")))


def _service(document: Document, name: Name, projects: Projects) -> Json:
    body = document.body
    made = _written(document)
    annotations = made["metadata"].setdefault("annotations", {})
    annotations |= {SERVING + "creator": body["creator"], SERVING + "lastModifier": body["lastModifier"]}
    annotations[RUN + "ingress-status"] = annotations.get(RUN + "ingress", "all")
    annotations[RUN + "urls"] = json.dumps(body["urls"])
    if operation := document.internal.get("operation"):
        annotations[RUN + "operation-id"] = operation
    status = {
        "observedGeneration": int(body["generation"]),
        "conditions": conditions.to_v1([body["terminalCondition"], *body.get("conditions", ())]),
        "latestCreatedRevisionName": last(body.get("latestCreatedRevision", "")),
        "latestReadyRevisionName": last(body.get("latestReadyRevision", "")),
        "traffic": _shares(body.get("trafficStatuses", ())),
        "url": body["uri"],
        "address": {"url": body["uri"]} if body["uri"] else "",
    }
    return v1_object("serving.knative.dev/v1", document, name, projects, made["metadata"], made["spec"], status)


def _shares(statuses: Iterable[Mapping[str, Any]]) -> list[Json]:
    """Of traffic or of instances."""
    found = []
    for target in statuses:
        made: Json = {"revisionName": last(target["revision"])}
        if not target.get("type", "").endswith("_REVISION"):
            made["latestRevision"] = True
        made |= {key: target[key] for key in ("percent", "tag") if target.get(key)}
        if target.get("uri"):
            made["url"] = target["uri"]
        found.append(made)
    return found


def _worker_pool(document: Document, name: Name, projects: Projects) -> Json:
    body = document.body
    made = _written(document)
    annotations = made["metadata"].setdefault("annotations", {})
    annotations |= {SERVING + "creator": body["creator"], SERVING + "lastModifier": body["lastModifier"]}
    if operation := document.internal.get("operation"):
        annotations[RUN + "operation-id"] = operation
    status = {
        "observedGeneration": int(body["generation"]),
        "conditions": conditions.to_v1([body["terminalCondition"], *body.get("conditions", ())]),
        "latestCreatedRevisionName": last(body.get("latestCreatedRevision", "")),
        "latestReadyRevisionName": last(body.get("latestReadyRevision", "")),
        "instanceSplits": _shares(body.get("instanceSplitStatuses", ())),
    }
    return v1_object("run.googleapis.com/v1", document, name, projects, made["metadata"], made["spec"], status)


def _revision(document: Document, name: Name, projects: Projects) -> Json:
    body = document.body
    template = _template(name.parent.kind, {"template": body}, document)
    metadata = template["metadata"]
    metadata.setdefault("annotations", {})[SERVING + "creator"] = body.get("creator", "")
    digests = document.internal.get("digests") or [""]
    status = {
        "observedGeneration": int(body["generation"]),
        "conditions": conditions.to_v1(body["conditions"]),
        "imageDigest": digests[0],
        "containerStatuses": body.get("containerStatuses", []),
        "desiredReplicas": body.get("scalingStatus", {}).get("desiredMinInstanceCount", ""),
        "serviceName": name.parent.id if name.parent.kind == "Service" else "",
        "logUrl": body.get("logUri", ""),
    }
    return v1_object("serving.knative.dev/v1", document, name, projects, metadata, template["spec"], status)


def _job(document: Document, name: Name, projects: Projects) -> Json:
    body = document.body
    made = _written(document)
    annotations = made["metadata"].setdefault("annotations", {})
    annotations |= {RUN + "creator": body["creator"], RUN + "lastModifier": body["lastModifier"]}
    status: Json = {
        "observedGeneration": int(body["generation"]),
        "conditions": conditions.to_v1([body["terminalCondition"], *body.get("conditions", ())]),
        "executionCount": int(body.get("executionCount", 0)),
    }
    if latest := body.get("latestCreatedExecution"):
        status["latestCreatedExecution"] = {"name": last(latest["name"])} | {
            new: latest[old] for old, new in _EXECUTION_REFERENCE.items() if latest.get(old)
        }
    return v1_object("run.googleapis.com/v1", document, name, projects, made["metadata"], made["spec"], status)


def _execution(document: Document, name: Name, projects: Projects) -> Json:
    """Its template is the job's, so it is converted as one."""
    body = document.body
    as_job = {"template": {key: body[key] for key in ("taskCount", "parallelism", "template") if key in body}}
    made = _template("Job", as_job, document)
    annotations = {**made["metadata"].get("annotations", {}), **body.get("annotations", {})}
    metadata: Json = {"annotations": {**annotations, RUN + "creator": body.get("creator", "")}}
    status: Json = {
        "observedGeneration": int(body["generation"]),
        "conditions": conditions.to_v1(body["conditions"]),
        "logUri": body.get("logUri", ""),
    }
    for key in ("startTime", "completionTime"):
        if key in body:
            status[key] = body[key]
    for key in ("runningCount", "succeededCount", "failedCount", "cancelledCount", "retriedCount"):
        if body.get(key):
            status[key] = body[key]
    return v1_object("run.googleapis.com/v1", document, name, projects, metadata, made["spec"], status)


def _task(document: Document, name: Name, projects: Projects) -> Json:
    body = document.body
    template = {k: body[k] for k in ("containers", "maxRetries", "timeout", "serviceAccount") if k in body}
    spec = convert.shown("Job", {"template": {"template": template}})["spec"]["template"]["spec"]["template"]["spec"]
    status: Json = {
        "observedGeneration": int(body["generation"]),
        "conditions": conditions.to_v1(body["conditions"]),
        "index": body["index"],
        "logUri": body.get("logUri", ""),
    }
    for key in ("startTime", "completionTime", "retried", "lastAttemptResult"):
        if body.get(key):
            status[key] = body[key]
    return v1_object("run.googleapis.com/v1", document, name, projects, {}, spec, status)


def route(document: Document, projects: Projects) -> Json:
    """Knative's Route of a service: where its traffic goes."""
    service = to_v1(document, projects)
    return _part_of_service(service, "Route", {"traffic": service["spec"].get("traffic", [])}) | {
        "status": _part_status(service, "RoutesReady", ("traffic", "url", "address"))
    }


def configuration(document: Document, projects: Projects) -> Json:
    """Knative's Configuration of a service: its template and the revisions that came of it."""
    service = to_v1(document, projects)
    keys = ("latestCreatedRevisionName", "latestReadyRevisionName")
    return _part_of_service(service, "Configuration", {"template": service["spec"]["template"]}) | {
        "status": _part_status(service, "ConfigurationsReady", keys)
    }


def _part_of_service(service: Json, kind: str, spec: Json) -> Json:
    metadata = service["metadata"]
    own = {**metadata["labels"], SERVING + "service": metadata["name"]}
    return {"apiVersion": service["apiVersion"], "kind": kind, "metadata": {**metadata, "labels": own}, "spec": spec}


def _part_status(service: Json, condition: str, keys: tuple[str, ...]) -> Json:
    status = service["status"]
    ready = [{**c, "type": "Ready"} for c in status["conditions"] if c["type"] == condition]
    return {"observedGeneration": status["observedGeneration"], "conditions": ready} | {
        key: status[key] for key in keys if key in status
    }


def operation(document: Document, projects: Projects) -> Json:
    """A long-running operation: its response and metadata are the v1 object (contract §7.6)."""
    made = dict(document.body)
    for key in ("metadata", "response"):
        if key in made:
            made[key] = _operation_part(made[key], document, projects)
    return made


def _operation_part(resource: Mapping[str, Any], operation: Document, projects: Projects) -> Json:
    kind = str(resource["@type"]).removeprefix(TYPE_URL)
    document = Document(kind, resource["name"], operation.version, dict(resource), operation.internal)
    return {"@type": f"type.googleapis.com/google.cloud.run.v1.{kind}", **to_v1(document, projects)}


def v1_object(
    api_version: str, document: Document, name: Name, projects: Projects, metadata: Json, spec: Json, status: Json
) -> Json:
    """gcloud needs the location's label on every object, and fails without it (contract §7.5)."""
    body, number = document.body, projects.number_of(name.project)
    group = api_version.partition("/")[0]
    server = {
        "name": name.id,
        "namespace": number,
        "selfLink": f"/apis/{group}/v1/namespaces/{number}/{name.path[-2].lower()}/{name.id}",
        "uid": body["uid"],
        "resourceVersion": etag(document),
        "generation": int(body["generation"]),
        "creationTimestamp": body["createTime"],
    }
    if "deleteTime" in body:
        server["deletionTimestamp"] = body["deleteTime"]
    return {
        "apiVersion": api_version,
        "kind": document.kind,
        "metadata": {**metadata, **server, "labels": labels(document)},
        "spec": spec,
        "status": {key: value for key, value in status.items() if value not in ("", [])},
    }


_MAKERS: dict[str, Callable[[Document, Name, Projects], Json]] = {
    "Service": _service,
    "WorkerPool": _worker_pool,
    "Revision": _revision,
    "Job": _job,
    "Execution": _execution,
    "Task": _task,
}
