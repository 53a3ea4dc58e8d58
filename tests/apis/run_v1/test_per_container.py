"""Annotations of the template that are fields of containers in v2."""

from typing import Any

import pytest

from homerun.apis.run_v1.per_container import to_v1, to_v2

RUN = "run.googleapis.com/"
THROTTLED, BOOST, NEEDS = RUN + "cpu-throttling", RUN + "startup-cpu-boost", RUN + "container-dependencies"


def spread(annotations: dict[str, str], *names: str, throttled: bool = False) -> list[dict[str, Any]]:
    containers: list[dict[str, Any]] = [{"name": name} if name else {} for name in names]
    assert list(to_v2(annotations, containers, throttled=throttled)) == []
    return containers


@pytest.mark.parametrize(
    ("annotations", "containers"),
    [
        ({NEEDS: '{"a":["b"]}'}, [{"name": "a", "dependsOn": ["b"]}, {"name": "b"}]),
        ({RUN + "base-images": '{"b":"img"}'}, [{"name": "a"}, {"name": "b", "baseImageUri": "img"}]),
        (
            {RUN + "sources": '{"a":"gs://b/x/y.zip#7"}'},
            [
                {
                    "name": "a",
                    "sourceCode": {"cloudStorageSource": {"bucket": "b", "object": "x/y.zip", "generation": "7"}},
                },
                {"name": "b"},
            ],
        ),
    ],
)
def test_by_the_name_of_the_container(annotations: dict[str, str], containers: list[dict[str, Any]]) -> None:
    assert spread(annotations, "a", "b") == containers
    assert to_v1(containers) == annotations


def test_the_only_container_needs_no_name() -> None:
    assert spread({RUN + "base-images": '{"":"img"}'}, "") == [{"baseImageUri": "img"}]


@pytest.mark.parametrize(
    ("annotations", "resources"),
    [
        ({}, {"cpuIdle": True}),
        ({THROTTLED: "true"}, {"cpuIdle": True}),
        ({THROTTLED: "False"}, {"cpuIdle": False}),
        ({BOOST: "True"}, {"cpuIdle": True, "startupCpuBoost": True}),
    ],
)
def test_cpu_is_throttled_unless_said_otherwise(annotations: dict[str, str], resources: dict[str, bool]) -> None:
    assert spread(annotations, "a", "b", throttled=True) == [
        {"name": "a", "resources": resources},
        {"name": "b", "resources": resources},
    ]


def test_a_job_s_cpu_is_never_throttled() -> None:
    assert spread({THROTTLED: "true"}, "a") == [{"name": "a"}]


def test_v1_s_default_needs_no_annotation() -> None:
    assert to_v1([{"resources": {"cpuIdle": True}}]) == {}
    assert to_v1([{"resources": {"cpuIdle": False, "startupCpuBoost": False}}]) == {THROTTLED: "false", BOOST: "false"}


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        (NEEDS, "x", "must be a JSON object by container name"),
        (NEEDS, '{"a":"b"}', "must be a JSON object of lists"),
        (NEEDS, '{"z":["a"]}', "no container is named 'z'"),
        (RUN + "base-images", '{"a":1}', "must be a JSON object of texts"),
        (RUN + "sources", '{"a":"/tmp/x"}', "must name objects as gs://BUCKET/OBJECT"),
        (THROTTLED, "maybe", "must be true or false"),
    ],
)
def test_what_is_wrong_is_named_by_its_annotation(key: str, text: str, problem: str) -> None:
    ((found, message),) = to_v2({key: text}, [{"name": "a"}], throttled=True)
    assert found == key
    assert message.startswith(problem)
