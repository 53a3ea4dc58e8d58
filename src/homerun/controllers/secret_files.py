"""Files of secrets in running instances: what `latest` or an alias means can change, and the files follow.

Level-triggered like everything here: when a secret or one of its versions has changed, the files of every instance that
mounts it are made what they should be now, and after a restart those of all. What an instance mounts is in the document
that it runs for, whose template never changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator

from homerun.controllers.secrets import Secrets
from homerun.engine.base import Engine, Phase
from homerun.lib.errors import HomerunError
from homerun.model import labels, names
from homerun.model.secret import SecretName, SecretRef
from homerun.model.secret_needs import NO_SECRETS, SecretNeeds
from homerun.model.volume import SecretFiles
from homerun.store.base import Document, Store

KINDS = frozenset({"Secret", "SecretVersion"})
_log = logging.getLogger("homerun.controllers")


class SecretFilesController:
    def __init__(self, store: Store, engine: Engine, secrets: Secrets) -> None:
        self._store, self._engine, self._secrets = store, engine, secrets
        self._needs: dict[tuple[str, str], SecretNeeds] = {}
        """Of the documents that instances run for, by kind and name."""

    @staticmethod
    def key(document: Document) -> str:
        """The secret."""
        return str(SecretName.parse(document.name).secret)

    async def reconcile(self, secret: str) -> None:
        # First: whoever starts just now and is in no list yet reads again.
        self._secrets.changed()
        running = self._running()
        self._needs = {
            owner: self._needs[owner] if owner in self._needs else await self._load(*owner) for owner in running
        }
        for owner, instances in running.items():
            await self._refresh(self._needs[owner], instances, secret)

    async def _load(self, kind: str, name: str) -> SecretNeeds:
        document = await self._store.get(kind, name)
        if document is None:
            return NO_SECRETS
        template = document.body["template"] if kind == "Execution" else document.body
        return SecretNeeds.parse(template, names.parent(name))

    def _running(self) -> dict[tuple[str, str], list[str]]:
        """Instances by the document that they run for."""
        found: dict[tuple[str, str], list[str]] = {}
        for state in self._engine.instances():
            for kind, label in (("Revision", labels.REVISION), ("Execution", labels.EXECUTION)):
                if state.phase is not Phase.EXITED and label in state.labels:
                    found.setdefault((kind, state.labels[label]), []).append(state.id)
        return found

    async def _refresh(self, needs: SecretNeeds, instances: Iterable[str], secret: str) -> None:
        for volume in _movable(needs):
            try:
                name = await self._secrets.name(SecretRef(volume.secret), needs)
                if str(name.secret) != secret:
                    continue
                files = await self._secrets.files(volume, needs)
            except HomerunError as error:
                _log.warning("instances keep the files of %s that they have: %s", secret, error.message)
                continue
            await asyncio.gather(*(self._engine.refresh_files(id, volume.name, files) for id in instances))


def _movable(needs: SecretNeeds) -> Iterator[SecretFiles]:
    """Volumes with a file that is not always of the same version."""
    return (volume for volume in needs.volumes if not all(item.version.isdigit() for item in volume.items))
