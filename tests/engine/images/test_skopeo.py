"""What skopeo says, sorted: every text here is one that it really printed."""

from __future__ import annotations

import pytest

from homerun.engine.base import EngineUnavailable, ImageForbidden, ImageNotFound, ImageUnusable
from homerun.engine.images.process import Result
from homerun.engine.images.reference import Reference
from homerun.engine.images.skopeo import failure
from homerun.lib.errors import HomerunError


@pytest.mark.parametrize(
    ("cause", "error", "remedy"),
    [
        ("reading manifest v9 in docker.io/library/x: manifest unknown", ImageNotFound, "Check its name and tag"),
        ("reading manifest latest in a/b: unauthorized: authentication required", ImageForbidden, "skopeo login"),
        ("requested access to the resource is denied", ImageForbidden, "skopeo login"),
        (
            'pinging container registry a.b: Get "https://a.b/v2/": dial tcp: lookup a.b: no such host',
            ImageNotFound,
            "r",
        ),
        ("creating temp directory: open /tmp/nope: no such file or directory", ImageNotFound, "Check the path"),
        ('reference "x" does not resolve to an image ID: identifier is not an image', ImageNotFound, "buildah images"),
        ("writing blob: storing blob: write /x: no space left on device", EngineUnavailable, "Free some space"),
        ("Digest did not match, expected sha256:1, got sha256:2", ImageUnusable, "Build it anew"),
        ("Error processing tar file(exit status 1): unexpected EOF", ImageUnusable, "Build it anew"),
    ],
)
def test_a_failure_is_one_of_the_name_the_image_or_the_host(cause: str, error: type[HomerunError], remedy: str) -> None:
    raised = failure(Reference.parse("a/b"), cause, looking=True)
    assert type(raised) is error
    assert cause in raised.message and remedy in raised.message and "a/b" in raised.message


def test_a_missing_file_inside_the_image_is_not_a_missing_image() -> None:
    cause = "processing tar file(open /out/owned: no such file or directory): exit status 1"
    assert type(failure(Reference.parse("a/b"), cause, looking=False)) is ImageUnusable


def test_the_cause_is_the_last_fatal_line_without_its_wrapping() -> None:
    line = r'time="x" level=fatal msg="Error parsing image name \"docker://a\": reading \"b\": manifest unknown"'
    stderr = f'time="x" level=info msg="driver"\n{line}\n'
    assert Result(1, b"", stderr).cause == 'reading "b": manifest unknown'


def test_a_tool_that_only_talks_is_quoted_by_its_last_line() -> None:
    assert Result(1, b"", "first\nsecond\n").cause == "second"
    assert Result(3, b"", "").cause == "exit code 3"
    assert Result(-9, b"", "").cause == "killed by signal SIGKILL"
