"""Certificates for domains, from an ACME server played by the test, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from homerun.controllers.certificate import PATIENCE, CertificateController
from homerun.lib.errors import FailedPrecondition, HomerunError, Unavailable
from homerun.store.base import Delete, Put, Store
from homerun.store.certificate_files import CertificateFiles
from homerun.store.memory import MemoryStore
from homerun.wire.authority import LEAF_DAYS
from homerun.wire.certificate import life
from tests.support.clock import EPOCH, LoopClock
from tests.support.tls import make_authority

pytestmark = pytest.mark.looptime

WWW = "www.example.com"
DAY = 24 * 3600
AUTHORITY = make_authority(EPOCH)


class Inline(Executor):
    """Everything at once, in the loop's own thread."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass
class Opened:
    domain: str
    proofs: dict[str, str]


class FakeServer:
    directory = "https://acme.test/dir"

    def __init__(self, challenges: Path) -> None:
        self._challenges = challenges
        self.began: list[tuple[str, float]] = []
        self.finished: list[str] = []
        self.refusing: HomerunError | None = None
        self.refusing_to_finish: HomerunError | None = None
        self.slow = 0
        """How often it is not ready when it is asked."""
        self.silent = False

    def begin(self, domain: str, request: bytes) -> Opened:
        assert b"CERTIFICATE REQUEST" in request
        self.began.append((domain, now()))
        return Opened(domain, {f"token-{len(self.began)}": f"proof-{len(self.began)}"})

    def answer(self, opened: Opened) -> None:
        [(token, proof)] = opened.proofs.items()
        assert (self._challenges / token).read_text() == proof, "it looks at once"
        self._left = self.slow
        if self.refusing is not None:
            raise self.refusing

    def proved(self, opened: Opened) -> bool:
        self._left -= 1
        return self._left < 0

    def keep(self, opened: Opened) -> str:
        return f"order {len(self.began)} for {opened.domain}"

    def finish(self, kept: str) -> str | None:
        self.finished.append(kept)
        if self.refusing_to_finish is not None:
            raise self.refusing_to_finish
        return None if self.silent else AUTHORITY.issue(["x"], EPOCH + now()).public.decode()


def now() -> float:
    return asyncio.get_running_loop().time()


class World:
    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store = folder, store
        self.files = CertificateFiles(folder)
        self.server = FakeServer(self.files.challenges)
        self.controller = self.make()

    def make(self) -> CertificateController:
        return CertificateController(self.store, self.files, self.server, LoopClock(), Inline())

    async def restart(self) -> None:
        """As after `kill -9`."""
        await self.controller.close()
        self.controller = self.make()
        await self.controller.open()
        await self.controller.reconcile(f"domains/{WWW}")

    async def map(self, domain: str = WWW) -> None:
        await self.store.apply(Put("Domain", f"domains/{domain}", {"mapping": "m", "service": "s"}))
        await self.controller.reconcile(f"domains/{domain}")

    async def standing(self, domain: str = WWW) -> dict[str, Any] | None:
        document = await self.store.get("Certificate", f"certificates/{domain}")
        return document.body if document is not None else None

    async def state(self, wanted: str, domain: str = WWW) -> dict[str, Any]:
        async with asyncio.timeout(1000 * DAY):
            while True:
                body = await self.standing(domain)
                if body is not None and body["state"] == wanted:
                    return body
                await asyncio.sleep(0.5)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path / "certificates", MemoryStore())
    await made.controller.open()
    yield made
    await made.controller.close()


async def test_a_domain_gets_a_certificate_with_its_key_and_in_one_file(world: World) -> None:
    world.server.slow = 3
    await world.map()
    assert (await world.state("PENDING")) == {"domain": WWW, "state": "PENDING"}
    body = await world.state("ISSUED")
    content = world.files.certificate(WWW)
    assert content is not None
    assert content.startswith(b"# https://acme.test/dir\n-----BEGIN PRIVATE KEY-----")
    assert life(content)[1] == pytest.approx(EPOCH + (LEAF_DAYS - 1) * DAY, abs=60)
    assert body["notAfter"].startswith("2024-02-")
    assert list(world.files.challenges.iterdir()) == [], "nothing is answered any longer than needed"
    assert world.files.order(WWW) is None


async def test_it_is_renewed_at_two_thirds_of_its_life(world: World) -> None:
    await world.map()
    await world.state("ISSUED")
    await asyncio.sleep(58 * DAY)
    assert len(world.server.began) == 1
    await asyncio.sleep(2 * DAY)
    assert len(world.server.began) == 2
    content = world.files.certificate(WWW)
    assert content is not None and life(content)[0] > EPOCH + 57 * DAY


async def test_a_refusal_is_told_and_tried_again_later_and_later(world: World) -> None:
    world.server.refusing = FailedPrecondition("the ACME server could not verify the domain: no such name")
    await world.map()
    body = await world.state("FAILED")
    assert body["message"] == "the ACME server could not verify the domain: no such name"
    assert (body["failures"], body["failureTime"], body["retryTime"]) == (
        1,
        "2023-11-14T22:13:20.000000Z",
        "2023-11-14T22:18:20.000000Z",
    )
    assert list(world.files.challenges.iterdir()) == []
    await asyncio.sleep(3600)
    assert [round(at) for _, at in world.server.began] == [0, 300, 900, 2100]
    world.server.refusing = None
    await asyncio.sleep(3600)
    assert await world.state("ISSUED") == {
        "domain": WWW,
        "state": "ISSUED",
        "notAfter": (await world.standing())["notAfter"],
    }  # type: ignore[index]


async def test_the_wait_after_a_failure_survives_a_restart(world: World) -> None:
    world.server.refusing = Unavailable("the ACME server cannot be reached")
    await world.map()
    await world.state("FAILED")
    await asyncio.sleep(100)
    await world.restart()
    await asyncio.sleep(150)
    assert len(world.server.began) == 1
    await asyncio.sleep(100)
    assert [round(at) for _, at in world.server.began] == [0, 300]
    assert (await world.state("FAILED"))["failures"] == 2


async def test_a_failed_renewal_leaves_the_old_certificate(world: World) -> None:
    await world.map()
    await world.state("ISSUED")
    content = world.files.certificate(WWW)
    world.server.refusing = Unavailable("the ACME server cannot be reached")
    await asyncio.sleep(60 * DAY)
    body = await world.state("FAILED")
    assert body["notAfter"] and body["failures"] >= 1
    assert world.files.certificate(WWW) == content


async def test_a_kill_while_the_server_makes_the_certificate_loses_neither_order_nor_key(world: World) -> None:
    world.server.silent = True
    await world.map()
    await asyncio.sleep(10)
    order = world.files.order(WWW)
    assert order is not None and b"PRIVATE KEY" in order
    await world.restart()
    world.server.silent = False
    await world.state("ISSUED")
    assert len(world.server.began) == 1, "it was not ordered twice"
    assert set(world.server.finished) == {f"order 1 for {WWW}"}


async def test_a_kill_while_the_domain_is_checked_begins_anew(world: World) -> None:
    world.server.slow = 1000
    await world.map()
    await asyncio.sleep(10)
    world.server.slow = 0
    await world.restart()
    await world.state("ISSUED")
    assert len(world.server.began) == 2
    assert list(world.files.challenges.iterdir()) == []


async def test_an_order_that_comes_to_nothing_is_forgotten(world: World) -> None:
    world.server.refusing_to_finish = FailedPrecondition("the ACME server refuses: the order is invalid")
    await world.map()
    await world.state("FAILED")
    assert world.files.order(WWW) is None
    world.server.refusing_to_finish = None
    await world.state("ISSUED")
    assert len(world.server.began) == 2


async def test_a_server_that_takes_too_long_is_asked_again_later(world: World) -> None:
    world.server.silent = True
    await world.map()
    await asyncio.sleep(PATIENCE + 20)
    body = await world.state("FAILED")
    assert body["message"] == "the ACME server took more than 180 seconds to make the certificate"
    world.server.silent = False
    await world.state("ISSUED")
    assert len(world.server.began) == 1, "the order goes on"


async def test_a_disk_that_is_full_is_a_failure_like_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(world.files, "answer", full)
        await world.map()
        assert "No space left" in (await world.state("FAILED"))["message"]
    await asyncio.sleep(299)
    assert len(world.server.began) == 1
    await world.state("ISSUED")


async def test_there_is_one_order_at_a_time_for_a_domain(world: World) -> None:
    world.server.slow = 3
    for _ in range(5):
        await world.map()
        await asyncio.sleep(0)
    await world.state("ISSUED")
    await asyncio.sleep(DAY)
    assert len(world.server.began) == 1


async def test_domains_are_independent(world: World) -> None:
    for number in range(6):
        await world.map(f"w{number}.example.com")
    for number in range(6):
        await world.state("ISSUED", f"w{number}.example.com")


async def test_a_domain_that_went_and_came_back_needs_no_new_order(world: World) -> None:
    await world.map()
    await world.state("ISSUED")
    await world.store.apply(Delete("Domain", f"domains/{WWW}"))
    await world.controller.reconcile(f"domains/{WWW}")
    await asyncio.sleep(1)
    assert await world.standing() is None
    await asyncio.sleep(80 * DAY)
    assert len(world.server.began) == 1, "nobody renews it meanwhile"
    await world.map()
    await world.state("ISSUED")
    assert len(world.server.began) == 2, "but this one is past two thirds of its life"


async def test_who_has_a_certificate_of_their_own_needs_none(world: World) -> None:
    (world.folder / f"{WWW}.crt").touch()
    await world.map()
    await world.state("OWN")
    await world.map("shop.localhost")
    await world.state("OWN", "shop.localhost")
    assert world.server.began == []


async def test_one_of_another_server_is_not_enough(world: World) -> None:
    await world.map()
    await world.state("ISSUED")
    world.server.directory = "https://other.test/dir"
    await world.restart()
    await asyncio.sleep(60)
    assert len(world.server.began) == 2
    assert (world.files.certificate(WWW) or b"").startswith(b"# https://other.test/dir\n")


async def test_a_damaged_file_is_replaced(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.files.keep_certificate(WWW, b"# https://acme.test/dir\nnonsense")
    await world.map()
    await world.state("ISSUED")
    assert "cannot be read" in caplog.text
