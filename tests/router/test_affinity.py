from __future__ import annotations

import asyncio
import re

import pytest

from homerun.router.affinity import token
from homerun.wire.link import InstanceGone, Target
from tests.router.test_protocol import SWITCHED, UPGRADE, status
from tests.support.router import GET, OK, World

pytestmark = pytest.mark.looptime


def with_cookie(cookie: bytes) -> bytes:
    return GET[:-2] + b"Cookie: %b\r\n\r\n" % cookie


def cookie_of(answer: bytes) -> bytes:
    match = re.search(rb"\r\nSet-Cookie: (GAESA=[0-9a-f]{32}); Max-Age=2592000; Path=/; HttpOnly\r\n", answer)
    assert match is not None, answer
    return match[1]


async def served_by(world: World, answer: bytes = OK) -> int:
    """The port of the instance that has got a request, which it answers."""
    await world.settle()
    for port in world.network.connections:
        for connection in world.open(port):
            if connection.written:
                connection.take()
                connection.feed(answer)
                await world.settle()
                return port
    raise AssertionError("no instance has got a request")


async def test_a_client_comes_back_to_its_instance(world: World) -> None:
    world.service(1, 2, 3, concurrency=80, affinity=True)
    clients = []
    for _ in range(3):
        # The connection used last would be used next: the other clients must not change that.
        client = world.client(GET)
        await world.settle()
        clients.append(client)
    sessions = {await served_by(world) for _ in clients}
    assert sessions == {1, 2, 3}
    cookies = [cookie_of(client.take()) for client in clients]
    assert len(set(cookies)) == 3
    homes = []
    for cookie in cookies:
        client = world.client(with_cookie(b"a=b; " + cookie))
        homes.append(await served_by(world))
        assert client.take() == OK
    assert sorted(homes) == [1, 2, 3]
    for cookie, home in zip(cookies, homes, strict=True):
        client = world.client(with_cookie(cookie + b"; c=d"))
        assert await served_by(world) == home
        assert client.take() == OK


async def test_an_answer_that_sets_the_cookie_is_private_and_keeps_the_cookies_of_the_app(world: World) -> None:
    world.service(1, affinity=True)
    client = world.client(GET)
    await world.serve(1, OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: mine=1\r\nCache-Control: public\r\n\r\n"))
    answer = client.take()
    assert b"Set-Cookie: mine=1\r\n" in answer and cookie_of(answer)
    assert b"Cache-Control: private" in answer and b"public" not in answer


async def test_cookies_reach_the_container_as_they_are(world: World) -> None:
    world.service(1, affinity=True)
    world.client(with_cookie(b"a=b; GAESA=nonsense"))
    assert b"\r\nCookie: a=b; GAESA=nonsense\r\n" in await world.serve(1)


async def test_a_full_instance_is_not_waited_for(world: World) -> None:
    world.service(1, 2, concurrency=1, affinity=True)
    client = world.client(GET)
    home = await served_by(world)
    cookie = cookie_of(client.take())
    world.client(with_cookie(cookie))
    client = world.client(with_cookie(cookie))
    await world.settle()
    other = 3 - home
    await world.serve(other)
    assert cookie_of(client.take()) == b"GAESA=" + token(f"i{other}")


async def test_when_the_instance_is_gone_another_one_is_chosen(world: World) -> None:
    world.service(1, affinity=True)
    client = world.client(GET)
    await world.serve(1)
    cookie = cookie_of(client.take())
    world.up(2)
    world.router.apply(InstanceGone("i1"))
    client = world.client(with_cookie(cookie))
    await world.serve(2)
    assert cookie_of(client.take()) != cookie
    assert list(world.router.sessions) == [token("i2")]


async def test_a_session_comes_before_the_split(world: World) -> None:
    for name in ("r", "q"):
        world.revision(name, affinity=True, timeout=30 if name == "q" else 300)
    world.route(Target("r", 50), Target("q", 50))
    world.up(1)
    world.up(2, revision="q")
    cookie = b"GAESA=" + token("i2")
    for _ in range(10):
        client = world.client(with_cookie(cookie))
        assert await served_by(world) == 2
        assert client.take() == OK
    # With the limits of the revision that it goes to.
    client = world.client(with_cookie(cookie))
    other = world.client(with_cookie(cookie))
    await asyncio.sleep(31)
    assert status(client.take()) == status(other.take()) == 504


async def test_a_revision_without_traffic_keeps_nobody(world: World) -> None:
    for name in ("r", "q"):
        world.revision(name, affinity=True)
    world.route(Target("r", 100))
    world.up(1)
    world.up(2, revision="q")
    world.client(with_cookie(b"GAESA=" + token("i2")))
    assert await served_by(world) == 1


async def test_a_websocket_has_a_session_too(world: World) -> None:
    world.service(1, affinity=True)
    client = world.client(UPGRADE)
    await world.serve(1, SWITCHED)
    assert cookie_of(client.take())


async def test_without_affinity_there_is_no_cookie_and_none_is_looked_at(world: World) -> None:
    world.service(1)
    client = world.client(with_cookie(b"GAESA=" + token("i1")))
    await world.serve(1)
    assert client.take() == OK
    assert not world.router.sessions


def test_a_cookie_names_nothing_and_is_the_same_in_every_process() -> None:
    assert token("i1") == token("i1") != token("i2")
    assert b"i1" not in token("i1")
