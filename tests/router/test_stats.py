from __future__ import annotations

import asyncio

import pytest

from homerun.router import errors
from homerun.wire.link import InstanceBusy, InstanceIdle, InstanceUse, RequestLog, RevisionGone, ToControl, Usage
from tests.router.test_protocol import POST
from tests.support.clock import EPOCH
from tests.support.router import GET, OK, World

pytestmark = pytest.mark.looptime


def usages(world: World) -> list[Usage]:
    return [message for message in world.reports() if isinstance(message, Usage)]


async def test_usage_is_told_each_second_while_there_is_traffic_and_once_more_when_it_ends(world: World) -> None:
    world.service(1)
    await asyncio.sleep(50)
    world.client(GET)
    await asyncio.sleep(2.5)
    await world.serve(1)
    await asyncio.sleep(10)
    told = usages(world)
    assert [usage.concurrency for usage in told] == [1, 1, pytest.approx(0.5, abs=0.01), 0]
    assert [usage.in_flight for usage in told] == [1, 1, 0, 0]
    assert [usage.requests for usage in told] == [0, 0, 1, 0]
    assert told[0].instances == [InstanceUse("i1", 1, 1, 0, 0)]
    assert told[2].instances == [InstanceUse("i1", 0, pytest.approx(0.5), 1, pytest.approx(0.5))]
    assert told[3].at == pytest.approx(EPOCH + asyncio.get_running_loop().time() - 8.5, abs=0.1)


async def test_silence_costs_nothing(world: World) -> None:
    world.service(1)
    world.client(GET)
    await world.serve(1)
    await asyncio.sleep(5)
    world.reports()
    await asyncio.sleep(300)
    assert world.reports() == []


async def test_waiting_requests_are_usage_too(world: World) -> None:
    world.service()
    world.client(GET)
    await asyncio.sleep(1.1)
    assert [(usage.waiting, usage.concurrency) for usage in usages(world)] == [(1, 1)]


async def test_traffic_after_silence_is_not_averaged_over_the_silence(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    await asyncio.sleep(100)
    world.reports()
    client.feed(GET)
    await asyncio.sleep(1.1)
    assert usages(world)[0].concurrency == 1


async def test_each_request_is_logged(world: World) -> None:
    world.service(1)
    client = world.client(POST.replace(b"\r\n\r\n", b"\r\nUser-Agent: test/1\r\n\r\n"), peer="198.51.100.1")
    before = asyncio.get_running_loop().time()
    await asyncio.sleep(0.25)
    request = await world.serve(1)
    await asyncio.sleep(2)
    (log,) = [message for message in world.reports() if isinstance(message, RequestLog)]
    trace = request.split(b"X-Cloud-Trace-Context: ")[1][:32]
    assert log == RequestLog(
        "r",
        "i1",
        pytest.approx(EPOCH + before),
        pytest.approx(0.25),
        b"POST",
        b"http://hello.example/form",
        200,
        len(request),
        len(OK),
        b"test/1",
        "198.51.100.1",
        trace,
    )
    assert client.take() == OK


async def test_refused_and_left_requests_are_logged_without_an_instance(world: World) -> None:
    world.service()
    world.client(GET).hang_up()
    world.client(GET)
    await asyncio.sleep(12)
    logs = [message for message in world.reports() if isinstance(message, RequestLog)]
    assert [(log.status, log.instance, log.text) for log in logs] == [(499, "", ""), (429, "", errors.NO_INSTANCE_TEXT)]


async def test_how_long_a_request_waited_for_its_slot_is_logged(world: World) -> None:
    world.service()
    world.client(GET)
    await asyncio.sleep(0.75)
    world.up(1)
    await world.serve(1)
    world.client(GET.replace(b"HTTP/1.1", b"HTTP/1.0"))
    await world.serve(1)
    await asyncio.sleep(2)
    logs = [message for message in world.reports() if isinstance(message, RequestLog)]
    assert [(log.waited, log.protocol) for log in logs] == [(pytest.approx(0.75), "HTTP/1.1"), (0, "HTTP/1.0")]


async def test_many_requests_in_a_second_are_sent_in_batches(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    for _ in range(599):
        client.feed(GET)
        world.instance(1).take()
        world.instance(1).feed(OK)
    logs = [message for message in world.reports() if isinstance(message, RequestLog)]
    assert len(logs) == 512
    await asyncio.sleep(1.1)
    logs = [message for message in world.reports() if isinstance(message, RequestLog)]
    assert len(logs) == 88


async def test_a_deleted_revision_is_not_reported(world: World) -> None:
    world.service()
    world.client(GET)
    world.router.apply(RevisionGone("r"))
    await asyncio.sleep(1.1)
    assert usages(world) == []


async def test_the_last_words_of_a_deleted_revision_are_told(world: World) -> None:
    world.service(1)
    world.client(GET)
    await asyncio.sleep(0.75)
    await world.serve(1)
    world.router.apply(RevisionGone("r"))
    [last] = usages(world)
    assert (last.billed, last.answered) == (800, 1)
    await asyncio.sleep(5)
    assert usages(world) == []


async def test_the_counter_only_rises_and_is_told_again_to_a_control_that_starts(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await asyncio.sleep(2.3)
    await world.serve(1)
    await asyncio.sleep(100)
    told = usages(world)
    assert [(usage.billed, usage.answered) for usage in told] == [(1000, 0), (2000, 0), (2300, 1), (2300, 1)]
    assert len({usage.counter for usage in told}) == 1
    world.snapshot(1)
    await asyncio.sleep(1.1)
    [again] = usages(world)
    assert (again.counter, again.billed, again.answered) == (told[0].counter, 2300, 1)
    client.feed(GET)
    await world.serve(1)
    await asyncio.sleep(5)
    last = usages(world)[-1]
    assert (last.billed, last.answered) == (2300, 2)


async def test_what_was_used_while_control_was_away_is_told_when_it_is_back(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await asyncio.sleep(1.5)
    usages(world)
    world.router.link.connection_lost(None)
    for _ in range(3):
        await world.serve(1)
        await asyncio.sleep(1)
        client.feed(GET)
    world.router.link.connection_made(world.control)
    await world.serve(1)
    await asyncio.sleep(3)
    told = usages(world)
    assert sum(usage.requests for usage in told) == 4
    # Begun before control went: half a second of it. Then one at a time, without end.
    assert sum(use.busy for usage in told for use in usage.instances) == pytest.approx(0.5)


# Throttled revisions


def edges(world: World) -> list[ToControl]:
    return [message for message in world.reports() if isinstance(message, InstanceIdle | InstanceBusy)]


async def test_a_new_instance_without_requests_is_idle_soon_and_once(world: World) -> None:
    world.service(1, throttled=True)
    assert edges(world) == []
    await asyncio.sleep(2.1)
    assert edges(world) == [InstanceIdle("i1")]
    await asyncio.sleep(100)
    assert world.reports() == []


async def test_the_first_request_after_a_pause_is_told_before_it_is_answered_and_its_end_later(world: World) -> None:
    world.service(1, throttled=True)
    await asyncio.sleep(10)
    edges(world)
    client = world.client(GET)
    assert edges(world) == [InstanceBusy("i1")]
    await world.serve(1)
    client.feed(GET)
    await world.serve(1)
    await asyncio.sleep(0.4)
    assert edges(world) == []
    await asyncio.sleep(2)
    assert edges(world) == [InstanceIdle("i1")]


async def test_an_instance_with_requests_now_and_then_is_busy_without_a_word(world: World) -> None:
    world.service(1, throttled=True)
    client = world.client()
    for _ in range(50):
        client.feed(GET)
        await world.serve(1)
        await asyncio.sleep(0.3)
    assert edges(world) == []


async def test_a_request_that_takes_long_keeps_its_instance_busy(world: World) -> None:
    world.service(1, throttled=True)
    await asyncio.sleep(10)
    world.client(GET)
    await asyncio.sleep(100)
    assert edges(world) == [InstanceIdle("i1"), InstanceBusy("i1")]


async def test_each_instance_is_busy_or_idle_by_itself(world: World) -> None:
    world.service(1, 2, concurrency=1, throttled=True)
    await asyncio.sleep(10)
    assert sorted(edge.instance for edge in edges(world)) == ["i1", "i2"]  # type: ignore[union-attr]
    world.client(GET)
    world.client(GET)
    assert edges(world) == [InstanceBusy("i2"), InstanceBusy("i1")]
    await world.serve(1)
    await asyncio.sleep(10)
    assert edges(world) == [InstanceIdle("i1")]


async def test_a_request_that_waited_wakes_its_instance_too(world: World) -> None:
    world.service(1, concurrency=1, throttled=True)
    await asyncio.sleep(10)
    edges(world)
    world.client(GET)
    world.client(GET)
    await world.serve(1)
    await world.serve(1)
    assert edges(world) == [InstanceBusy("i1")]


async def test_after_a_snapshot_control_knows_of_no_idle_instance(world: World) -> None:
    world.service(1, throttled=True)
    await asyncio.sleep(10)
    edges(world)
    world.snapshot(1, throttled=True)
    world.client(GET)
    assert edges(world) == [], "control takes it for busy"
    await world.serve(1)
    await asyncio.sleep(10)
    assert edges(world) == [InstanceIdle("i1")]
    world.snapshot(1, throttled=True)
    await asyncio.sleep(10)
    assert edges(world) == [InstanceIdle("i1")]


async def test_where_cpu_is_always_there_nothing_is_said_of_it(world: World) -> None:
    world.service(1)
    client = world.client(GET)
    await world.serve(1)
    await asyncio.sleep(10)
    client.feed(GET)
    await world.serve(1)
    await asyncio.sleep(10)
    assert edges(world) == []
