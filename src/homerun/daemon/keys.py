"""Where homerun's keys are, and tokens made straight from them: whoever may read the state folder owns this homerun.

`homerun auth print-access-token --state DIR` becomes this. It is how the first token comes into the world when the API
listens on an address where everybody needs one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from homerun.apis.identity.issuer import LIFETIME, Issuer
from homerun.daemon.options import split_address
from homerun.lib.clock import SystemClock
from homerun.lib.errors import FailedPrecondition, NotFound, PermissionDenied
from homerun.model.environment import API_DOMAIN
from homerun.model.identity import OWNER
from homerun.settings import Settings
from homerun.store.file_vault import FileVault
from homerun.store.secret_file import read_or_make
from homerun.wire.authority import Authority
from homerun.wire.certificate import Certificate
from homerun.wire.keys import KeyRing
from homerun.wire.sealing import Sealer

LONGEST = 365 * 24 * 3600
"""Seconds that a token made here may be good for: for machines that have nobody to fetch them a new one."""


def open_keys(state: Path) -> KeyRing:
    """Those of the state folder; at the first start, a new one. Blocks. Raises FailedPrecondition."""
    path = key_file(state)
    return KeyRing.load(read_or_make(path, lambda: KeyRing.generate().dump()), str(path))


def open_certificate(state: Path) -> Certificate:
    """That of the state folder; at the first start, a new one. Blocks. Raises FailedPrecondition."""
    path = state / "tls.pem"
    names = ("localhost", API_DOMAIN, f"*.{API_DOMAIN}", "127.0.0.1", "::1")
    return Certificate.load(
        read_or_make(path, lambda: Certificate.generate(names, SystemClock().now()).dump()), str(path)
    )


def certificate_folder(state: Path) -> Path:
    """Of the certificates that services are reached with; the user puts their own here."""
    return state / "certificates"


def open_authority(state: Path) -> Authority:
    """The local one of the state folder; at the first need, a new one. Blocks. Raises FailedPrecondition, OSError."""
    folder = certificate_folder(state)
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "local-ca.pem"
    return Authority.load(read_or_make(path, lambda: Authority.generate(SystemClock().now()).dump()), str(path))


def open_vault(settings: Settings) -> FileVault:
    """The payloads of secrets, and the key that they are sealed with; at the first start, a new one. Blocks. Raises
    FailedPrecondition."""
    folder = settings.state / "secrets"
    path = Path(settings.secrets_key) if settings.secrets_key else settings.state / "secrets.key"
    if not path.exists() and folder.exists() and any(folder.iterdir()):
        raise FailedPrecondition(
            f"there are secrets in {folder}, and the key that they are encrypted with is not at {path}: put the file "
            f"back, or name it with --secrets-key. If it is lost, so are they: move {folder} away"
        )
    try:
        content = read_or_make(path, Sealer.generate)
    except OSError as error:
        raise FailedPrecondition(
            f"cannot use {path} for the key of the secrets ({error.strerror}): name another file with --secrets-key"
        ) from error
    return FileVault(folder, Sealer.load(content, str(path)))


def key_file(state: Path) -> Path:
    return state / "identity.json"


def issuer_url(settings: Settings) -> str:
    """Of all its tokens. Where nobody else is meant, as it is reached on this machine."""
    host, port = split_address(settings.api)
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(arguments: Sequence[str]) -> int:
    """`--state DIR --lifetime SECONDS`: prints the token."""
    given = dict(zip(arguments[::2], arguments[1::2], strict=False))
    state = Path(given.get("--state", str(Settings().state)))
    print(owner_token(state, int(float(given.get("--lifetime", LIFETIME)))))
    return 0


def owner_token(state: Path, lifetime: int) -> str:
    """An access token for the owner. Raises NotFound, PermissionDenied, Invalid."""
    path = key_file(state)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(
            f"there is no {path}: name the state folder of a homerun that was started, with --state"
        ) from None
    except OSError as error:
        raise PermissionDenied(f"cannot read {path}: {error.strerror}; run as root") from None
    issuer = Issuer(KeyRing.load(content, str(path)), issuer_url(Settings()))
    return issuer.access_token(OWNER, SystemClock().now(), lifetime, LONGEST).text
