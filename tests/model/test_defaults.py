"""Documents with everything filled in that their authors left out."""

from typing import Any

import pytest

from homerun.model.defaults import with_job_defaults, with_service_defaults, with_worker_pool_defaults


def service(container: dict[str, Any] | None = None, **template: Any) -> dict[str, Any]:
    body = {"template": {"containers": [{"image": "x", **(container or {})}], **template}}
    return with_service_defaults(body, "hello", "1")


def test_a_service_of_nothing_but_an_image() -> None:
    assert service() == {
        "ingress": "INGRESS_TRAFFIC_ALL",
        "launchStage": "GA",
        "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
        "template": {
            "timeout": "300s",
            "serviceAccount": "1-compute@developer.gserviceaccount.com",
            "scaling": {"maxInstanceCount": 100},
            "maxInstanceRequestConcurrency": 80,
            "containers": [
                {
                    "image": "x",
                    "ports": [{"name": "http1", "containerPort": 8080}],
                    "resources": {"cpuIdle": True, "limits": {"cpu": "1000m", "memory": "512Mi"}},
                    "startupProbe": {
                        "timeoutSeconds": 240,
                        "periodSeconds": 240,
                        "failureThreshold": 1,
                        "tcpSocket": {"port": 8080},
                    },
                }
            ],
        },
    }


def test_a_job_of_nothing_but_an_image() -> None:
    job = with_job_defaults({"template": {"template": {"containers": [{"image": "x"}]}}}, "work", "1")
    assert job == {
        "launchStage": "GA",
        "template": {
            "taskCount": 1,
            "template": {
                "maxRetries": 3,
                "timeout": "600s",
                "serviceAccount": "1-compute@developer.gserviceaccount.com",
                "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
                "containers": [{"image": "x", "resources": {"limits": {"cpu": "1000m", "memory": "512Mi"}}}],
            },
        },
    }


def test_what_was_given_stays() -> None:
    complete = service()
    assert with_service_defaults(complete, "hello", "1") == complete
    job = with_job_defaults({"template": {"template": {"containers": [{"image": "x"}], "maxRetries": 0}}}, "w", "1")
    assert job["template"]["template"]["maxRetries"] == 0


def test_the_author_s_document_is_not_touched() -> None:
    body = {"template": {"containers": [{"image": "x"}]}}
    with_service_defaults(body, "hello", "1")
    assert body == {"template": {"containers": [{"image": "x"}]}}


@pytest.mark.parametrize(
    ("resources", "idle"),
    [
        (None, True),
        ({}, True),
        ({"limits": {"cpu": "2"}}, False),
        ({"cpuIdle": True}, True),
        ({"cpuIdle": False}, False),
    ],
)
def test_resources_without_cpu_idle_mean_that_cpu_is_always_there(resources: Any, idle: bool) -> None:
    """contract §2.3: true only where resources is absent."""
    container = {} if resources is None else {"resources": resources}
    assert service(container)["template"]["containers"][0]["resources"]["cpuIdle"] is idle


@pytest.mark.parametrize(("cpu", "concurrency"), [("1", 80), ("999m", 1), ("0.5", 1), ("4", 80)])
def test_less_than_one_cpu_takes_one_request_at_a_time(cpu: str, concurrency: int) -> None:
    made = service({"resources": {"limits": {"cpu": cpu}}})
    assert made["template"]["maxInstanceRequestConcurrency"] == concurrency


def test_a_probe_that_is_given_has_the_defaults_of_a_given_one() -> None:
    made = service({"ports": [{"containerPort": 9000}], "startupProbe": {"httpGet": {"path": "/up"}}})
    container = made["template"]["containers"][0]
    assert container["ports"] == [{"name": "http1", "containerPort": 9000}]
    assert container["startupProbe"] == {
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "failureThreshold": 3,
        "httpGet": {"path": "/up", "port": 9000},
    }


def test_a_traffic_target_with_a_revision_is_of_that_revision() -> None:
    body = {"template": {"containers": [{"image": "x"}]}, "traffic": [{"revision": "hello-1", "percent": 100}]}
    assert with_service_defaults(body, "hello", "1")["traffic"][0]["type"] == (
        "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
    )


def pool(**fields: Any) -> dict[str, Any]:
    body = {"template": {"containers": [{"image": "x"}]}, **fields}
    return with_worker_pool_defaults(body, "crew", "1")


def test_a_worker_pool_is_one_instance_of_the_latest_revision() -> None:
    made = pool()
    assert made["scaling"] == {"manualInstanceCount": 1}
    assert made["instanceSplits"] == [{"type": "INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST", "percent": 100}]
    assert made["template"] == {
        "serviceAccount": "1-compute@developer.gserviceaccount.com",
        "containers": [{"image": "x", "resources": {"limits": {"cpu": "1000m", "memory": "512Mi"}}}],
    }, "no port, no probe, nothing about requests"


def test_no_instances_at_all_is_a_number_as_well() -> None:
    assert pool(scaling={"manualInstanceCount": 0})["scaling"] == {"manualInstanceCount": 0}


def test_a_worker_pool_s_probe_asks_its_port() -> None:
    container = {"image": "x", "ports": [{"containerPort": 9000}], "startupProbe": {"tcpSocket": {}}}
    made = pool(template={"containers": [container]})["template"]["containers"][0]
    assert made["startupProbe"]["tcpSocket"] == {"port": 9000}


def test_an_instance_split_with_a_revision_is_of_that_revision() -> None:
    made = pool(instanceSplits=[{"revision": "crew-1", "percent": 100}])
    assert made["instanceSplits"][0]["type"] == "INSTANCE_SPLIT_ALLOCATION_TYPE_REVISION"


@pytest.mark.parametrize("key", ["startupProbe", "livenessProbe", "readinessProbe"])
@pytest.mark.parametrize(
    ("given", "kind", "full"),
    [
        ({"httpGet": {}}, "httpGet", {"path": "/", "port": 8080}),
        ({"httpGet": {"path": "/up", "port": 9}}, "httpGet", {"path": "/up", "port": 9}),
        ({"grpc": {"service": "s"}}, "grpc", {"service": "s", "port": 8080}),
        ({"tcpSocket": {"port": 0}}, "tcpSocket", {"port": 8080}),
    ],
)
def test_every_probe_asks_the_container_s_port_unless_it_says_another(
    key: str, given: Any, kind: str, full: Any
) -> None:
    probe = service({key: given})["template"]["containers"][0][key]
    assert probe == {"timeoutSeconds": 1, "periodSeconds": 10, "failureThreshold": 3, kind: full}


def test_what_the_real_platform_does_not_show_is_not_written_down() -> None:
    """Terraform would plan to take it away again, each time."""
    made = service(scaling={"minInstanceCount": 1})["template"]
    assert made["scaling"] == {"minInstanceCount": 1}
    assert "executionEnvironment" not in made
    assert "name" not in made["containers"][0]
    assert "livenessProbe" not in made["containers"][0]


def test_a_sidecar_gets_neither_port_nor_probe() -> None:
    body = {"template": {"containers": [{"image": "side"}, {"image": "x", "ports": [{"containerPort": 9}]}]}}
    side, main = with_service_defaults(body, "hello", "1")["template"]["containers"]
    assert side == {"image": "side", "resources": {"cpuIdle": True, "limits": {"cpu": "1000m", "memory": "512Mi"}}}
    assert main["startupProbe"]["tcpSocket"] == {"port": 9}
