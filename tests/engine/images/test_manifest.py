"""Documents that strangers wrote."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homerun.engine.base import Image
from homerun.engine.images import manifest
from homerun.engine.images.manifest import Flaw

CONFIG = {"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {"diff_ids": []}}


def index(*platforms: str) -> dict[str, object]:
    entries = [
        {"digest": f"sha256:{number}", "platform": dict(zip(("os", "architecture"), platform.split("/"), strict=True))}
        for number, platform in enumerate(platforms)
    ]
    return {"manifests": entries}


def test_of_many_architectures_this_machines_is_chosen() -> None:
    assert manifest.choose(index("windows/amd64", "linux/arm64", "linux/amd64"), "amd64") == "sha256:2"


def test_without_this_machines_architecture_those_that_there_are_get_named() -> None:
    with pytest.raises(Flaw, match=r"built for linux/arm64, windows/amd64 and this machine runs linux/amd64"):
        manifest.choose(index("windows/amd64", "linux/arm64"), "amd64")


def test_an_image_of_another_architecture_or_system_is_refused() -> None:
    manifest.check_platform(CONFIG, "amd64")
    with pytest.raises(Flaw, match=r"built for linux/arm64 .* runs linux/amd64"):
        manifest.check_platform({**CONFIG, "architecture": "arm64"}, "amd64")
    with pytest.raises(Flaw, match=r"built for windows/amd64"):
        manifest.check_platform({**CONFIG, "os": "windows"}, "amd64")


def test_the_configuration_becomes_an_image() -> None:
    settings = {"Entrypoint": ["/a"], "Cmd": None, "Env": ["A=b=c", "E="], "WorkingDir": "/w", "User": "1:2"}
    image = manifest.image_of("x", "sha256:1", {**CONFIG, "config": settings})
    assert image == Image("x", "sha256:1", ("/a",), (), ("A=b=c", "E="), "/w", "1:2")


def test_an_empty_configuration_is_one_too() -> None:
    assert manifest.image_of("x", "sha256:1", {"config": None}) == Image("x", "sha256:1")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"Cmd": "/bin/sh"}, "Cmd in its configuration is not a list of strings"),
        ({"Entrypoint": [1]}, "Entrypoint"),
        ({"Env": ["novalue"]}, "'novalue', which is not NAME=VALUE"),
        ({"Env": ["=x"]}, "NAME=VALUE"),
        ({"Env": ["A=\0"]}, "Env"),
        ({"User": 0.5}, "User in its configuration is not a string"),
        ({"WorkingDir": ["/"]}, "WorkingDir"),
        ([1], "config in its configuration is not an object"),
    ],
)
def test_wrong_types_are_named(settings: object, problem: str) -> None:
    with pytest.raises(Flaw) as caught:
        manifest.image_of("x", "sha256:1", {**CONFIG, "config": settings})
    assert problem in str(caught.value)


def test_more_layers_than_the_kernel_mounts_are_refused() -> None:
    manifest.check_layers({"layers": [{}] * 127})
    with pytest.raises(Flaw, match="500 layers, and at most 127"):
        manifest.check_layers({"layers": [{}] * 500})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    ["config", "layers", "manifests", "rootfs", "diff_ids", "Env", "Cmd", "os", "platform", "digest"]
)


@given(st.dictionaries(keys, json_values | st.dictionaries(keys, json_values), max_size=6))
def test_no_document_gets_through_as_anything_but_an_image_or_a_flaw(document: dict[str, object]) -> None:
    parsed = manifest.parse(json.dumps(document).encode(), "manifest")
    for read in (
        lambda: manifest.image_of("x", "sha256:1", parsed),
        lambda: manifest.check_layers(parsed),
        lambda: manifest.check_platform(parsed, "amd64"),
        lambda: manifest.choose(parsed, "amd64"),
        lambda: manifest.config_digest(parsed),
        lambda: manifest.diff_ids(parsed),
    ):
        try:
            read()
        except Flaw as flaw:
            assert str(flaw)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_what_is_not_a_json_object_is_a_flaw(content: bytes) -> None:
    with pytest.raises(Flaw, match="its configuration is not"):
        manifest.parse(content, "configuration")
