"""A request that came over TLS says so to the instance."""

import pytest

from homerun.router.secure import SecureConnection
from tests.support.router import GET, OK, World
from tests.support.transport import MockTransport

pytestmark = pytest.mark.looptime


async def test_the_instance_is_told_that_it_is_https(world: World) -> None:
    world.service(1)
    client = MockTransport(SecureConnection(world.router))
    client.feed(GET)
    request = await world.serve(1)
    assert b"X-Forwarded-Proto: https\r\n" in request
    assert b'Forwarded: for="192.0.2.7";proto=https\r\n' in request
    assert client.take() == OK
    plain = world.client(GET)
    assert b"X-Forwarded-Proto: http\r\n" in await world.serve(1)
    assert plain.take() == OK
