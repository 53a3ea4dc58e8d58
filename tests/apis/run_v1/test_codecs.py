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
        (codecs.JSON_LIST, '["a"]', ["a"]),
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
        (codecs.JSON_LIST, "{}"),
        (codecs.JSON_LIST, "["),
        (codecs.INGRESS, "everywhere"),
    ],
)
def test_what_means_nothing_is_refused_with_what_would_be_right(codec: Codec, wrong: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        codec.to_v2(wrong)


def test_v2_values_without_a_word_in_v1_are_left_out() -> None:
    assert codecs.LAUNCH_STAGE.to_v1("UNIMPLEMENTED") is None
