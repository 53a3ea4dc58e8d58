"""Bodies that a user would send, by the name of their schema: where a fuzzer starts from to reach deep states."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from tests.support.api import BATCH, FAILING, SLOW, WEB

Json = dict[str, Any]
RUN = "run.googleapis.com/"
FILTERS = (
    "",
    'resource.type = "cloud_run_revision" AND severity >= DEFAULT',
    'resource.type = cloud_run_job AND resource.labels.job_name = j0 AND timestamp>="2020-01-01T00:00:00Z"',
    'labels."run.googleapis.com/execution_name" = x OR NOT textPayload:"working"',
    'textPayload =~ "(a+)+$" AND resource.labels.location = "us-central1"',
    '(severity=ERROR OR httpRequest.status>=500) -jsonPayload.user=("a" OR "b")',
    'log_id("run.googleapis.com/stdout") SEARCH("`listening`") NOT ip_in_net(httpRequest.remoteIp, "10.0.0.0/8")',
)


class Samples:
    def __init__(self, random: Random) -> None:
        self._random = random

    def make(self, schema: str) -> Json:
        """{} for schemas that no sample is for."""
        maker = {
            "GoogleCloudRunV2Service": self.service,
            "GoogleCloudRunV2Job": self.job,
            "GoogleCloudRunV2WorkerPool": self.worker_pool,
            "GoogleCloudRunV2RunJobRequest": self.run_job,
            "Service": self.service_v1,
            "Job": self.job_v1,
            "WorkerPool": self.worker_pool_v1,
            "DomainMapping": self.domain_mapping,
            "RunJobRequest": self.run_job_v1,
            "GoogleIamV1SetIamPolicyRequest": self.set_policy,
            "SetIamPolicyRequest": self.set_policy,
            "ListLogEntriesRequest": self.list_entries,
            "GoogleLongrunningWaitOperationRequest": lambda: {"timeout": "30s"},
        }.get(schema)
        return maker() if maker else {}

    def service(self) -> Json:
        body: Json = {"template": self.template("template")}
        self.maybe(body, "labels", {"team": "a"})
        self.maybe(body, "description", "of no importance")
        self.maybe(body, "ingress", self._random.choice(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_ONLY"]))
        self.maybe(body, "scaling", {"minInstanceCount": self._random.randrange(3), "maxInstanceCount": 4})
        self.maybe(body, "scaling", {"scalingMode": "MANUAL", "manualInstanceCount": self._random.randrange(3)})
        self.maybe(body, "invokerIamDisabled", True)
        self.maybe(body, "defaultUriDisabled", True)
        latest = {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}
        self.maybe(body, "traffic", [latest | ({"tag": "blue"} if self._random.random() < 0.5 else {})])
        return body

    def template(self, path: str) -> Json:
        template: Json = {"containers": [self.container(WEB)]}
        self.maybe(template, "timeout", f"{self._random.randrange(1, 3600)}s")
        self.maybe(template, "maxInstanceRequestConcurrency", self._random.randrange(1, 1000))
        self.maybe(template, "sessionAffinity", True)
        self.maybe(template, "serviceAccount", "someone@homerun.iam.gserviceaccount.com")
        self.maybe(template, "executionEnvironment", "EXECUTION_ENVIRONMENT_GEN2")
        self.maybe(template, "annotations", {"mine/note": "é🦊"})
        self.maybe(template, "scaling", {"minInstanceCount": 1, "maxInstanceCount": 3})
        return template

    def container(self, image: str) -> Json:
        image = self._random.choice([image, image, image, image, SLOW, FAILING, "registry.test/none:1"])
        container: Json = {"image": image}
        self.maybe(container, "env", [{"name": "A", "value": str(self._random.randrange(5))}])
        secret = {"name": "S", "valueSource": {"secretKeyRef": {"secret": "s", "version": "latest"}}}
        self.maybe(container, "env", [secret, {"name": "B"}], 0.1)
        probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 5}
        self.maybe(container, self._random.choice(("startupProbe", "livenessProbe", "readinessProbe")), probe, 0.1)
        self.maybe(container, "volumeMounts", [{"name": "v", "mountPath": "/v"}], 0.05)
        self.maybe(container, "args", ["--fast", ""])
        self.maybe(container, "command", ["/bin/app"])
        self.maybe(container, "workingDir", "/tmp")
        self.maybe(container, "resources", {"limits": {"cpu": self._random.choice(["1", "2000m", "500m"])}})
        return container

    def job(self) -> Json:
        task: Json = {"containers": [self.container(BATCH)]}
        self.maybe(task, "maxRetries", self._random.randrange(4))
        self.maybe(task, "timeout", f"{self._random.randrange(1, 900)}s")
        execution: Json = {"template": task}
        self.maybe(execution, "taskCount", self._random.randrange(1, 5))
        self.maybe(execution, "labels", {"run": "of-mine"})
        body: Json = {"template": execution}
        self.maybe(body, "annotations", {"note": "x"})
        token = self._random.choice(["startExecutionToken", "runExecutionToken"])
        self.maybe(body, token, f"t{self._random.randrange(3)}")
        return body

    def worker_pool(self) -> Json:
        body: Json = {"template": {"containers": [self.container(SLOW)]}}
        self.maybe(body, "scaling", {"manualInstanceCount": self._random.randrange(4)})
        return body

    def run_job(self) -> Json:
        overrides: Json = {}
        self.maybe(overrides, "taskCount", self._random.randrange(1, 6))
        self.maybe(overrides, "timeout", "60s")
        self.maybe(overrides, "containerOverrides", [{"args": ["x"], "env": [{"name": "A", "value": "over"}]}])
        return {"overrides": overrides}

    def service_v1(self) -> Json:
        template: Json = {"spec": {"containers": [self.container(WEB)]}, "metadata": {"annotations": {}}}
        self.maybe(template["spec"], "containerConcurrency", self._random.randrange(1, 100))
        self.maybe(template["spec"], "timeoutSeconds", self._random.randrange(1, 900))
        self.maybe(template["metadata"]["annotations"], "autoscaling.knative.dev/maxScale", "3")
        self.maybe(template["metadata"]["annotations"], RUN + "cpu-throttling", "False")
        body = self.object_v1("serving.knative.dev/v1", "Service", "s", {"template": template})
        self.maybe(body["spec"], "traffic", [{"latestRevision": True, "percent": 100}])
        return body

    def job_v1(self) -> Json:
        spec: Json = {"template": {"spec": {"containers": [self.container(BATCH)]}}}
        self.maybe(spec, "taskCount", self._random.randrange(1, 4))
        return self.object_v1("run.googleapis.com/v1", "Job", "j", {"template": {"spec": spec}})

    def worker_pool_v1(self) -> Json:
        template: Json = {"spec": {"containers": [self.container(SLOW)]}}
        return self.object_v1("run.googleapis.com/v1", "WorkerPool", "w", {"template": template})

    def domain_mapping(self) -> Json:
        spec: Json = {"routeName": f"s{self._random.randrange(5)}"}
        self.maybe(spec, "forceOverride", True)
        body = self.object_v1("domains.cloudrun.com/v1", "DomainMapping", "d", spec)
        body["metadata"]["name"] += ".example.com"
        return body

    def object_v1(self, api: str, kind: str, prefix: str, spec: Json) -> Json:
        """As gcloud sends them, odd empty parts included (contract §7.6)."""
        metadata: Json = {"name": f"{prefix}{self._random.randrange(5)}", "namespace": "homerun"}
        self.maybe(metadata, "labels", {"cloud.googleapis.com/location": "us-central1", "team": "b"})
        self.maybe(metadata, "annotations", {RUN + "client-name": "gcloud", RUN + "launch-stage": "BETA"})
        return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}

    def run_job_v1(self) -> Json:
        return {"overrides": {"taskCount": self._random.randrange(1, 4), "timeoutSeconds": 60}}

    def set_policy(self) -> Json:
        return {"policy": {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}}

    def list_entries(self) -> Json:
        body: Json = {"resourceNames": ["projects/homerun"], "filter": self._random.choice(FILTERS)}
        self.maybe(body, "pageSize", self._random.randrange(1, 20))
        self.maybe(body, "orderBy", "timestamp desc")
        return body

    def maybe(self, body: Json, key: str, value: Any, chance: float = 0.25) -> None:
        if self._random.random() < chance:
            body[key] = json.loads(json.dumps(value))
