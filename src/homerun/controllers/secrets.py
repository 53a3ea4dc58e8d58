"""Secrets that instances want: whether they may have them, when a revision or a job is deployed, and what is in them,
when an instance starts (contract §13.1).

    opened = await secrets.open(spec.secrets)          # nothing, at once, for those who want none
    opened.variables[container][variable]              # the value
    opened.files[volume][path]                         # content and mode

Both times it is the service account of the template that must be allowed to read them. In a variable, `latest` is what
was latest at that moment, for the life of the instance; files follow (secret_files.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from homerun.controllers.volumes import Files
from homerun.lib.clock import Clock
from homerun.lib.errors import FailedPrecondition, HomerunError, NotFound, PermissionDenied
from homerun.lib.timestamps import to_rfc3339
from homerun.model.container import Container
from homerun.model.permissions import ACCESS_SECRET
from homerun.model.policy import permits
from homerun.model.project import Projects
from homerun.model.secret import ACCESSOR, SecretName, SecretRef, check_readable, expired, version_number
from homerun.model.secret_needs import SecretNeeds
from homerun.model.volume import SecretFiles
from homerun.store.base import Document, Store
from homerun.store.project_ids import project_id
from homerun.store.vault import Vault

REASON = "SECRETS_ACCESS_CHECK_FAILED"
"""The CommonReason of a condition that fails because of `check`."""


@dataclass(frozen=True, slots=True)
class Opened:
    """`variables`: container -> name -> value; `files`: volume -> path -> content and mode. Not shown: no log may have
    them."""

    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    files: Mapping[str, Files] = field(default_factory=dict, repr=False)

    def beside(self, system: Callable[[Container], Mapping[str, str]]) -> Callable[[Container], Mapping[str, str]]:
        """What the platform puts into a container, and these with it."""
        if not self.variables:
            return system
        return lambda container: {**self.variables.get(container.name, {}), **system(container)}


NOTHING = Opened()


class Secrets:
    def __init__(self, store: Store, vault: Vault, projects: Projects, clock: Clock) -> None:
        self._store, self._vault, self._projects, self._clock = store, vault, projects, clock
        self._changes = 0

    async def check(self, needs: SecretNeeds) -> str:
        """Why an instance could not have what it wants, each reason once; empty: it could."""
        problems: dict[str, None] = {}
        for ref in needs.refs():
            try:
                await self._version(ref, needs)
            except HomerunError as error:
                problems[error.message] = None
        return " ".join(problems)

    async def open(self, needs: SecretNeeds) -> Opened:
        """What is in the secrets now. Raises FailedPrecondition: the instance cannot start.

        When this returns, no change is known that it has not seen: from here on it is for secret_files.py to tell the
        instance, which must be started before anything else is awaited.
        """
        if not needs:
            return NOTHING
        while True:
            before = self._changes
            opened = await self._open(needs)
            if self._changes == before:
                return opened

    async def files(self, volume: SecretFiles, needs: SecretNeeds) -> Files:
        """What is in a volume now. Raises FailedPrecondition."""
        found: dict[str, tuple[bytes, int]] = {}
        for item in volume.items:
            where = f"file {item.path} of volume {volume.name}"
            found[item.path] = (await self._read(SecretRef(volume.secret, item.version), needs, where), item.mode)
        return found

    def changed(self) -> None:
        """Some secret is not what it was: what is being opened is opened again."""
        self._changes += 1

    async def name(self, ref: SecretRef, needs: SecretNeeds) -> SecretName:
        """As its document is called. Raises Invalid."""
        asked = ref.name(needs.project)
        return asked.of(await project_id(self._store, self._projects, asked.project))

    async def _open(self, needs: SecretNeeds) -> Opened:
        variables: dict[str, dict[str, str]] = {}
        for variable in needs.variables:
            where = f"variable {variable.name} of container {variable.container}"
            payload = await self._read(variable.ref, needs, where)
            variables.setdefault(variable.container, {})[variable.name] = _text(payload, where)
        return Opened(variables, {volume.name: await self.files(volume, needs) for volume in needs.volumes})

    async def _read(self, ref: SecretRef, needs: SecretNeeds, where: str) -> bytes:
        try:
            version = await self._version(ref, needs)
            return await self._vault.get(version.internal["payload"], version.name)
        except HomerunError as error:
            raise FailedPrecondition(f"The secret for {where} cannot be read. {error.message}") from None

    async def _version(self, ref: SecretRef, needs: SecretNeeds) -> Document:
        """Raises NotFound, PermissionDenied, FailedPrecondition in Google's words."""
        name = await self.name(ref, needs)
        shown = name.of(self._projects.number_of(name.project))
        secret = await self._store.get("Secret", str(name.secret))
        if secret is None or expired(secret.body, to_rfc3339(self._clock.now())):
            raise NotFound(f"Secret {shown} was not found.")
        policy = await self._store.get("Policy", str(name.secret))
        if not permits(policy.body if policy is not None else {}, ACCESS_SECRET, needs.account):
            raise PermissionDenied(_denied(name, shown, needs))
        number = version_number(shown, secret.body, secret.internal["versions"])
        version = await self._store.get("SecretVersion", str(name.at(number)))
        if version is None:
            raise NotFound(f"Secret {shown} was not found.")
        check_readable(shown.at(number), version.body)
        return version


def _denied(name: SecretName, shown: SecretName, needs: SecretNeeds) -> str:
    """Google's words, then how to grant it here. `shown`: the name as Google has it."""
    where = f" --project {name.project}" if name.project != needs.project else ""
    return (
        f"Permission denied on secret: {shown} for Revision service account {needs.account}. The service account used "
        f"must be granted the 'Secret Manager Secret Accessor' role ({ACCESSOR}) at the secret, project or higher "
        f"level. Grant it: homerun secrets add-iam-policy-binding {name.id} --member serviceAccount:{needs.account}"
        f"{where}"
    )


def _text(payload: bytes, where: str) -> str:
    """Raises FailedPrecondition for what a variable cannot hold."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise FailedPrecondition(f"The secret for {where} is no text: mount it as a file instead.")
    return text
