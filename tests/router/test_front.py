"""The plain port beside a secure one: who is sent there, and who is not."""

from pathlib import Path

import pytest

from homerun.router.front import Front, FrontConnection
from tests.router.test_protocol import status
from tests.support.router import GET, OK, World
from tests.support.transport import MockTransport

pytestmark = pytest.mark.looptime


def ask(
    world: World, front: Front, target: bytes = b"/", host: bytes = b"hello.example", method: bytes = b"GET"
) -> bytes:
    client = MockTransport(FrontConnection(world.router, front))
    client.feed(b"%b %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (method, target, host))
    return client.take()


def location(answer: bytes) -> bytes:
    assert status(answer) == 302
    return answer.split(b"\r\nLocation: ")[1].split(b"\r\n")[0]


async def test_a_request_is_sent_to_the_secure_port_with_its_path(world: World) -> None:
    world.service(1)
    assert location(ask(world, Front(8443), b"/a/b?c=d%20e")) == b"https://hello.example:8443/a/b?c=d%20e"
    assert location(ask(world, Front(443), host=b"hello.example:8080")) == b"https://hello.example/"
    assert location(ask(world, Front(443), b"http://hello.example/x")) == b"https://hello.example/x"
    assert location(ask(world, Front(443), method=b"HEAD")).endswith(b"/")
    assert 1 not in world.network.connections, "no instance was asked"


async def test_the_connection_stays_for_more(world: World) -> None:
    world.service(1)
    client = MockTransport(FrontConnection(world.router, Front(443)))
    client.feed(b"POST / HTTP/1.1\r\nHost: hello.example\r\nContent-Length: 5\r\n\r\nhello" + GET)
    assert client.take().count(b"HTTP/1.1 302 Found") == 2
    assert not client.closing


async def test_who_asks_for_an_unknown_host_or_nonsense_is_answered_here(world: World) -> None:
    world.service(1)
    assert status(ask(world, Front(443), host=b"evil.example")) == 404
    assert status(ask(world, Front(443), b"nonsense")) == 400
    assert status(ask(world, Front(443), host=b"a b")) in (400, 404)


async def test_a_challenge_is_answered_and_not_redirected(world: World, tmp_path: Path) -> None:
    world.service(1)
    (tmp_path / "Tok-en_1").write_text("Tok-en_1.thumbprint")
    front = Front(443, tmp_path)
    answer = ask(world, front, b"/.well-known/acme-challenge/Tok-en_1", host=b"not.mapped.yet.example")
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\nTok-en_1.thumbprint\n")


@pytest.mark.parametrize("token", [b"unknown", b"../secret", b"", b"a/b", b"%2e%2e", b"x" * 300, b"a?b"])
async def test_what_is_no_challenge_of_ours_goes_the_usual_way(world: World, tmp_path: Path, token: bytes) -> None:
    (tmp_path.parent / "secret").write_text("secret")
    world.service(1)
    target = b"/.well-known/acme-challenge/" + token
    assert location(ask(world, Front(443, tmp_path), target)) == b"https://hello.example" + target
    client = MockTransport(FrontConnection(world.router, Front(None, tmp_path)))
    client.feed(b"GET %b HTTP/1.1\r\nHost: hello.example\r\n\r\n" % target)
    assert target in await world.serve(1)
    assert client.take() == OK
