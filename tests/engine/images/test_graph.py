"""Reading the storage's files: what is whole, what is left over, what is not there yet."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

from homerun.engine.images.graph import Contents, Graph, Size

A, B = "sha256:a", "sha256:b"


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    """One image of two layers, and a chain of two that no image has."""
    layers = [
        {"id": "base", "diff-digest": "sha256:1", "diff-size": 10},
        {"id": "top", "parent": "base", "diff-digest": "sha256:2"},
        {"id": "lost", "parent": "base"},
        {"id": "lost-child", "parent": "lost", "flags": {"incomplete": True}},
    ]
    names = [f"manifest-{A}", f"manifest-{B}", "manifest", "sha256:config"]
    images = [{"id": "image", "layer": "top", "digest": B, "big-data-names": names, "names": ["n"]}]
    for name, content in (("overlay-layers/layers.json", layers), ("overlay-images/images.json", images)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(json.dumps(content))
    for layer in ("base", "top", "lost", "lost-child", "unknown"):
        (tmp_path / "overlay" / layer / "diff").mkdir(parents=True)
    (tmp_path / "overlay" / "l").mkdir()
    return Graph(tmp_path)


def test_an_image_is_found_by_each_of_its_manifests(graph: Graph) -> None:
    found = graph.find(A)
    assert found and found == graph.find(B)
    assert (found.id, found.layer, found.digest) == ("image", "top", B)
    assert graph.find("sha256:c") is None


def test_a_chain_goes_from_the_top_down(graph: Graph) -> None:
    assert [layer.id for layer in graph.chain("top")] == ["top", "base"]
    assert [layer.complete for layer in graph.chain("lost-child")] == [False, True, True]
    assert graph.chain("nowhere") == []


def test_layers_of_no_image_come_children_first(graph: Graph) -> None:
    assert graph.unreferenced() == ["lost-child", "lost"]


def test_an_index_that_was_being_written_is_found(graph: Graph) -> None:
    assert graph.half_written() == []
    half = graph.root / "overlay-layers" / ".tmp-layers.json3013946878"
    half.parent.mkdir(exist_ok=True)
    half.write_text("[")
    assert graph.half_written() == [half]


def test_folders_that_no_index_knows_are_strays(graph: Graph) -> None:
    assert [path.name for path in graph.stray()] == ["unknown"]


def test_data_is_read_by_its_encoded_name(graph: Graph) -> None:
    record = graph.images()[0]
    assert graph.data(record, "sha256:config") is None
    folder = graph.root / "overlay-images/image"
    folder.mkdir()
    (folder / ("=" + base64.b64encode(b"sha256:config").decode())).write_bytes(b"{}")
    assert graph.data(record, "sha256:config") == b"{}"


def test_only_new_layers_are_measured(graph: Graph) -> None:
    for layer in ("base", "lost"):
        (graph.root / "overlay" / layer / "diff/file").write_bytes(b"x" * 8192)
    assert graph.measure(["base", "top"]) == Size(8192, 4)
    assert graph.measure(["base", "lost"]).bytes == 0


def test_entries_and_names_that_are_not_utf_8_are_seen_in_the_journal(graph: Graph) -> None:
    for layer in graph.chain("top"):
        lines = ['{"type":2,"payload":"","position":0}', '{"type":1,"name":"fine","payload":"","position":1}', ""]
        journal = gzip.compress("\n".join(lines).encode())
        (graph.root / f"overlay-layers/{layer.id}.tar-split.gz").write_bytes(journal)
    assert graph.contents(graph.chain("top")) == Contents(2, False)
    odd = gzip.compress(b'{"type":1,"name_raw":"/w==","payload":""}')
    (graph.root / "overlay-layers/base.tar-split.gz").write_bytes(odd)
    assert graph.contents(graph.chain("top")) == Contents(2, True)


def test_a_storage_that_was_never_used_is_empty(tmp_path: Path) -> None:
    graph = Graph(tmp_path / "nothing")
    assert (graph.images(), graph.layers(), graph.unreferenced(), graph.stray(), graph.measure([]).bytes) == (
        [],
        {},
        [],
        [],
        0,
    )
