"""Images in, through skopeo, into a real storage on disk."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from homerun.engine.base import EngineUnavailable, ImageNotFound, ImageUnusable
from homerun.engine.images import store as store_module
from homerun.engine.images.guard import Limits
from homerun.engine.images.store import ImageStore
from tests.engine.images.archives import edit, manifest_of, merge
from tests.engine.images.footprint import Footprint
from tests.support.images import make_docker_archive, make_image, make_layer

pytestmark = pytest.mark.host

HELLO = {"/bin/hello": b"#!/bin/sh\necho hello\n", "/etc/motd": b"lower\n"}


async def test_an_image_comes_in_with_its_layers_topmost_first(store: ImageStore, tmp_path: Path) -> None:
    archive = make_image(tmp_path / "a.tar", [HELLO, {"/etc/motd": b"upper\n"}], cmd=["/bin/hello"], env=["A=1"])
    image = await store.pull(f"oci-archive:{archive}")
    upper, lower = store.lowerdirs(image)
    assert (image.cmd, image.env, image.working_dir) == (("/bin/hello",), ("A=1",), "/")
    assert (upper / "etc/motd").read_text() == "upper\n"
    assert (lower / "etc/motd").read_text() == "lower\n"
    assert os.access(lower / "bin/hello", os.X_OK)


async def test_every_transport_gives_the_same_files(store: ImageStore, tmp_path: Path) -> None:
    oci = make_image(tmp_path / "a.tar", [HELLO], cmd=["/bin/hello"])
    docker = make_docker_archive(tmp_path / "b.tar", [HELLO], cmd=["/bin/hello"])
    for kind in ("oci", "dir"):
        subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{oci}", f"{kind}:{tmp_path}/{kind}"], check=True)
    references = [f"oci-archive:{oci}", f"docker-archive:{docker}", f"oci:{tmp_path}/oci", f"dir:{tmp_path}/dir"]
    images = [await store.pull(reference) for reference in references]
    assert len({store.lowerdirs(image) for image in images}) == 1, "one layer, unpacked once"
    assert {image.cmd for image in images} == {("/bin/hello",)}
    for image in images:
        assert store.find(image.pinned) is not None


async def test_a_pinned_image_needs_its_source_no_more(store: ImageStore, tmp_path: Path) -> None:
    archive = make_image(tmp_path / "a.tar", [HELLO])
    image = await store.pull(f"oci-archive:{archive}:")
    archive.unlink()
    again = await store.pull(image.pinned)
    assert again.digest == image.digest
    fresh = ImageStore(tmp_path / "images")
    assert fresh.find(image.pinned) == again
    assert fresh.lowerdirs(image) == store.lowerdirs(image)


async def test_a_name_is_resolved_anew_and_the_old_image_stays(store: ImageStore, tmp_path: Path) -> None:
    archive = make_image(tmp_path / "a.tar", [HELLO])
    old = await store.pull(f"oci-archive:{archive}")
    make_image(archive, [HELLO, {"/new": b"new"}])
    new = await store.pull(f"oci-archive:{archive}")
    assert new.digest != old.digest
    assert len(store.lowerdirs(old)), len(store.lowerdirs(new)) == (1, 2)
    await store.remove_unused([])
    assert store.find(old.pinned), "young images are kept"
    with pytest.raises(ImageNotFound, match="now holds"):
        await ImageStore(tmp_path / "other").pull(old.pinned)


async def test_pulls_of_the_same_thing_share_one_import(store: ImageStore, tmp_path: Path) -> None:
    archive = make_image(tmp_path / "a.tar", [{"/big": os.urandom(8 << 20)}])
    images = await asyncio.gather(*(store.pull(f"oci-archive:{archive}") for _ in range(20)))
    assert len({image.digest for image in images}) == 1


async def test_different_images_come_in_at_the_same_time(store: ImageStore, tmp_path: Path) -> None:
    archives = [make_image(tmp_path / f"{n}.tar", [HELLO, {"/n": bytes([n])}]) for n in range(8)]
    images = await asyncio.gather(*(store.pull(f"oci-archive:{archive}") for archive in archives))
    assert [(store.lowerdirs(image)[0] / "n").read_bytes() for image in images] == [bytes([n]) for n in range(8)]


async def test_of_a_multi_architecture_image_ours_is_taken(store: ImageStore, tmp_path: Path) -> None:
    arm = make_image(tmp_path / "arm.tar", [{"/arm": b""}], arch="arm64")
    amd = make_image(tmp_path / "amd.tar", [{"/amd": b""}])
    image = await store.pull(f"oci-archive:{merge(tmp_path / 'both.tar', arm, amd)}")
    assert [path.name for path in store.lowerdirs(image)[0].iterdir()] == ["amd"]
    assert (await store.pull(image.pinned)).digest == image.digest


async def test_an_image_for_another_architecture_names_both(
    store: ImageStore, tmp_path: Path, footprint: Footprint
) -> None:
    arm = make_image(tmp_path / "arm.tar", [HELLO], arch="arm64")
    ppc = make_image(tmp_path / "ppc.tar", [HELLO], arch="ppc64le")
    for archive in (arm, merge(tmp_path / "both.tar", arm, ppc)):
        with pytest.raises(ImageUnusable, match=r"built for linux/arm64.* this machine runs linux/amd64"):
            await store.pull(f"oci-archive:{archive}")
    assert footprint() == set()


async def test_an_image_for_windows_is_refused(store: ImageStore, tmp_path: Path) -> None:
    archive = make_image(tmp_path / "a.tar", [HELLO], os="windows")
    with pytest.raises(ImageUnusable, match="built for windows/amd64"):
        await store.pull(f"oci-archive:{archive}")


@pytest.mark.parametrize(
    ("reference", "remedy"),
    [
        ("oci-archive:/nowhere.tar", "Check the path"),
        ("docker-archive:/nowhere.tar", "Check the path"),
        ("dir:/nowhere", "Check the path"),
        ("localhost/nobody/built/this:v1", "buildah images"),
        ("127.0.0.1:9/a", "Check the registry's name"),
    ],
)
async def test_what_is_nowhere_is_not_found(store: ImageStore, reference: str, remedy: str) -> None:
    with pytest.raises(ImageNotFound) as caught:
        await store.pull(reference)
    assert reference in caught.value.message
    assert remedy in caught.value.message


async def test_a_cancelled_pull_of_one_does_not_disturb_the_other(store: ImageStore, tmp_path: Path) -> None:
    archive = make_image(tmp_path / "a.tar", [{"/big": os.urandom(16 << 20)}])
    impatient = asyncio.ensure_future(store.pull(f"oci-archive:{archive}"))
    patient = asyncio.ensure_future(store.pull(f"oci-archive:{archive}"))
    await asyncio.sleep(0.05)
    impatient.cancel()
    assert (await patient).digest


async def test_closing_ends_the_imports_and_leaves_nothing(
    store: ImageStore, tmp_path: Path, footprint: Footprint
) -> None:
    archive = make_image(tmp_path / "a.tar", [{f"/big{n}": os.urandom(16 << 20)} for n in range(6)], compress=False)
    pull = asyncio.ensure_future(store.pull(f"oci-archive:{archive}"))
    await until(lambda: any(name.startswith("storage/overlay/") for name in footprint()))
    await store.close()
    with pytest.raises(asyncio.CancelledError):
        await pull
    await heal(tmp_path)
    assert footprint() == set()


async def test_unused_images_are_removed_and_used_ones_keep_their_layers(
    store: ImageStore, tmp_path: Path, footprint: Footprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "RECENT", -1.0)
    kept = await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', [HELLO])}")
    alone = footprint()
    gone = await store.pull(f"oci-archive:{make_image(tmp_path / 'b.tar', [HELLO, {'/x': b'x'}])}")
    await store.remove_unused([kept.pinned])
    assert store.find(gone.pinned) is None
    assert (store.lowerdirs(kept)[0] / "etc/motd").exists()
    assert footprint() == alone
    with pytest.raises(ImageNotFound, match="Deploy it again"):
        store.lowerdirs(gone)


async def test_two_archives_with_the_same_configuration_are_kept_while_one_is_used(
    store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "RECENT", -1.0)
    packed = await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', [HELLO])}")
    plain = await store.pull(f"oci-archive:{make_image(tmp_path / 'b.tar', [HELLO], compress=False)}")
    assert packed.digest != plain.digest
    await store.remove_unused([packed.pinned])
    assert store.find(packed.pinned)


# Killed, crowded, full

IMPORT = """
    import asyncio, sys
    from pathlib import Path
    from homerun.engine.images.store import ImageStore
    print(asyncio.run(ImageStore(Path(sys.argv[1])).pull(sys.argv[2])).digest)
"""


def importer(root: Path, reference: str) -> subprocess.Popen[bytes]:
    code = textwrap.dedent(IMPORT)
    return subprocess.Popen([sys.executable, "-c", code, str(root), reference], stdout=subprocess.PIPE)


async def test_after_kill_9_at_any_moment_the_next_pull_heals(tmp_path: Path, footprint: Footprint) -> None:
    root = tmp_path / "images"
    mounts = Path("/proc/mounts").read_text().count(str(tmp_path))
    layers = [{f"/big{n}": os.urandom(2 << 20)} for n in range(5)]
    archive = make_image(tmp_path / "a.tar", layers, cmd=["/x"])
    other = make_image(tmp_path / "b.tar", [HELLO])
    for delay in (0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5):
        child = importer(root, f"oci-archive:{archive}")
        await asyncio.sleep(delay)
        child.kill()
        child.communicate()
        for pid in skopeos_of(root):
            os.kill(pid, signal.SIGKILL)
    assert Path("/proc/mounts").read_text().count(str(tmp_path)) == mounts
    store = ImageStore(root)
    image = await store.pull(f"oci-archive:{archive}")
    for number, folder in enumerate(reversed(store.lowerdirs(image))):
        assert (folder / f"big{number}").read_bytes() == layers[number][f"/big{number}"]
    await store.pull(f"oci-archive:{other}")
    assert len([name for name in footprint() if name.startswith("storage/overlay/") and name.count("/") == 2]) == 6


async def test_an_image_that_a_killed_import_left_half_written_is_imported_again(
    store: ImageStore, tmp_path: Path
) -> None:
    archive = make_image(tmp_path / "a.tar", [HELLO])
    image = await store.pull(f"oci-archive:{archive}")
    for path in (tmp_path / "images/storage/overlay-images").glob("*/=*"):
        path.unlink()
    survivor = ImageStore(tmp_path / "images")
    assert survivor.find(image.pinned) is None
    again = await survivor.pull(f"oci-archive:{archive}")
    assert survivor.find(again.pinned)


async def test_two_processes_may_share_a_store(tmp_path: Path) -> None:
    archives = [make_image(tmp_path / f"{n}.tar", [HELLO, {"/n": os.urandom(1 << 20)}]) for n in range(3)]
    children = [importer(tmp_path / "images", f"oci-archive:{archive}") for archive in archives * 2]
    digests = [(await asyncio.to_thread(child.communicate))[0] for child in children]
    assert all(digests) and digests[:3] == digests[3:]


async def test_a_full_disk_is_said_and_nothing_stays(tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(root)], check=True)
    try:
        store, footprint = ImageStore(root, limits=Limits(min_free=0)), Footprint(root)
        good = await store.pull(f"oci-archive:{make_image(tmp_path / 'good.tar', [HELLO])}")
        before = footprint()
        big = make_image(tmp_path / "big.tar", [{f"/big{n}": os.urandom(8 << 20)} for n in range(5)])
        with pytest.raises(EngineUnavailable, match=r"no space left on device.*Free some space"):
            await store.pull(f"oci-archive:{big}")
        assert footprint() == before
        assert store.find(good.pinned)
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)


async def test_with_less_than_the_minimum_free_nothing_is_begun(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "images", limits=Limits(min_free=1 << 60))
    with pytest.raises(EngineUnavailable, match="must stay free"):
        await store.pull(f"oci-archive:{make_image(tmp_path / 'a.tar', [HELLO])}")


async def test_an_old_manifest_without_configuration_comes_in(store: ImageStore, tmp_path: Path) -> None:
    """Docker's schema 1, as registries of ten years ago hold it."""
    folder = tmp_path / "old"
    folder.mkdir()
    layer = gzip.compress(make_layer(HELLO))
    digest = hashlib.sha256(layer).hexdigest()
    (folder / digest).write_bytes(layer)
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    config = {"id": "0" * 64, "created": "2015-01-01T00:00:00Z", "os": "linux", "architecture": "amd64"}
    history = {"v1Compatibility": json.dumps({**config, "config": {"Cmd": ["/bin/hello"]}})}
    document = {"schemaVersion": 1, "name": "old", "tag": "v1", "architecture": "amd64", "history": [history]}
    (folder / "manifest.json").write_text(json.dumps({**document, "fsLayers": [{"blobSum": f"sha256:{digest}"}]}))
    image = await store.pull(f"dir:{folder}")
    assert image.cmd == ("/bin/hello",)
    assert (store.lowerdirs(image)[-1] / "bin/hello").exists()


async def test_an_image_that_is_here_takes_one_look_at_its_manifest(store: ImageStore, tmp_path: Path) -> None:
    archive = make_image(tmp_path / "a.tar", [HELLO])
    image = await store.pull(f"oci-archive:{archive}")
    edit(archive, lambda files: files.update({name: b"" for name in files if layer_of(files) in name}))
    assert (await store.pull(f"oci-archive:{archive}")).digest == image.digest


def layer_of(files: dict[str, bytes]) -> str:
    digest: str = manifest_of(files)["layers"][0]["digest"]
    return digest.removeprefix("sha256:")


def skopeos_of(root: Path) -> list[int]:
    """Processes whose command line names `root`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(root).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


async def until(condition: object) -> None:
    deadline = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def heal(tmp_path: Path) -> None:
    """What any later pull does first."""
    store = ImageStore(tmp_path / "images")
    with pytest.raises(ImageNotFound):
        await store.pull("oci-archive:/nowhere.tar")
