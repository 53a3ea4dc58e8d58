from typing import Any

import pytest

from homerun.cli.deploy import NONCE, ServiceFlags, wanted
from homerun.cli.errors import ApiError
from homerun.cli.flags import ContainerFlags
from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

SERVICES = "/v2/projects/p/locations/r/services"
HELLO = f"{SERVICES}/hello"
REVISION = "projects/p/locations/r/services/hello/revisions/hello-00002-abc"
URL = "http://hello-1.r.run.localhost:8080"
NO_FLAGS: dict[str, Any] = {name: None for name in ServiceFlags.__dataclass_fields__} | {"no_traffic": False}
OPERATION = "projects/p/locations/r/operations/o"
EVERYBODY = {"etag": "ACAB", "bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}
READY = {
    "name": HELLO.removeprefix("/v2/"),
    "uri": URL,
    "generation": "2",
    "latestCreatedRevision": REVISION,
    "latestReadyRevision": REVISION,
    "trafficStatuses": [{"revision": "hello-00002-abc", "percent": 100}],
    "template": {"containers": [{"image": "old"}]},
}


def service(existing: dict[str, Any] | None = None, image: str = "i", **flags: Any) -> dict[str, Any]:
    container = ContainerFlags(**{k: flags.pop(k) for k in list(flags) if k in ContainerFlags.__dataclass_fields__})
    return wanted("hello", existing, container, image, ServiceFlags(**{**NO_FLAGS, **flags}))


def test_probes_and_the_check_of_a_deployment() -> None:
    made = service(startup_probe="grpc.port=5", readiness_probe="httpGet.path=/r", deploy_health_check=False)
    [container] = made["template"]["containers"]
    assert container == {
        "image": "i",
        "startupProbe": {"grpc": {"port": 5}},
        "readinessProbe": {"httpGet": {"path": "/r"}},
    }
    assert made["template"]["healthCheckDisabled"] is True


def test_a_new_service_holds_what_was_given_and_no_more() -> None:
    made = service(port=9000, concurrency=5, timeout="5m", min_instances=0, max_instances=3)
    template = made.pop("template")
    assert made == {"client": "homerun"}
    assert template.pop("labels")[NONCE]
    assert template == {
        "containers": [{"image": "i", "ports": [{"containerPort": 9000}]}],
        "maxInstanceRequestConcurrency": 5,
        "timeout": "300s",
        "scaling": {"minInstanceCount": 0, "maxInstanceCount": 3},
    }


def test_affinity_is_switched_on_and_off_and_otherwise_stays() -> None:
    assert service(session_affinity=True)["template"]["sessionAffinity"] is True
    there = {**READY, "template": {"containers": [{"image": "i"}], "sessionAffinity": True}}
    assert service(there)["template"]["sessionAffinity"] is True
    assert service(there, session_affinity=False)["template"]["sessionAffinity"] is False


def test_each_deployment_is_a_new_template() -> None:
    assert service()["template"] != service()["template"]


def test_without_an_image_the_old_one_stays() -> None:
    assert service(dict(READY), image="")["template"]["containers"][0]["image"] == "old"


def test_a_limit_does_not_silently_buy_cpu_outside_of_requests() -> None:
    assert service(memory="1Gi")["template"]["containers"][0]["resources"]["cpuIdle"] is True
    assert service(cpu_throttling=False)["template"]["containers"][0]["resources"]["cpuIdle"] is False
    assert "resources" not in service()["template"]["containers"][0]


def test_the_name_of_the_last_revision_is_not_asked_for_again() -> None:
    existing = {"template": {"revision": "hello-a", "containers": [{}]}}
    assert "revision" not in service(existing)["template"]
    assert service(revision_suffix="b")["template"]["revision"] == "hello-b"


def test_a_tag_names_the_revision_to_come() -> None:
    made = service(dict(READY), tag="green")
    name = made["template"]["revision"]
    assert name.startswith("hello-00003-")
    assert made["traffic"][-1] == {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": name, "tag": "green"}


def test_no_traffic_keeps_it_on_the_ready_revision() -> None:
    assert service(dict(READY), no_traffic=True)["traffic"][0]["revision"] == "hello-00002-abc"


def deploys(api: FakeApi, **operation: Any) -> None:
    pending = {"name": OPERATION, "done": False}
    api.on("POST", SERVICES, pending)
    api.on("PATCH", HELLO, pending)
    api.on("GET", f"{HELLO}:getIamPolicy", {"etag": "ACAB"})
    api.on("POST", f"{HELLO}:setIamPolicy", {})
    api.on("POST", f"/v2/{OPERATION}:wait", pending, {"name": OPERATION, "done": True, **operation})


def test_a_new_service_is_created_and_its_url_printed_alone(homerun: Invoke, api: FakeApi) -> None:
    deploys(api, response={})
    api.on("GET", HELLO, ApiError("no", 404, "NOT_FOUND"), {**READY, "latestReadyRevision": ""}, READY)
    api.on("GET", f"/v2/{REVISION}", {"conditions": [{"type": "ResourcesAvailable", "state": "CONDITION_SUCCEEDED"}]})
    result = homerun("deploy", "hello", "--image", "i")
    assert (result.exit_code, result.stdout) == (0, URL + "\n")
    assert "Starting the container" in result.stderr
    assert "serves 100 % of the traffic" in result.stderr
    assert [a.query for a in api.asked if a.path == SERVICES] == [{"serviceId": "hello"}]
    assert api.sent("POST", f"{HELLO}:setIamPolicy") == [{"policy": EVERYBODY}]
    assert "Everybody who reaches it may call it; --no-allow-unauthenticated makes it private." in result.stderr


def test_an_existing_service_is_changed(homerun: Invoke, api: FakeApi) -> None:
    deploys(api, response={})
    api.on("GET", HELLO, READY)
    assert homerun("deploy", "hello", "--set-env-vars", "A=b").exit_code == 0
    (sent,) = api.sent("PATCH", HELLO)
    assert sent["template"]["containers"] == [{"image": "old", "env": [{"name": "A", "value": "b"}]}]
    assert not api.sent("POST", f"{HELLO}:setIamPolicy"), "who may call it stays as it is"


def test_a_failure_says_why_and_is_exit_code_1(homerun: Invoke, api: FakeApi) -> None:
    deploys(api, error={"code": 9, "message": "Container called exit(3)."})
    api.on("GET", HELLO, READY)
    result = homerun("deploy", "hello", "--image", "i")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: Container called exit(3)." in result.stderr


def test_async_returns_at_once(homerun: Invoke, api: FakeApi) -> None:
    deploys(api)
    api.on("GET", HELLO, READY)
    result = homerun("deploy", "hello", "--image", "i", "--async")
    assert result.exit_code == 0
    assert not api.sent("POST", f"/v2/{OPERATION}:wait")


def test_ctrl_c_leaves_the_deployment_and_says_how_to_come_back(homerun: Invoke, api: FakeApi) -> None:
    deploys(api)
    api.on("GET", HELLO, READY)
    api.on("POST", f"/v2/{OPERATION}:wait", KeyboardInterrupt())  # type: ignore[arg-type]
    result = homerun("deploy", "hello", "--image", "i", "--region", "r")
    assert result.exit_code == 130
    assert "homerun services describe hello --region r" in result.stderr


@pytest.mark.parametrize(
    "flags,said",
    [
        ((), "give --image or --source"),
        (("--image", "i", "--source", "."), "not both"),
        (("--image", "i", "--timeout", "soon"), "no duration"),
        (("--image", "i", "--no-traffic"), "already serves"),
        (("--image", "i", "--env", "A"), "KEY=VALUE"),
        (("--image", "i", "--concurrency", "0"), "1<=x<=1000"),
        (("--image", "i", "--source", "/does/not/exist"), "does not exist"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_changes_nothing(
    homerun: Invoke, api: FakeApi, flags: tuple[str, ...], said: str
) -> None:
    result = homerun("deploy", "hello", *flags)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not api.sent("POST", SERVICES)


@pytest.mark.parametrize("new", [True, False])
def test_who_may_call_it_is_set_when_said(homerun: Invoke, api: FakeApi, new: bool) -> None:
    for flag, policies in (("--allow-unauthenticated", [{"policy": EVERYBODY}]), ("--no-allow-unauthenticated", [])):
        api.asked.clear()
        deploys(api, response={})
        api.on("GET", HELLO, *([ApiError("no", 404, "NOT_FOUND")] if new else []), READY)
        result = homerun("deploy", "hello", "--image", "i", flag)
        assert result.exit_code == 0
        assert api.sent("POST", f"{HELLO}:setIamPolicy") == policies
        assert "Everybody" not in result.stderr
