"""Values in the words of both versions."""

from typing import Any

import pytest

from homerun.apis.run_v1 import codecs
from homerun.apis.run_v1.codecs import Codec


@pytest.mark.parametrize(
    ("codec", "v1", "v2"),
    [
        (codecs.TEXT, "x", "x"),
        (codecs.BOOL, "true", True),
        (codecs.BOOL, "false", False),
        (codecs.INT, "7", 7),
        (codecs.TEXTS, '["a","b"]', ["a", "b"]),
        (codecs.TEXT_MAP, '{"A":"1"}', {"A": "1"}),
        (codecs.NETWORK_INTERFACES, '[{"network":"n","tags":["t"]}]', [{"network": "n", "tags": ["t"]}]),
        (codecs.COMMAS, "a,b", ["a", "b"]),
        (codecs.HOURS, "2", "7200s"),
        (codecs.SECONDS, 300, "300s"),
        (codecs.SECONDS_TEXT, "600", "600s"),
        (codecs.INGRESS, "internal-and-cloud-load-balancing", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"),
        (codecs.EXECUTION_ENVIRONMENT, "gen1", "EXECUTION_ENVIRONMENT_GEN1"),
        (codecs.VPC_EGRESS, "all-traffic", "ALL_TRAFFIC"),
        (codecs.SCALING_MODE, "manual", "MANUAL"),
    ],
)
def test_both_ways(codec: Codec, v1: Any, v2: Any) -> None:
    assert codec.to_v2(v1) == v2
    assert codec.to_v1(v2) == v1


@pytest.mark.parametrize(
    ("codec", "v1", "v2"),
    [(codecs.BOOL, "True", True), (codecs.BOOL, "FALSE", False), (codecs.VPC_EGRESS, "all", "ALL_TRAFFIC")],
)
def test_other_spellings_are_understood(codec: Codec, v1: str, v2: Any) -> None:
    assert codec.to_v2(v1) == v2


@pytest.mark.parametrize(
    ("codec", "wrong"),
    [
        (codecs.BOOL, "yes"),
        (codecs.INT, "-1"),
        (codecs.INT, "1.5"),
        (codecs.INT, "٣"),
        (codecs.INT, "9" * 30),
        (codecs.TEXTS, "{}"),
        (codecs.TEXTS, "["),
        (codecs.TEXTS, "[1]"),
        (codecs.TEXTS, '["\\ud800"]'),
        (codecs.TEXTS, "[" * 100_000),
        (codecs.TEXT_MAP, '{"a":1}'),
        (codecs.NETWORK_INTERFACES, "{}"),
        (codecs.NETWORK_INTERFACES, "[1]"),
        (codecs.HOURS, "x"),
        (codecs.INGRESS, "everywhere"),
    ],
)
def test_what_means_nothing_is_refused_with_what_would_be_right(codec: Codec, wrong: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        codec.to_v2(wrong)


def test_v2_values_without_a_word_in_v1_are_left_out() -> None:
    assert codecs.LAUNCH_STAGE.to_v1("UNIMPLEMENTED") is None
    assert codecs.HOURS.to_v1("3601s") is None


def test_a_network_interface_that_is_none_is_named_by_its_field() -> None:
    with pytest.raises(ValueError, match=r"\[1\]\.net: Unknown field"):
        codecs.NETWORK_INTERFACES.to_v2('[{},{"net":"n"}]')
