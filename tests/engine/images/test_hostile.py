"""Images made to do harm: each is refused or comes in harmless, and leaves nothing outside its layer."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homerun.engine.base import ImageNotFound, ImageUnusable
from homerun.engine.images.guard import Limits
from homerun.engine.images.manifest import digest_of
from homerun.engine.images.store import ImageStore
from tests.engine.images.archives import Blobs, blob, edit, manifest_of, put, set_config, set_manifest
from tests.engine.images.footprint import Footprint
from tests.support.images import make_image, make_layer

pytestmark = pytest.mark.host


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, size, 0o644
    return info


def written(name: str, content: bytes = b"owned") -> tuple[tarfile.TarInfo, bytes]:
    return member(name, size=len(content)), content


def tree(root: Path) -> set[str]:
    """Every file of the store but those inside a layer, and every file beside it."""
    return {str(path) for path in root.rglob("*") if "/diff/" not in str(path) and path.name != "scratch"}


ESCAPES: dict[str, list[Any]] = {
    "parent folders": [written("../../../../../../owned")],
    "an absolute path": [written("/owned-absolute")],
    "a symlink to the outside": [member("out", tarfile.SYMTYPE, "../../../.."), written("out/owned")],
    "an absolute symlink": [member("out", tarfile.SYMTYPE, "{outside}"), written("out/owned")],
    "a symlink in the place of a folder": [
        member("a", tarfile.DIRTYPE),
        member("a/b", tarfile.SYMTYPE, "../../../../.."),
        written("a/b/owned"),
    ],
    "a hard link to the outside": [member("passwd", tarfile.LNKTYPE, "{outside}/secret"), written("passwd")],
    "a hard link through a symlink": [
        member("out", tarfile.SYMTYPE, "{outside}"),
        member("secret", tarfile.LNKTYPE, "out/secret"),
    ],
    "a whiteout of the parent": [written(".wh...", b""), written("a/.wh...", b"")],
    "a whiteout of what is outside": [written("../../.wh.link", b""), written("../.wh.lower", b"")],
    "a whiteout through a symlink": [member("out", tarfile.SYMTYPE, "{outside}"), written("out/.wh.secret", b"")],
    "an opaque folder through a symlink": [
        member("out", tarfile.SYMTYPE, "{outside}"),
        written("out/.wh..wh..opq", b""),
    ],
}


@pytest.mark.parametrize("escape", ESCAPES)
async def test_nothing_gets_out_of_its_layer(escape: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    entries: dict[str, Any] = {}
    for number, entry in enumerate(ESCAPES[escape]):
        info = entry[0] if isinstance(entry, tuple) else entry
        info.linkname = info.linkname.replace("{outside}", str(outside))
        entries[str(number)] = (info, entry[1] if isinstance(entry, tuple) else b"")
    reference = f"oci-archive:{make_image(tmp_path / 'a.tar', [{'/base': b'x'}, make_layer(entries)])}"
    root = tmp_path / "images"
    store = ImageStore(root)
    await store.pull(f"oci-archive:{make_image(tmp_path / 'good.tar', [{'/base': b'x'}])}")
    before = tree(root)
    try:
        image = await store.pull(reference)
    except ImageUnusable:
        assert tree(root) == before
    else:
        allowed = str(store.lowerdirs(image)[0].parent)
        strangers = {path for path in tree(root) - before if not path.startswith(allowed)}
        assert all("overlay-" in path or "/overlay/l/" in path for path in strangers), strangers
        linked = store.lowerdirs(image)[0] / "secret"
        assert not linked.is_file() or linked.stat().st_ino != (outside / "secret").stat().st_ino
    assert (outside / "secret").read_text() == "secret"
    assert {path.name for path in tmp_path.iterdir()} == {"outside", "images", "a.tar", "good.tar"}
    assert os.stat(outside / "secret").st_nlink == 1
    assert not Path("/owned").exists() and not Path("/owned-absolute").exists()


async def test_devices_come_in_as_data_only(store: ImageStore, tmp_path: Path) -> None:
    """The root is mounted nodev; here it counts that unpacking does not open them."""
    disk = member("dev/disk", tarfile.BLKTYPE)
    disk.devmajor, disk.devminor = 254, 0
    archive = make_image(tmp_path / "a.tar", [{"/dev": None, "d": disk, "f": member("pipe", tarfile.FIFOTYPE)}])
    folder = store.lowerdirs(await store.pull(f"oci-archive:{archive}"))[0]
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)


async def test_whiteouts_hide_what_is_below_in_overlays_own_way(store: ImageStore, tmp_path: Path) -> None:
    layers = [{"/a/x": b"x", "/b/y": b"y"}, {"/a/.wh.x": b"", "/b/.wh..wh..opq": b""}]
    upper = store.lowerdirs(await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', layers)}"))[0]
    hidden = (upper / "a/x").stat()
    assert stat.S_ISCHR(hidden.st_mode) and hidden.st_rdev == 0
    assert os.getxattr(upper / "b", "trusted.overlay.opaque") == b"y"


# Images that lie or are broken


def lie_about_layer(files: Blobs) -> None:
    files[blob(manifest_of(files)["layers"][0]["digest"])] = gzip.compress(make_layer({"/evil": b"evil"}))


def cut_layer(files: Blobs) -> None:
    name = blob(manifest_of(files)["layers"][0]["digest"])
    files[name] = files[name][: len(files[name]) // 2]


def cut_layer_with_right_digest(files: Blobs) -> None:
    manifest = manifest_of(files)
    content = files[blob(manifest["layers"][0]["digest"])]
    half = content[: len(content) // 2]
    files[blob(digest_of(half))] = half
    manifest["layers"][0].update(digest=digest_of(half), size=len(half))
    set_manifest(files, manifest)


def garbage_layer(files: Blobs) -> None:
    manifest = manifest_of(files)
    files[blob(digest_of(b"garbage" * 500))] = b"garbage" * 500
    manifest["layers"][0].update(digest=digest_of(b"garbage" * 500), size=3500)
    set_manifest(files, manifest)


def lie_about_config(files: Blobs) -> None:
    name = blob(manifest_of(files)["config"]["digest"])
    files[name] = files[name].replace(b"/bin/true", b"/bin/evil")


def swap_last_layer(files: Blobs) -> None:
    """All digests of blobs are right, but the configuration promises other files."""
    manifest = manifest_of(files)
    content = gzip.compress(make_layer({"/evil": b"evil"}))
    files[blob(digest_of(content))] = content
    manifest["layers"][-1].update(digest=digest_of(content), size=len(content))
    set_manifest(files, manifest)


def missing_layer(files: Blobs) -> None:
    del files[blob(manifest_of(files)["layers"][1]["digest"])]


def layers_of_wrong_type(files: Blobs) -> None:
    set_manifest(files, {**manifest_of(files), "layers": "none"})


def config_of_wrong_type(files: Blobs) -> None:
    manifest = manifest_of(files)
    manifest["config"].update(put(files, ["not", "an", "object"]))
    set_manifest(files, manifest)


def no_config(files: Blobs) -> None:
    set_manifest(files, {**manifest_of(files), "config": None})


def no_index(files: Blobs) -> None:
    files["index.json"] = b"{}"


def five_hundred_layers(files: Blobs) -> None:
    manifest = manifest_of(files)
    manifest["layers"] *= 250
    set_manifest(files, manifest)


BROKEN = [
    lie_about_layer,
    cut_layer,
    cut_layer_with_right_digest,
    garbage_layer,
    lie_about_config,
    swap_last_layer,
    missing_layer,
    layers_of_wrong_type,
    config_of_wrong_type,
    no_config,
    five_hundred_layers,
]


@pytest.mark.parametrize("damage", BROKEN, ids=lambda damage: damage.__name__)
async def test_a_broken_image_is_refused_and_leaves_nothing(
    damage: Callable[[Blobs], None], store: ImageStore, tmp_path: Path, footprint: Footprint
) -> None:
    layers = [{"/a": os.urandom(100_000)}, {"/b": os.urandom(100_000)}]
    archive = make_image(tmp_path / "a.tar", layers, cmd=["/bin/true"])
    with pytest.raises(ImageUnusable, match=f"Image oci-archive:{archive} cannot be used"):
        await store.pull(f"oci-archive:{edit(archive, damage)}")
    assert footprint() == set()


async def test_an_archive_of_nothing_holds_no_image(store: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(ImageNotFound):
        await store.pull(f"oci-archive:{edit(make_image(tmp_path / 'a.tar', [{}]), no_index)}")


@pytest.mark.parametrize(
    ("key", "value"), [("Env", "A=1"), ("Env", ["no"]), ("Cmd", {"a": 1}), ("User", 5), ("WorkingDir", [])]
)
async def test_a_configuration_with_wrong_types_is_refused(
    key: str, value: object, store: ImageStore, tmp_path: Path, footprint: Footprint
) -> None:
    archive = make_image(tmp_path / "a.tar", [{"/a": b"a"}])

    def change(config: dict[str, Any]) -> None:
        config["config"][key] = value

    with pytest.raises(ImageUnusable, match="cannot be used"):
        await store.pull(f"oci-archive:{set_config(archive, change)}")
    assert footprint() == set()


async def test_file_names_that_are_not_utf_8_are_refused(
    store: ImageStore, tmp_path: Path, footprint: Footprint
) -> None:
    name = tarfile.TarInfo("bad-\udcff-name")
    data = name.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + b"\0" * 1024
    archive = make_image(tmp_path / "a.tar", [{"/a": b"a"}, data])
    with pytest.raises(ImageUnusable, match="not UTF-8"):
        await store.pull(f"oci-archive:{archive}")
    assert footprint() == set()


async def test_umlauts_are_fine(store: ImageStore, tmp_path: Path) -> None:
    image = await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', [{'/grüße/日本': b'x'}])}")
    assert (store.lowerdirs(image)[0] / "grüße/日本").exists()


async def test_a_bomb_is_stopped_and_removed(tmp_path: Path, footprint: Footprint) -> None:
    bomb = make_image(tmp_path / "bomb.tar", [{"/a": b"a"}, {"/zeros": bytes(256 << 20)}])
    assert bomb.stat().st_size < 4 << 20
    store = ImageStore(tmp_path / "images", limits=Limits(max_unpacked=32 << 20))
    with pytest.raises(ImageUnusable, match="unpacks to more than 32 MiB"):
        await store.pull(f"oci-archive:{bomb}")
    assert footprint() == set()


async def test_a_bomb_of_many_layers_counts_as_one(tmp_path: Path, footprint: Footprint) -> None:
    layers = [{f"/zeros{n}": bytes(4 << 20)} for n in range(10)]
    store = ImageStore(tmp_path / "images", limits=Limits(max_unpacked=32 << 20))
    with pytest.raises(ImageUnusable, match="unpacks to more than 32 MiB"):
        await store.pull(f"oci-archive:{make_image(tmp_path / 'bomb.tar', layers)}")
    assert footprint() == set()


async def test_a_hundred_layers_are_fine(store: ImageStore, tmp_path: Path) -> None:
    layers = [{f"/{n}": b"x"} for n in range(100)]
    image = await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', layers, compress=False)}")
    assert len(store.lowerdirs(image)) == 100


# More than one expects of an archive


async def test_layers_compressed_with_zstandard_come_in(store: ImageStore, tmp_path: Path) -> None:
    """Contract §1.1."""
    archive = make_image(tmp_path / "a.tar", [{"/a": b"a" * 200_000}])

    def recompress(files: Blobs) -> None:
        manifest = manifest_of(files)
        packed = zstd(gzip.decompress(files[blob(manifest["layers"][0]["digest"])]))
        files[blob(digest_of(packed))] = packed
        media = "application/vnd.oci.image.layer.v1.tar+zstd"
        manifest["layers"][0] = {"mediaType": media, "digest": digest_of(packed), "size": len(packed)}
        set_manifest(files, manifest)

    image = await store.pull(f"oci-archive:{edit(archive, recompress)}")
    assert (store.lowerdirs(image)[0] / "a").read_bytes() == b"a" * 200_000


def zstd(content: bytes) -> bytes:
    """A frame of raw blocks: all that a decompressor needs (RFC 8878 §3.1.1)."""
    blocks = [content[at : at + (128 << 10)] for at in range(0, len(content), 128 << 10)]
    heads = [
        (len(block) << 3 | (number == len(blocks) - 1)).to_bytes(3, "little") for number, block in enumerate(blocks)
    ]
    return b"\x28\xb5\x2f\xfd\x00\x38" + b"".join(head + block for head, block in zip(heads, blocks, strict=True))


async def test_a_bomb_of_empty_files_is_stopped_and_removed(tmp_path: Path, footprint: Footprint) -> None:
    files = {f"/{number}": b"" for number in range(6_000)}
    store = ImageStore(tmp_path / "images", limits=Limits(max_files=2_000))
    with pytest.raises(ImageUnusable, match="unpacks to more than 2000 files"):
        await store.pull(f"oci-archive:{make_image(tmp_path / 'bomb.tar', [{'/a': b'a'}, files])}")
    assert footprint() == set()


async def test_a_sparse_file_is_as_large_as_it_says(tmp_path: Path, footprint: Footprint) -> None:
    """A terabyte of holes, in a kilobyte of archive: whether it comes in as holes or as zeros, the disk is not full."""
    huge = member("huge")
    huge.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "huge",
        "GNU.sparse.realsize": str(1 << 40),
    }
    content = b"1\n0\n0\n".ljust(512, b"\0")
    huge.size = len(content)
    store = ImageStore(tmp_path / "images", limits=Limits(max_unpacked=32 << 20))
    with pytest.raises(ImageUnusable, match="cannot be used"):
        await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', [{'/a': b'a'}, {'huge': (huge, content)}])}")
    assert footprint() == set()


async def test_what_follows_the_end_of_an_archive_is_not_written(store: ImageStore, tmp_path: Path) -> None:
    layer = make_layer({"/a": b"a"}) + bytes(16 << 20)
    image = await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', [layer])}")
    assert os.listdir(store.lowerdirs(image)[0]) == ["a"]


async def test_folders_a_thousand_deep_come_in_and_go_again(tmp_path: Path, footprint: Footprint) -> None:
    store = ImageStore(tmp_path / "images")
    image = await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', [{'/' + 'd/' * 1000 + 'f': b'x'}])}")
    assert (store.lowerdirs(image)[0] / ("d/" * 1000 + "f")).read_bytes() == b"x"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("homerun.engine.images.store.RECENT", 0.0)
        await store.remove_unused([])
    assert footprint() == set()


@pytest.mark.parametrize("name", ["/" + "d/" * 3000 + "f", "/" + "n" * 300], ids=["a long path", "a long name"])
async def test_paths_that_the_kernel_does_not_take_are_refused(
    name: str, store: ImageStore, tmp_path: Path, footprint: Footprint
) -> None:
    with pytest.raises(ImageUnusable, match="file name too long"):
        await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', [{name: b'x'}])}")
    assert footprint() == set()


async def test_two_entries_with_one_name_are_refused(store: ImageStore, tmp_path: Path, footprint: Footprint) -> None:
    """Which of them counts, every tool would say otherwise."""
    entries: dict[str, Any] = {"1": written("a", b"first"), "2": member("a", tarfile.SYMTYPE, "b")}
    layer = make_layer({**entries, "3": written("a", b"last")})
    with pytest.raises(ImageUnusable, match="duplicates of file paths"):
        await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', [layer])}")
    assert footprint() == set()


@pytest.mark.parametrize("what", ["configuration", "manifest"])
async def test_documents_without_end_are_refused(
    what: str, store: ImageStore, tmp_path: Path, footprint: Footprint
) -> None:
    archive = make_image(tmp_path / "a.tar", [{"/a": b"a"}])

    def grow(files: Blobs) -> None:
        manifest = manifest_of(files)
        set_manifest(files, {**manifest, "annotations": {"a": "x" * (16 << 20)}})

    if what == "manifest":
        edit(archive, grow)
    else:
        set_config(archive, lambda config: config.update(author="x" * (16 << 20)))
    with pytest.raises(
        ImageUnusable, match=r"(?i)manifest is larger than 4 MiB|configuration .* maximum allowed size of 4194304"
    ):
        await store.pull(f"oci-archive:{archive}")
    assert footprint() == set()
