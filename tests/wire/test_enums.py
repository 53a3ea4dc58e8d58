"""Enum numbers of the published packages."""

from homerun.wire.discovery import description
from homerun.wire.enums import enum_name


def enums(schema: str) -> dict[str, list[str]]:
    properties = description("run.v2").schemas[schema]["properties"]
    return {key: value["enum"] for key, value in properties.items() if "enum" in value}


def test_a_number_is_the_name_that_google_gave_it() -> None:
    assert enum_name(enums("GoogleCloudRunV2Service")["ingress"], 2) == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    assert enum_name(enums("GoogleCloudRunV2RevisionTemplate")["executionEnvironment"], 2) == (
        "EXECUTION_ENVIRONMENT_GEN2"
    )


def test_a_nested_enum_is_found_as_well() -> None:
    assert enum_name(enums("GoogleCloudRunV2VpcAccess")["egress"], 1) == "ALL_TRAFFIC"


def test_numbers_and_enums_that_the_package_does_not_know_have_no_name() -> None:
    assert enum_name(enums("GoogleCloudRunV2Service")["ingress"], 77) is None
    assert enum_name(["NO_SUCH_ENUM_UNSPECIFIED"], 0) is None


def test_other_packages_have_enums_too() -> None:
    methods = description("cloudscheduler.v1").schemas["HttpTarget"]["properties"]["httpMethod"]["enum"]
    assert enum_name(methods, 4) == "PUT"
