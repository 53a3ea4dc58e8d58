"""Shapes of requests against Google's published schemas."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homerun.wire.discovery import description
from homerun.wire.schema import parse

V2 = description("run.v2").schemas
V1 = description("run.v1").schemas


def service(**fields: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """What is right of a v2 Service, and the complaints by field."""
    parsed, violations = parse(V2, "GoogleCloudRunV2Service", fields)
    return parsed, {v.field: v.description for v in violations}


def test_what_is_right_comes_back_as_it_is() -> None:
    body = {"labels": {"a": "b"}, "template": {"containers": [{"image": "x", "args": ["-v"]}]}}
    assert service(**body) == (body, {})


def test_everything_that_is_wrong_is_found_at_once_with_its_path() -> None:
    body = {
        "template": {"containers": [{"image": 5, "imagee": "x"}, "no container"], "timeout": "5 minutes"},
        "ingress": "EVERYWHERE",
        "invokerIamDisabled": "yes",
        "traffic": {"percent": 100},
        "labels": {"a": 1},
    }
    parsed, wrong = service(**body)
    assert set(wrong) == {
        "template.containers[0].image",
        "template.containers[0].imagee",
        "template.containers[1]",
        "template.timeout",
        "ingress",
        "invokerIamDisabled",
        "traffic",
        "labels[a]",
    }
    assert "Unknown field" in wrong["template.containers[0].imagee"]
    assert "INGRESS_TRAFFIC_ALL" in wrong["ingress"]
    assert parsed == {"template": {"containers": [{}, {}]}}, "wrong parts are left out, in their place"


def test_an_unknown_field_that_is_nearly_right_gets_a_hint() -> None:
    assert "did you mean 'invokerIamDisabled'?" in service(invokeriamdisabled=True)[1]["invokeriamdisabled"]


def test_output_only_fields_and_nulls_are_ignored() -> None:
    assert service(uid="mine", generation="7", conditions="nonsense", description=None) == ({}, {})


def test_empty_lists_and_maps_are_the_same_as_none_but_an_empty_message_is_not() -> None:
    body = {"labels": {}, "traffic": [], "template": {"containers": [{"startupProbe": {"tcpSocket": {}}}]}}
    assert service(**body)[0] == {"template": {"containers": [{"startupProbe": {"tcpSocket": {}}}]}}


def test_proto_names_are_taken_as_well() -> None:
    assert service(custom_audiences=["a"]) == ({"customAudiences": ["a"]}, {})


def test_enums_may_be_numbers_as_client_libraries_send_them() -> None:
    assert service(ingress=1, launchStage=4)[0] == {"ingress": "INGRESS_TRAFFIC_ALL", "launchStage": "GA"}
    assert "99 is none of" in service(ingress=99)[1]["ingress"]
    assert "ingress" in service(ingress=True)[1]


@pytest.mark.parametrize(
    ("sent", "stored"), [("300s", "300s"), ("0.500s", "0.5s"), ("007s", "7s"), ("1.000000000s", "1s")]
)
def test_durations_are_normalised(sent: str, stored: str) -> None:
    assert service(template={"timeout": sent})[0] == {"template": {"timeout": stored}}


@pytest.mark.parametrize("wrong", ["300", 300, "s", "1m", "", "1.s"])
def test_what_is_no_duration_is_refused(wrong: Any) -> None:
    assert "template.timeout" in service(template={"timeout": wrong})[1]


@pytest.mark.parametrize("sent", [5, "5", 5.0])
def test_whole_numbers_may_be_texts_or_floats(sent: Any) -> None:
    assert service(template={"maxInstanceRequestConcurrency": sent})[0]["template"] == {
        "maxInstanceRequestConcurrency": 5
    }


@pytest.mark.parametrize("wrong", [True, "five", 5.5, 1 << 40, [], {}, "\N{ARABIC-INDIC DIGIT FIVE}"])
def test_what_is_no_int32_is_refused(wrong: Any) -> None:
    assert "template.maxInstanceRequestConcurrency" in service(template={"maxInstanceRequestConcurrency": wrong})[1]


def test_64_bit_numbers_come_back_as_texts() -> None:
    body = {"spec": {"template": {"spec": {"template": {"spec": {"timeoutSeconds": 600}}}}}}
    parsed, violations = parse(V1, "Job", body)
    assert parsed["spec"]["template"]["spec"]["template"]["spec"] == {"timeoutSeconds": "600"}
    assert violations == []


def test_bytes_come_in_both_alphabets_and_leave_in_the_standard_one() -> None:
    parsed, violations = parse(V2, "GoogleIamV1SetIamPolicyRequest", {"policy": {"etag": "-_8"}})
    assert (parsed, violations) == ({"policy": {"etag": "+/8="}}, [])
    _, violations = parse(V2, "GoogleIamV1SetIamPolicyRequest", {"policy": {"etag": "!"}})
    assert violations[0].field == "policy.etag"


def test_timestamps_must_be_rfc_3339() -> None:
    metadata = {"creationTimestamp": "yesterday"}
    assert parse(V1, "Service", {"metadata": metadata})[1][0].field == "metadata.creationTimestamp"


def test_a_body_that_is_no_object_is_refused() -> None:
    assert parse(V2, "GoogleCloudRunV2Service", ["x"])[1][0].field == "body"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["template", "containers"]), inner),
    max_leaves=15,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # its first draw builds the strategies
@given(st.dictionaries(st.sampled_from(sorted(V2["GoogleCloudRunV2Service"]["properties"])), json_values))
def test_no_json_whatever_breaks_it_and_the_rest_parses_clean(body: dict[str, Any]) -> None:
    parsed, _ = parse(V2, "GoogleCloudRunV2Service", body)
    again, violations = parse(V2, "GoogleCloudRunV2Service", parsed)
    assert again == parsed
    assert all("Unknown" not in v.description for v in violations)
