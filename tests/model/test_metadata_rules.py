"""Rules for labels and annotations (contract §7.2)."""

from typing import Any

import pytest

from homerun.model.metadata_rules import METADATA, RESERVED
from homerun.model.rules import check


def wrong(**body: Any) -> list[str]:
    return [v.field for v in check(body, METADATA)]


@pytest.mark.parametrize(
    "labels", [{}, {"team": "a"}, {"client.knative.dev/nonce": "abc_def"}, {"a" * 63: ""}, {"A.b_c-d": "v" * 63}]
)
def test_good_labels(labels: dict[str, str]) -> None:
    assert wrong(labels=labels, annotations=labels) == []


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ({"": "x"}, "labels[]"),
        ({"a b": "x"}, "labels[a b]"),
        ({"/a": "x"}, "labels[/a]"),
        ({"A.Example/a": "x"}, "labels[A.Example/a]"),
        ({"a" * 64: "x"}, f"labels[{'a' * 64}]"),
        ({"a": "x y"}, "labels[a]"),
        ({"a": "x" * 64}, "labels[a]"),
        ({f"l{number}": "" for number in range(65)}, "labels"),
    ],
)
def test_bad_labels(labels: dict[str, str], field: str) -> None:
    assert wrong(labels=labels) == [field]


def test_annotations_are_free_text_up_to_a_size() -> None:
    assert wrong(annotations={"a": "any text: {}"}) == []
    assert wrong(annotations={"a": "x" * 200_000, "b": "x" * 100_000}) == ["annotations"]


def test_namespaces_of_the_platform_and_ours_are_reserved() -> None:
    body = {
        "labels": {"run.googleapis.com/x": "1", "serving.knative.dev": "no namespace"},
        "template": {"annotations": {"homerun.dev/x": "1"}},
    }
    assert [v.field for v in check(body, RESERVED)] == [
        "labels[run.googleapis.com/x]",
        "template.annotations[homerun.dev/x]",
    ]
