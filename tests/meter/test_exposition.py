import math

import pytest

from homerun.meter.exposition import FAMILIES, INFO, LATENCY, WAIT, Family
from homerun.meter.histogram import Histogram


def test_a_line_has_its_labels_in_order_and_whole_numbers_as_such() -> None:
    assert INFO.line(INFO.labelled("1.0"), 1.0) == 'homerun_info{version="1.0"} 1\n'
    assert Family("up", "gauge", (), "Is it?").line("", 0.25) == "up 0.25\n"


def test_labels_are_escaped() -> None:
    assert INFO.line(INFO.labelled('a"b\\c\nd'), 1) == 'homerun_info{version="a\\"b\\\\c\\nd"} 1\n'


def test_a_number_of_labels_that_is_wrong_is_a_bug() -> None:
    with pytest.raises(ValueError, match="zip"):
        WAIT.labelled("p")


def test_a_histogram_ends_with_infinity_sum_and_count() -> None:
    histogram = Histogram()
    histogram.observe(0.3)
    labels = WAIT.labelled("p", "r", "s", "v")
    assert labels == 'project="p",location="r",service="s",revision="v"'
    lines = WAIT.histogram(labels, histogram).splitlines()
    assert f'homerun_request_wait_seconds_bucket{{{labels},le="0.5"}} 1' in lines
    assert lines[-3:] == [
        f'homerun_request_wait_seconds_bucket{{{labels},le="+Inf"}} 1',
        f"homerun_request_wait_seconds_sum{{{labels}}} 0.3",
        f"homerun_request_wait_seconds_count{{{labels}}} 1",
    ]


def test_names_follow_the_conventions() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert family.name.startswith("homerun_")
        assert (family.kind == "counter") == family.name.endswith("_total")
        assert family.help.endswith(".") and "\n" not in family.help
    assert LATENCY.head() == (
        "# HELP homerun_request_latency_seconds From the end of a request's head to the last byte of its answer.\n"
        "# TYPE homerun_request_latency_seconds histogram\n"
    )


def test_numbers_are_what_prometheus_reads() -> None:
    family = Family("n", "gauge", (), "N.")
    assert [family.line("", number) for number in (math.inf, 1e300, 1 / 3)] == [
        "n +Inf\n",
        "n 1e+300\n",
        "n 0.3333333333333333\n",
    ]
