"""Two router processes on one port: whoever accepts a connection, its requests are answered by the owner."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from zlib import crc32

import pytest

from homerun.router.handover import CHUNK
from tests.support.cluster import Cluster, answer, get, host

pytestmark = pytest.mark.sockets

SERVICES = 8


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path)
    for number in range(SERVICES):
        made.add_service(number, 1)
        await made.add_instance(number)
    assert {made.owner(number) for number in range(SERVICES)} == {0, 1}
    await made.open()
    await made.ready()
    yield made
    await made.close()


def one_of_each(cluster: Cluster) -> tuple[int, int]:
    """A service of router 0 and one of router 1."""
    owners = [cluster.owner(number) for number in range(SERVICES)]
    return owners.index(0), owners.index(1)


async def test_every_connection_finds_its_service_whoever_accepts_it(cluster: Cluster) -> None:
    assert (cluster.folder / "peer-0.sock").stat().st_mode & 0o777 == 0o600
    answers = await asyncio.gather(*[cluster.get(n % SERVICES, "/1") for n in range(200)])
    assert [(status, body.split(b"-")[0]) for status, body in answers] == [
        (200, b"s%d" % (n % SERVICES)) for n in range(200)
    ]
    assert cluster.screams == []
    # Each request is reported once, by whoever answered it; and it is known where the client came from.
    await cluster.until(lambda: len(cluster.requests) == 200)
    assert {request.remote_ip for request in cluster.requests} == {"127.0.0.1"}
    await cluster.until(lambda: sum(usage.requests for usage in cluster.usage) == 200)


async def test_a_connection_that_is_kept_alive_follows_its_requests_from_router_to_router(cluster: Cluster) -> None:
    reader, writer = await cluster.connect()
    for turn in range(40):
        writer.write(get(turn % SERVICES))
        status, body = await answer(reader)
        assert (status, body.split(b"-")[0]) == (200, b"s%d" % (turn % SERVICES))
    writer.close()


async def test_a_body_larger_than_a_packet_arrives_whole(cluster: Cluster) -> None:
    content = random.Random(1).randbytes(3 * CHUNK)
    for number in one_of_each(cluster) * 4:
        reader, writer = await cluster.connect()
        head = f"POST /0 HTTP/1.1\r\nHost: {host(number)}\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        status, body = await answer(reader)
        assert (status, int(body.split()[1])) == (200, crc32(content))
        writer.close()


async def test_while_a_router_is_away_its_connections_wait_and_the_others_go_on(cluster: Cluster) -> None:
    steady, away = one_of_each(cluster)
    await cluster.kill(1)
    waiting = [asyncio.get_running_loop().create_task(cluster.get(away)) for _ in range(10)]
    for _ in range(10):
        assert (await cluster.get(steady))[0] == 200
    assert not any(task.done() for task in waiting)
    await cluster.until(lambda: bool(cluster.lost))
    assert {name.split("/")[5] for name in cluster.lost} == {f"s{n}" for n in range(SERVICES) if cluster.owner(n) == 1}
    await cluster.start(1)
    assert {status for status, _ in await asyncio.gather(*waiting)} == {200}


async def test_instances_are_drained_when_their_owner_says_so(cluster: Cluster) -> None:
    for number in one_of_each(cluster):
        instance = next(each for each in cluster.instances.values() if each.id.startswith(f"s{number}-"))
        working = asyncio.get_running_loop().create_task(cluster.get(number, "/300"))
        await cluster.until(lambda instance=instance: instance.running == 1)  # type: ignore[misc]
        await cluster.retire(instance)
        assert instance.served == 1
        assert (await working)[0] == 200


async def test_a_request_of_a_killed_router_holds_its_slot_while_the_instance_works_on_it(cluster: Cluster) -> None:
    _, away = one_of_each(cluster)
    [instance] = [each for each in cluster.instances.values() if each.id.startswith(f"s{away}-")]
    reader, writer = await cluster.connect()
    writer.write(get(away, "/1500"))
    await cluster.until(lambda: instance.running == 1)
    await cluster.kill(1)
    with pytest.raises(asyncio.IncompleteReadError):
        await answer(reader)
    await cluster.start(1)
    assert (await cluster.get(away))[0] == 200
    assert (instance.served, instance.most) == (2, 1)
    writer.close()
