"""Domain -> certificate, by ACME: ordered when it is due, renewed in time, tried again later after a failure.

Work on one domain is serial, so there is one order for it at a time. What has come of it is a document (`Certificate`):
the status of the domain's mapping tells it, and waits after failures survive a restart. The certificate itself is in a
file, from which the router takes it. A kill at any moment loses nothing: before the server is told to make the
certificate, the order and its key are on disk, and the next start goes on with them.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, Protocol, TypeVar

from homerun.aio.keyed import KeyedQueue
from homerun.core.renewal import Standing
from homerun.lib.clock import Clock
from homerun.lib.errors import DeadlineExceeded, FailedPrecondition, HomerunError
from homerun.lib.timestamps import from_rfc3339, to_rfc3339
from homerun.model.names import last
from homerun.store.base import Delete, Put, Store
from homerun.store.certificate_files import CertificateFiles
from homerun.wire.certificate import life, new_request

T = TypeVar("T")
_log = logging.getLogger("homerun.certificates")

LONGEST_SLEEP = 24 * 3600.0
"""Seconds: a machine that was suspended does not count them, so each domain is looked at once a day."""
PATIENCE = 180.0
"""Seconds for the server to check the domain, and as many to make the certificate."""
_FIRST_LOOK, _LAST_LOOK = 1.0, 10.0
_AT_ONCE = 4
"""Orders, each for another domain."""


class Opened(Protocol):
    @property
    def proofs(self) -> dict[str, str]: ...


class Server(Protocol):
    """An ACME server (wire.acme.Acme). Methods block, one at a time; raise HomerunError."""

    @property
    def directory(self) -> str: ...
    def begin(self, domain: str, request: bytes) -> Any: ...
    def answer(self, opened: Any) -> None: ...
    def proved(self, opened: Any) -> bool: ...
    def keep(self, opened: Any) -> str: ...
    def finish(self, kept: str) -> str | None: ...


class CertificateController:
    """`executor`: where calls of the server and files block; it has one thread."""

    def __init__(self, store: Store, files: CertificateFiles, server: Server, clock: Clock, executor: Executor) -> None:
        self._store, self._files, self._server, self._clock, self._executor = store, files, server, clock, executor
        self._origin = f"# {server.directory}\n".encode()
        """First line of each file, which readers of PEM skip."""
        self._queue: KeyedQueue[str] = KeyedQueue(self._work, workers=_AT_ONCE, name="certificates")

    async def open(self) -> None:
        await self._blocking(self._files.open)

    async def reconcile(self, key: str) -> None:
        """A domain came, went, or changed hands. Its certificate takes its time, so nobody waits for it here."""
        self._queue.add(last(key))

    async def close(self) -> None:
        await self._queue.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _work(self, domain: str) -> None:
        if await self._store.get("Domain", f"domains/{domain}") is None:
            # The files stay: if the domain comes back, it needs no new order.
            if await self._store.get("Certificate", _key(domain)) is not None:
                await self._store.apply(Delete("Certificate", _key(domain)))
            return
        if domain.endswith(".localhost") or await self._blocking(self._files.is_own, domain):
            await self._write(domain, {"domain": domain, "state": "OWN"})
            return
        standing = await self._standing(domain)
        now = self._clock.now()
        if standing.due() <= now:
            standing = await self._renew(domain, standing)
            now = self._clock.now()
        elif not standing.failures:
            await self._record(domain, standing)
        self._queue.add_after(domain, min(standing.due() - now, LONGEST_SLEEP))

    async def _standing(self, domain: str) -> Standing:
        since, until = 0.0, 0.0
        content = await self._blocking(self._files.certificate, domain)
        # One from another server, such as that for trials, is not what is wanted now.
        if content is not None and content.startswith(self._origin):
            try:
                since, until = life(content)
            except ValueError as error:
                _log.error("the certificate for %s cannot be read (%s): another one is ordered", domain, error)
        document = await self._store.get("Certificate", _key(domain))
        body = document.body if document is not None else {}
        failed = from_rfc3339(body["failureTime"]) if body.get("failureTime") else 0.0
        return Standing(since, until, body.get("failures", 0), failed)

    async def _renew(self, domain: str, standing: Standing) -> Standing:
        await self._record(domain, standing, pending=True)
        try:
            standing = Standing(*life(await self._obtain(domain)))
        except (HomerunError, OSError, ValueError) as error:
            text = error.message if isinstance(error, HomerunError) else str(error)
            standing = Standing(standing.since, standing.until, standing.failures + 1, self._clock.now())
            _log.error("no certificate for %s: %s; tried again at %s", domain, text, to_rfc3339(standing.retry()))
            await self._record(domain, standing, message=text)
            return standing
        _log.info("%s has a certificate until %s", domain, to_rfc3339(standing.until))
        await self._record(domain, standing)
        return standing

    async def _obtain(self, domain: str) -> bytes:
        """Go on with an order, or make one, until the certificate is in its file. Raises HomerunError, OSError."""
        content = await self._blocking(self._files.order, domain)
        kept = json.loads(content) if content is not None else await self._order(domain)
        try:
            chain = await self._until(lambda: self._server.finish(kept["order"]), "make the certificate")
        except FailedPrecondition:
            # This order comes to nothing more.
            await self._blocking(self._files.drop_order, domain)
            raise
        made = self._origin + f"{kept['key']}{chain}".encode()
        await self._blocking(self._files.keep_certificate, domain, made)
        return made

    async def _order(self, domain: str) -> dict[str, str]:
        """One whose domain is proved, safe on disk: the server has only to make the certificate."""
        private, request = new_request(domain)
        opened = await self._blocking(self._server.begin, domain, request)
        await self._blocking(self._files.answer, opened.proofs)
        try:
            await self._blocking(self._server.answer, opened)
            await self._until(lambda: self._server.proved(opened) or None, "check the domain")
        finally:
            await self._blocking(self._files.stop_answering, opened.proofs)
        kept = {"key": private.decode(), "order": self._server.keep(opened)}
        await self._blocking(self._files.keep_order, domain, json.dumps(kept).encode())
        return kept

    async def _until(self, look: Callable[[], T | None], what: str) -> T:
        """Ask the server again and again, more and more rarely. Raises DeadlineExceeded."""
        pause, end = _FIRST_LOOK, self._clock.mono() + PATIENCE
        while (found := await self._blocking(look)) is None:
            if self._clock.mono() + pause > end:
                raise DeadlineExceeded(f"the ACME server took more than {PATIENCE:g} seconds to {what}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)
        return found

    def _blocking(self, function: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    async def _record(self, domain: str, standing: Standing, *, pending: bool = False, message: str = "") -> None:
        """For whoever looks at the mapping; only what has changed."""
        body: dict[str, Any] = {"domain": domain, "state": "PENDING" if pending else "FAILED" if message else "ISSUED"}
        if standing.until:
            body["notAfter"] = to_rfc3339(standing.until)
        if standing.failures:
            body |= {"failures": standing.failures, "failureTime": to_rfc3339(standing.failed)}
            body |= {"message": message, "retryTime": to_rfc3339(standing.retry())}
        await self._write(domain, body)

    async def _write(self, domain: str, body: dict[str, Any]) -> None:
        document = await self._store.get("Certificate", _key(domain))
        if document is None or document.body != body:
            await self._store.apply(Put("Certificate", _key(domain), body))


def _key(domain: str) -> str:
    return f"certificates/{domain}"
