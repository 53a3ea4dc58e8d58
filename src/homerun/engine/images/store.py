"""The images of this machine: imported once, kept unpacked, found again by digest.

A pull asks for the manifest, and is done if that digest is here. Otherwise the platform is checked, skopeo copies the
image into a containers/storage of our own, and what arrived is checked again before anybody sees it. An import that
fails, is cancelled or killed leaves nothing: its layers belong to no image, and the next one that gets the storage for
itself removes them.

Imports hold a shared lock, removal an exclusive one. The lock is a file whose descriptor skopeo inherits, so that it
is held for as long as skopeo runs, even if we are killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from homerun.aio.tasks import Supervisor
from homerun.engine.base import EngineUnavailable, Image, ImageNotFound, ImageUnusable
from homerun.engine.images import guard, manifest
from homerun.engine.images.graph import Graph, Record, Size
from homerun.engine.images.manifest import Flaw
from homerun.engine.images.process import TimedOut, private, run
from homerun.engine.images.reference import Reference
from homerun.engine.images.skopeo import Skopeo
from homerun.lib.lock import attempt

RECENT = 600.0
"""Seconds for which an image that was asked for is kept, used or not: its revision may not be written yet."""

_log = logging.getLogger("homerun.images")
_OPTION = "overlay.skip_mount_home=true"
"""Without it the storage mounts its own folder over itself, and leaves that mount behind."""


class ImageStore:
    def __init__(
        self,
        root: Path,
        *,
        architecture: str = "amd64",
        limits: guard.Limits = guard.Limits(),  # noqa: B008 (frozen)
    ) -> None:
        self._root = root
        self._architecture = architecture
        self._limits = limits
        self._graph = Graph(root / "storage")
        self._scratch = root / "scratch"
        self._run_root = root / "run"
        self._found: dict[str, tuple[Image, tuple[Path, ...]]] = {}
        self._used: dict[str, float] = {}
        self._pulls: dict[str, asyncio.Task[Image]] = {}
        self._tasks = Supervisor(on_error=lambda name, error: None)  # whoever waits for the pull hears of it
        self._dirty = True  # an earlier process may have been killed

    async def pull(self, reference: str) -> Image:
        """Raises Invalid (malformed reference), ImageNotFound, ImageUnusable, EngineUnavailable."""
        parsed = Reference.parse(reference)
        here = self._lookup(parsed.digest) if parsed.digest else None
        if here is None:
            task = self._pulls.get(reference)
            if task is None:
                task = self._tasks.spawn(self._import(parsed), name=f"import {reference}")
                self._pulls[reference] = task
                task.add_done_callback(lambda _: self._pulls.pop(reference, None))
            here = await asyncio.shield(task)
        self._used[here.digest] = asyncio.get_running_loop().time()
        return replace(here, reference=reference)

    def find(self, pinned: str) -> Image | None:
        """An image that was pulled before. Reads at most a few small files."""
        image = self._lookup(Reference.parse(pinned).digest)
        return replace(image, reference=pinned) if image else None

    def lowerdirs(self, image: Image) -> tuple[Path, ...]:
        """The folders of its layers, topmost first: overlayfs's order. Raises ImageNotFound after its removal."""
        if self._lookup(image.digest) is None:
            raise ImageNotFound(f"Image {image.pinned} is not on this machine any more. Deploy it again")
        return self._found[image.digest][1]

    async def remove_unused(self, keep: Collection[str]) -> None:
        """Remove images that are not in `keep` (pinned references) and were not pulled in the last ten minutes.

        While anything is being imported, nothing happens: ask again later.
        """
        digests = {Reference.parse(pinned).digest for pinned in keep}
        with self._alone() as alone:
            if not alone:
                return
            horizon = asyncio.get_running_loop().time() - RECENT
            digests |= {digest for digest, at in self._used.items() if at > horizon}
            records = await asyncio.to_thread(self._graph.images)
            unused = [record for record in records if not digests & (record.digests | {record.digest})]
            if unused:
                self._found.clear()
                await self._storage("delete-image", *(record.id for record in unused))
            await self._sweep()

    async def close(self) -> None:
        """End the imports in progress."""
        await self._tasks.close()

    # Finding

    def _lookup(self, digest: str) -> Image | None:
        if digest not in self._found:
            record = self._graph.find(digest) if digest else None
            if record is None:
                return None
            try:
                self._found[digest] = self._load(record, digest)
            except Flaw:  # half written by an import that was killed
                return None
        return self._found[digest][0]

    def _load(self, record: Record, digest: str) -> tuple[Image, tuple[Path, ...]]:
        """Everything that makes the image complete and what it claims to be; else Flaw."""
        document = manifest.parse(self._graph.data(record, f"manifest-{digest}") or b"", "manifest")
        if manifest.is_list(document):
            return self._load(record, manifest.choose(document, self._architecture))
        wanted = manifest.config_digest(document)
        content = self._graph.data(record, wanted) or b""
        if manifest.digest_of(content) != wanted:
            raise Flaw("its configuration is not what its manifest promises")
        config = manifest.parse(content, "configuration")
        manifest.check_platform(config, self._architecture)
        layers = self._graph.chain(record.layer) if record.layer else []
        if [layer.diff_id for layer in reversed(layers)] != manifest.diff_ids(config):
            raise Flaw("its layers are not those that its configuration promises (rootfs.diff_ids)")
        folders = tuple(self._graph.diff(layer.id) for layer in layers)
        if not all(layer.complete for layer in layers) or not all(folder.is_dir() for folder in folders):
            raise Flaw("its layers are not complete")
        return manifest.image_of(digest, digest, config), folders

    # Importing

    async def _import(self, reference: Reference) -> Image:
        if self._dirty:
            await self._clean()
        try:
            async with self._importing() as lock:
                return await self._fetch(reference, lock)
        except Flaw as flaw:
            self._dirty = True
            raise ImageUnusable(f"Image {reference.text} cannot be used: {flaw}") from None
        except BaseException:
            self._dirty = True
            raise
        finally:
            if self._dirty:
                await asyncio.shield(self._clean())

    async def _fetch(self, reference: Reference, lock: int) -> Image:
        scratch = Path(tempfile.mkdtemp(dir=_folder(self._scratch)))
        storage = f"containers-storage:[overlay@{self._graph.root}+{self._run_root}:{_OPTION}]"
        skopeo = Skopeo(storage, scratch, self._architecture)
        try:
            return await self._fetch_by(skopeo, reference, lock)
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    async def _fetch_by(self, skopeo: Skopeo, reference: Reference, lock: int) -> Image:
        content = await skopeo.manifest(reference)
        document = manifest.parse(content, "manifest")
        digest = manifest.digest_of(content)
        if manifest.is_list(document):
            digest = manifest.choose(document, self._architecture)
        else:
            manifest.check_layers(document)
        if reference.digest not in ("", digest, manifest.digest_of(content)):
            raise ImageNotFound(
                f"Image {reference.text} is not on this machine any more, and {reference.source} now holds {digest}. "
                "Deploy it again without the digest"
            )
        if here := self._lookup(digest):
            return here
        schema1 = document.get("schemaVersion") == 1
        if not schema1:  # it has no configuration before it is converted; all is checked once more after the import
            config = manifest.parse(await skopeo.config(reference), "configuration")
            manifest.check_platform(config, self._architecture)
            manifest.image_of(reference.text, digest, config)
        return await self._copy(reference, skopeo, digest, lock, schema1=schema1)

    async def _copy(self, reference: Reference, skopeo: Skopeo, digest: str, lock: int, *, schema1: bool) -> Image:
        guard.check_room(self._root, self._limits)
        before = self._graph.layers()
        images = {record.id for record in self._graph.images()}
        name = f"homerun.local/{digest.replace(':', '-')}:latest"
        digest_file = skopeo.scratch / "digest"
        copying = self._tasks.spawn(
            skopeo.copy(reference, name, digest_file, schema1=schema1, pass_fds=[lock]), name=f"copy {reference.text}"
        )
        watching = self._tasks.spawn(
            guard.watch(self._root, self._limits, lambda: self._graph.measure(before)), name=f"watch {reference.text}"
        )
        try:
            done, _ = await asyncio.wait((copying, watching), return_when=asyncio.FIRST_COMPLETED)
            await done.pop()
            return await asyncio.to_thread(self._accept, digest_file.read_text().strip(), set(before))
        except Flaw:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                copying.cancel()
                await copying
            rejected = [record.id for record in self._graph.images() if name in record.names]
            if rejected and rejected[0] not in images:
                await self._storage("delete-image", *rejected)
            raise
        finally:
            for task in (copying, watching):
                task.cancel()
            await asyncio.wait((copying, watching))

    def _accept(self, digest: str, before: set[str]) -> Image:
        record = self._graph.find(digest)
        if record is None:
            raise Flaw("it is not there after its import")
        entry = self._load(record, digest)
        fresh = [layer for layer in self._graph.chain(record.layer) if layer.id not in before]
        contents = self._graph.contents(fresh)
        guard.check_size(Size(sum(layer.size for layer in fresh), contents.files), self._limits)
        if contents.foreign:
            raise Flaw("it has a file name that is not UTF-8. Rename the file")
        self._found[digest] = entry
        return entry[0]

    # Keeping clean

    async def _clean(self) -> None:
        with self._alone() as alone:
            if alone:
                await self._sweep()
                self._dirty = False

    async def _sweep(self) -> None:
        """Remove what belongs to nothing. Only under the exclusive lock."""
        await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)
        if broken := [record.id for record in await asyncio.to_thread(self._graph.images) if not record.digests]:
            await self._storage("delete-image", *broken)
        if layers := await asyncio.to_thread(self._graph.unreferenced):
            await self._storage("delete-layer", *layers)
        for folder in await asyncio.to_thread(self._graph.stray):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        for file in await asyncio.to_thread(self._graph.half_written):
            await asyncio.to_thread(file.unlink, missing_ok=True)

    async def _storage(self, command: str, *ids: str) -> None:
        """Children must come before their parents in `ids`; the tool takes them one after the other."""
        options = ["-g", str(self._graph.root), "-R", str(self._run_root), "-s", "overlay", "--storage-opt", _OPTION]
        try:
            result = await run(private("containers-storage", *options, command, *ids), env={}, timeout=600)
        except (EngineUnavailable, TimedOut) as error:
            _log.warning("an import left files behind: %s did not run: %s", command, error)
            return
        if not result.ok:
            _log.warning("an import left files behind: %s: %s", command, result.cause)

    @contextlib.asynccontextmanager
    async def _importing(self) -> AsyncIterator[int]:
        """Hold the shared lock; the descriptor. Others clean up in moments: trying again is enough, and takes neither
        the event loop nor the threads that a clean-up of our own needs."""
        with self._descriptor() as descriptor:
            while not attempt(descriptor, fcntl.LOCK_SH):  # noqa: ASYNC110 (another process has no event for us)
                await asyncio.sleep(0.02)
            yield descriptor

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Hold the exclusive lock; False while anybody, in any process, imports."""
        with self._descriptor() as descriptor:
            yield attempt(descriptor, fcntl.LOCK_EX)

    @contextlib.contextmanager
    def _descriptor(self) -> Iterator[int]:
        descriptor = os.open(_folder(self._root) / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
