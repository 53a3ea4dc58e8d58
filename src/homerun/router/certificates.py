"""Which certificate a client is shown, by the name that it asks for (SNI): from files, or from the local authority.

In this order: a file of that name, a file for all its siblings (`*.example.com`), what ACME has brought, the
certificate that was given on the command line if it covers the name, and for names under `localhost` one that the local
authority signs. Whoever asks for anything else, or for nothing, gets the one of the command line, or that for
`localhost`.

Files are looked at again when somebody asks for their name, at most once a second: a change needs no signal, costs
nothing while nobody comes, and connections that are open keep what they have. What cannot be read is complained about
once, and the last good one stays in use.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import ssl
import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from homerun.lib.clock import Clock
from homerun.lib.errors import FailedPrecondition
from homerun.wire.authority import LEAF_DAYS, Authority
from homerun.wire.certificate import Certificate

_log = logging.getLogger("homerun.router")

LOOK_AGAIN = 1.0
"""Seconds for which files are taken to be what they were."""
_LOCAL = ("localhost", "127.0.0.1", "::1")
_MOST = 256
"""Certificates of the local authority that are kept: one for each region, and those of other names under localhost."""
_RENEW_AFTER = LEAF_DAYS * 2 / 3 * 24 * 3600
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([-a-z0-9_]{0,62})(\.[a-z0-9_][-a-z0-9_]{0,62})*")
_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(slots=True)
class _File:
    """A certificate on disk as it was when it was last looked at."""

    looked: float
    stamp: _Stamp
    context: ssl.SSLContext | None
    names: frozenset[str] = frozenset()


def without_bad_names(event: sys.UnraisableHookArgs) -> None:
    """For sys.unraisablehook: Python prints a traceback for each client whose SNI is not ASCII, who gets an alert."""
    if not isinstance(event.exc_value, UnicodeDecodeError):
        sys.__unraisablehook__(event)


class Certificates:
    def __init__(
        self,
        folder: Path,
        authority: Authority,
        clock: Clock,
        given: tuple[Path, Path] | None = None,
        protocols: Sequence[str] = ("http/1.1",),
    ) -> None:
        """`folder` holds NAME.crt and NAME.key, and acme/NAME.pem. `given`: certificate and key of the command line.
        `protocols`: what is offered by ALPN, the best first."""
        self._folder, self._authority, self._clock, self._given = folder, authority, clock, given
        self._protocols = list(protocols)
        self._files: dict[str, _File] = {}
        self._issued: OrderedDict[str, tuple[float, ssl.SSLContext]] = OrderedDict()
        self.context = self._new()
        """For the listener: it has no certificate, and chooses one for each client."""
        self.context.sni_callback = self._on_hello

    def __repr__(self) -> str:
        return f"<Certificates {len(self._files)} of files, {len(self._issued)} of the local authority>"

    def choose(self, name: str | None) -> ssl.SSLContext:
        """`name`: the client's SNI, None if it sends none."""
        name = (name or "").lower().removesuffix(".")
        if not _NAME.fullmatch(name):
            return self._default()
        siblings = f"*.{name.partition('.')[2]}"
        acme = self._folder / "acme" / f"{name}.pem"
        for file in (self._own(name), self._own(siblings), self._file(f"acme/{name}", acme, acme)):
            if file is not None and file.context is not None:
                return file.context
        given = self._of_command_line()
        if given is not None and given.context is not None and (name in given.names or siblings in given.names):
            return given.context
        if name == "localhost" or not name.endswith(".localhost"):
            return self._default()
        parent = name.partition(".")[2]
        # One for all names of a region. Directly under localhost a wildcard is not accepted everywhere.
        return self._issue(name if parent == "localhost" else f"*.{parent}")

    def _on_hello(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        try:
            connection.context = self.choose(name)
        except Exception:
            _log.exception("no certificate could be chosen for %r", name)
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        return None

    def _default(self) -> ssl.SSLContext:
        given = self._of_command_line()
        return given.context if given is not None and given.context is not None else self._issue(*_LOCAL)

    # Of files

    def _own(self, name: str) -> _File | None:
        return self._file(name, self._folder / f"{name}.crt", self._folder / f"{name}.key")

    def _of_command_line(self) -> _File | None:
        return self._file("", *self._given) if self._given is not None else None

    def _file(self, key: str, certificate: Path, private: Path) -> _File | None:
        """None: there is none."""
        now = self._clock.mono()
        known = self._files.get(key)
        if known is not None and now < known.looked + LOOK_AGAIN:
            return known
        stamp = _stamp(certificate, private)
        if not stamp:
            self._files.pop(key, None)
            return None
        if known is None or stamp != known.stamp:
            known = self._files[key] = self._read(certificate, private, known, stamp)
        known.looked = now
        return known

    def _read(self, certificate: Path, private: Path, known: _File | None, stamp: _Stamp) -> _File:
        try:
            context, names = self._load(certificate, private)
        except FailedPrecondition as error:
            stays = known is not None and known.context is not None
            _log.error("%s; %s", error.message, "the last good one stays in use" if stays else "it is not used")
            return _File(0, stamp, known.context if known else None, known.names if known else frozenset())
        if known is not None:
            _log.info("%s has changed and is used from now on", certificate)
        return _File(0, stamp, context, names)

    def _load(self, certificate: Path, private: Path) -> tuple[ssl.SSLContext, frozenset[str]]:
        context = self._new()
        names = check_pair(certificate, private, context)
        return context, names

    # Of the local authority

    def _issue(self, *names: str) -> ssl.SSLContext:
        now = self._clock.now()
        made, context = self._issued.get(names[0], (0.0, None))
        if context is None or not made <= now < made + _RENEW_AFTER:
            made, context = now, self._new()
            with _as_file(self._authority.issue(names, now)) as path:
                context.load_cert_chain(path)
        self._issued[names[0]] = made, context
        self._issued.move_to_end(names[0])
        if len(self._issued) > _MOST:
            self._issued.popitem(last=False)
        return context

    def _new(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A client could have us compute for ever.
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(self._protocols)
        return context


def check_pair(certificate: Path, private: Path, context: ssl.SSLContext | None = None) -> frozenset[str]:
    """Load both (into `context`); the host names that the certificate is for. Raises FailedPrecondition, which names
    the file, the problem and the remedy."""
    context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for path, what in ((certificate, "a certificate"), (private, "a private key")):
        try:
            path.read_bytes()
        except OSError as error:
            raise FailedPrecondition(f"cannot read {path}: {error.strerror}; it must hold {what} in PEM") from None
    try:
        leaf = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except ValueError:
        raise FailedPrecondition(
            f"{certificate} holds no certificate in PEM: it must begin with the server's own, and its chain below it"
        ) from None

    def refuse_password() -> str:
        raise FailedPrecondition(
            f"the key in {private} is encrypted: write it without a password (openssl pkey -in {private.name})"
        )

    try:
        context.load_cert_chain(certificate, private, refuse_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise FailedPrecondition(
                f"the key in {private} is not that of the certificate in {certificate}: give two that belong together"
            ) from None
        reason = (error.reason or str(error)).lower().replace("_", " ")
        raise FailedPrecondition(
            f"{certificate} and {private} cannot be used ({reason}): both must be PEM, the key without a password"
        ) from None
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))


def _stamp(*paths: Path) -> _Stamp:
    """Changes when one of them does; empty when all are missing."""
    found = []
    for path in dict.fromkeys(paths):
        try:
            stat = path.stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found) if any(any(each) for each in found) else ()


@contextlib.contextmanager
def _as_file(certificate: Certificate) -> Iterator[str]:
    """OpenSSL reads from paths only; the key is to touch no disk."""
    fd = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(fd, certificate.dump())
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
