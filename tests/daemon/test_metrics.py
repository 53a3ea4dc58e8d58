"""The page for Prometheus, read by the parser of Prometheus' own client library."""

from __future__ import annotations

import asyncio
import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from homerun.controllers.plane import INSPECTION
from homerun.daemon.metrics import PIECE, page
from homerun.meter.exposition import FAMILIES
from homerun.wire.link import Demand, Inspect, Inspected, RequestLog
from tests.support.api import FAILING, LOCATION, Api, api
from tests.support.control import World

HELLO = f"{LOCATION}/services/hello"
Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def read(world: World, *loads: Demand) -> str:
    """What a scrape gets, from one router with these loads."""
    asked = len(world.router.all(Inspect))

    async def answer() -> None:
        await world.until(lambda: len(world.router.all(Inspect)) > asked)
        world.router.say(Inspected(7, 3, 2, list(loads)))

    pieces, _ = await asyncio.gather(_pieces(world), answer())
    return "".join(pieces)


async def _pieces(world: World) -> list[str]:
    return [piece async for piece in page(world.control)]


def numbers(text: str) -> Numbers:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: Numbers, name: str, **labels: str) -> list[float]:
    """The samples of that name that have these labels."""
    return [value for (n, has), value in found.items() if n == name and labels.items() <= dict(has).items()]


async def revision_of(made: Api) -> str:
    view = await made("GET", f"/homerun/v1/{HELLO}:explain")
    return f"{HELLO}/revisions/{view['instances'][0]['revision']}"


@pytest.mark.looptime
async def test_every_family_is_there_with_its_type() -> None:
    async with api({}) as made:
        text = await read(made.world)
        for family in FAMILIES:
            assert text.count(family.head()) == 1
        assert numbers(text)[("homerun_router_connections", frozenset({("pid", "1")}))] == 7


@pytest.mark.looptime
async def test_requests_queue_instances_and_cold_starts_of_a_service() -> None:
    async with api({}) as made:
        await made.deploy()
        revision = await revision_of(made)
        [start] = made.world.control.observatory.starts.of([revision])
        for at, status, waited in ((start.ready - 0.5, 200, 0.75), (start.ready + 1, 503, 0.0)):
            made.world.router.say(
                RequestLog(
                    revision, start.instance, at, 1, b"GET", b"http://h/", status, 1, 1, b"", "ip", b"", "", waited
                )
            )
        found = numbers(await read(made.world, Demand(revision, 4, 2)))
        assert of(found, "homerun_requests_total", service="hello", code_class="2xx") == [1]
        assert of(found, "homerun_request_latency_seconds_bucket", code_class="5xx", le="1") == [1]
        assert (of(found, "homerun_requests_waiting"), of(found, "homerun_requests_in_flight")) == ([4], [2])
        assert of(found, "homerun_request_wait_seconds_sum") == [0.75]
        assert of(found, "homerun_instances", state="idle") + of(found, "homerun_instances", state="active") == [1, 0]
        assert of(found, "homerun_instance_starts_total", result="ready") == [1]
        assert of(found, "homerun_cold_starts_total") == [1]
        assert of(found, "homerun_start_phase_seconds_sum", phase="request") == [0.75]
        assert of(found, "homerun_start_phase_seconds_count", phase="listen") == [1]


@pytest.mark.looptime
async def test_a_deleted_service_has_no_metrics() -> None:
    async with api({}) as made:
        await made.deploy()
        assert of(numbers(await read(made.world)), "homerun_cold_starts_total", service="hello")
        await made.done(await made("DELETE", f"/v2/{HELLO}"))
        await made.world.until(lambda: not made.world.control.capacity.groups)
        assert not of(numbers(await read(made.world)), "homerun_cold_starts_total")


@pytest.mark.looptime
async def test_tasks_are_counted_while_they_run_and_when_they_have_ended() -> None:
    async with api({}) as made:
        await made.create_job(image=FAILING, maxRetries=0)
        running = await made("POST", f"/v2/{LOCATION}/jobs/work:run", {})
        await asyncio.sleep(0.05)
        assert of(numbers(await read(made.world)), "homerun_tasks_running", job="work") == [1]
        await made.done(running)
        await made.world.until(lambda: not made.world.control.executions.unfinished())
        found = numbers(await read(made.world))
        assert of(found, "homerun_tasks_running", job="work") == [0]
        assert of(found, "homerun_tasks_finished_total", job="work", result="failed") == [1]
        await made.done(await made("DELETE", f"/v2/{LOCATION}/jobs/work"))
        await made.world.until(lambda: not made.world.control.observatory.metrics.tasks)
        assert not of(numbers(await read(made.world)), "homerun_tasks_finished_total")


@pytest.mark.looptime
async def test_a_worker_pool_shows_its_instances() -> None:
    async with api({}) as made:
        await made.deploy_pool("crew")
        found = numbers(await read(made.world))
        assert sum(of(found, "homerun_worker_pool_instances", worker_pool="crew")) == 1


@pytest.mark.looptime
async def test_a_router_that_does_not_answer_is_left_out() -> None:
    async with api({}) as made:
        text = "".join(await _pieces(made.world))
        assert not of(numbers(text), "homerun_router_connections")
        assert of(numbers(text), "homerun_info") == [1]


@pytest.mark.looptime
async def test_a_router_that_leaves_while_it_is_asked_is_left_out_at_once() -> None:
    async with api({}) as made:
        reading = asyncio.ensure_future(_pieces(made.world))
        await made.world.until(lambda: made.world.router.all(Inspect))
        made.world.router.close()
        async with asyncio.timeout(INSPECTION / 2):
            assert not of(numbers("".join(await reading)), "homerun_router_connections")


@pytest.mark.looptime
async def test_many_lines_come_in_many_pieces() -> None:
    async with api({}) as made:
        await made.deploy()
        revision = await revision_of(made)
        for number in range(3 * PIECE):
            made.world.control.observatory.metrics.revisions[f"{revision}{number}"] = (
                made.world.control.observatory.metrics.revisions[revision]
            )
        assert len(await _pieces(made.world)) > 6


@pytest.mark.looptime
async def test_promtool_has_nothing_to_object() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    async with api({}) as made:
        await made.deploy()
        revision = await revision_of(made)
        made.world.router.say(RequestLog(revision, "i", 1, 1, b"GET", b"http://h/", 200, 1, 1, b"", "ip", b"", "", 0.5))
        text = await read(made.world, Demand(revision, 1, 1))
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
