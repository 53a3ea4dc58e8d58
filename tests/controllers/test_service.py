"""Service -> Revision -> traffic, on the whole control process in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from homerun.engine.base import Exit
from homerun.engine.fake.script import Line, Script
from homerun.lib.errors import Unavailable
from homerun.model import conditions
from homerun.store.base import Delete, Document, Put, Write
from homerun.store.memory import MemoryStore
from homerun.wire.link import (
    InstanceDrain,
    InstanceDrained,
    InstanceUp,
    KeySet,
    RevisionGone,
    RevisionSet,
    RouteGone,
    RouteSet,
    Snapshot,
    Target,
)
from tests.support.builders import IMAGE, LOCATION, operation_name, operation_put, service_put
from tests.support.control import FakeRouter, FullStore, world

pytestmark = pytest.mark.looptime

HELLO = f"{LOCATION}/services/hello"
BROKEN = "registry.test/broken:1"


async def test_a_new_service_becomes_ready_and_is_routed() -> None:
    async with world() as w:
        await w.store.apply(service_put(), operation_put("hello"))
        service = await w.settled("Service", HELLO)
        assert service.body["terminalCondition"]["state"] == conditions.SUCCEEDED
        assert service.body["observedGeneration"] == "1"
        revision = service.body["latestReadyRevision"]
        assert revision == service.body["latestCreatedRevision"]
        route = w.router.last(RouteSet)
        assert (route.service, route.hosts) == (HELLO, ["hello-1.r.run.localhost"])
        assert route.targets == [Target(revision, 100)]
        assert w.router.last(InstanceUp).revision == revision


async def test_the_routers_know_it_before_anybody_hears_that_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as w:
        apply, known = w.store.apply, []

        async def look(*writes: Write) -> Any:
            done = (write for write in writes if isinstance(write, Put) and write.kind == "Service")
            if any(service.body.get("reconciling") is False for service in done):
                known.append(w.router.last(RouteSet).targets)
            return await apply(*writes)

        monkeypatch.setattr(w.store, "apply", look)
        await apply(service_put(), operation_put("hello"))
        revision = (await w.settled("Service", HELLO)).body["latestReadyRevision"]
        assert known[0] == [Target(revision, 100)]


async def test_a_deleted_service_that_finishes_its_requests_does_not_hinder_a_new_one_of_its_name() -> None:
    async with world() as w:
        w.router.busy = True
        await w.store.apply(service_put(revision="hello-one"))
        await w.settled("Service", HELLO)
        (old,) = w.engine.instances()
        await w.store.apply(Put("Service", HELLO, {**(await w.get("Service", HELLO)).body, "deleteTime": "now"}))
        await w.until(lambda: w.router.last(InstanceDrain) == InstanceDrain(old.id))

        await w.store.apply(service_put(revision="hello-one", maxInstanceRequestConcurrency=7))
        service = await w.settled("Service", HELLO)
        assert service.body["terminalCondition"]["state"] == conditions.SUCCEEDED
        assert w.router.last(RevisionSet).concurrency == 7
        assert w.router.last(InstanceUp).instance != old.id

        w.router.say(InstanceDrained(old.id))
        await w.until(lambda: old.id not in {state.id for state in w.engine.instances()})
        assert len(w.engine.instances()) == 1
        assert not w.router.all(RevisionGone)
        w.router.busy = False


async def test_its_operation_ends_with_the_service_in_one_write() -> None:
    async with world() as w:
        await w.store.apply(service_put(), operation_put("hello"))
        service = await w.settled("Service", HELLO)
        operation = await w.get("Operation", operation_name("hello"))
        assert operation.body["done"] is True
        assert operation.body["response"]["name"] == HELLO
        assert operation.body["response"]["terminalCondition"]["state"] == conditions.SUCCEEDED
        assert service.internal["operations"] == []
        assert abs(operation.version - service.version) == 1


async def test_a_revision_pins_the_digest_of_its_image() -> None:
    async with world() as w:
        await w.store.apply(service_put())
        service = await w.settled("Service", HELLO)
        revision = await w.get("Revision", service.body["latestReadyRevision"])
        assert revision.internal["digests"][0].startswith("registry.test/hello@sha256:")


async def test_a_failed_revision_never_gets_traffic_and_the_old_one_keeps_it() -> None:
    script = Script(exit=Exit(code=3), exit_after=0.1, ready=10, lines=(Line("no database"),))
    async with world({BROKEN: script}) as w:
        await w.store.apply(service_put(), operation_put("hello"))
        first = (await w.settled("Service", HELLO)).body["latestReadyRevision"]
        await update(w, image=BROKEN)
        service = await w.settled("Service", HELLO)
        ready = service.body["terminalCondition"]
        assert ready["state"] == conditions.FAILED
        for part in ("Container called exit(3).", "no database", "PORT=8080", "is not ready and cannot serve traffic"):
            assert part in ready["message"]
        assert service.body["latestReadyRevision"] == first
        assert service.body["latestCreatedRevision"] != first
        assert w.router.last(RouteSet).targets == [Target(first, 100)]
        operation = await w.get("Operation", operation_name("hello", 2))
        assert operation.body["error"]["message"] == ready["message"]


async def test_a_new_service_that_fails_is_routed_nowhere() -> None:
    async with world({BROKEN: Script(probe_failure="It listens on 127.0.0.1:8080 only.")}) as w:
        await w.store.apply(service_put(image=BROKEN))
        service = await w.settled("Service", HELLO)
        assert "It listens on 127.0.0.1:8080 only." in service.body["terminalCondition"]["message"]
        assert w.router.last(RouteSet).targets == []
        assert w.engine.instances() == []


async def test_an_unknown_image_fails_the_deployment_with_its_cause() -> None:
    async with world() as w:
        await w.store.apply(service_put(image="registry.test/missing:1"))
        service = await w.settled("Service", HELLO)
        assert service.body["terminalCondition"]["state"] == conditions.FAILED
        assert "registry.test/missing:1" in service.body["terminalCondition"]["message"]
        configured = conditions.find(service.body["conditions"], "ConfigurationsReady")
        assert configured is not None and configured["message"] == service.body["terminalCondition"]["message"]


async def test_traffic_can_be_moved_back_after_a_failed_deployment() -> None:
    async with world({BROKEN: Script(exit=Exit(code=1), exit_after=0, ready=9)}) as w:
        await w.store.apply(service_put(), operation_put("hello"))
        first = (await w.settled("Service", HELLO)).body["latestReadyRevision"]
        await update(w, concurrency=7)
        second = (await w.settled("Service", HELLO)).body["latestReadyRevision"]
        await update(w, image=BROKEN)
        await w.settled("Service", HELLO)
        assert w.router.last(RouteSet).targets == [Target(second, 100)]
        target = {
            "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
            "revision": first.rpartition("/")[2],
            "percent": 100,
        }
        await update(w, traffic=[target])
        await w.settled("Service", HELLO)
        assert w.router.last(RouteSet).targets == [Target(first, 100)]


async def test_traffic_splits_and_tags() -> None:
    async with world() as w:
        await w.store.apply(service_put())
        first = (await w.settled("Service", HELLO)).body["latestReadyRevision"]
        old = {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": first.rpartition("/")[2]}
        new = {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 10, "tag": "green"}
        await update(w, concurrency=7, traffic=[{**old, "percent": 90}, new])
        service = await w.settled("Service", HELLO)
        second = service.body["latestReadyRevision"]
        assert w.router.last(RouteSet).targets == [Target(first, 90), Target(second, 10, "green")]
        assert service.body["trafficStatuses"][1]["uri"] == "http://green---hello-1.r.run.localhost:8080"


async def test_traffic_to_an_unknown_revision_is_refused_and_nothing_moves() -> None:
    async with world() as w:
        await w.store.apply(service_put())
        first = (await w.settled("Service", HELLO)).body["latestReadyRevision"]
        await update(
            w, traffic=[{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "hello-9", "percent": 100}]
        )
        service = await w.settled("Service", HELLO)
        assert (
            service.body["terminalCondition"]["message"] == "Revision 'hello-9' referenced in traffic does not exist."
        )
        assert w.router.last(RouteSet).targets == [Target(first, 100)]


async def test_a_revision_name_that_exists_with_another_template_is_refused() -> None:
    async with world() as w:
        await w.store.apply(service_put(revision="hello-one"))
        await w.settled("Service", HELLO)
        await update(w, concurrency=3)
        service = await w.settled("Service", HELLO)
        assert "already exists" in service.body["terminalCondition"]["message"]


async def test_a_change_outside_the_template_makes_no_revision() -> None:
    async with world() as w:
        await w.store.apply(service_put())
        await w.settled("Service", HELLO)
        await update(w, description="new words")
        await w.settled("Service", HELLO)
        assert await w.store.count("Revision", prefix=HELLO) == 1


async def test_a_deleted_service_takes_routes_revisions_and_instances_with_it() -> None:
    async with world() as w:
        await w.store.apply(service_put())
        service = await w.settled("Service", HELLO)
        await update(w, deleteTime="2026-01-02T00:00:00Z")
        await w.until(lambda: w.router.last(RouteGone) == RouteGone(HELLO))
        await w.until(lambda: w.engine.instances() == [])
        assert await w.store.get("Service", service.name) is None
        assert await w.store.count("Revision") == 0


async def test_a_restart_finds_the_service_and_its_instance() -> None:
    async with world(stop_instances=False) as before:
        await before.store.apply(service_put())
        await before.settled("Service", HELLO)
        [instance] = before.engine.instances()
    async with world(store=before.store, engine=before.engine) as after:
        [snapshot] = after.router.all(Snapshot)
        assert [up.instance for up in snapshot.instances] == [instance.id]
        assert [route.service for route in snapshot.routes] == [HELLO]
        assert [revision.queue_deadline for revision in snapshot.revisions] == [10]
        assert len(after.engine.started) == 1


async def test_a_service_has_the_address_at_which_homerun_listens_now() -> None:
    async with world(stop_instances=False) as before:
        await before.store.apply(service_put())
        old = (await before.settled("Service", HELLO)).body
        assert old["uri"].startswith("http://hello-1.r.run.localhost")
    async with world(store=before.store, engine=before.engine, https="127.0.0.1:8443", http="127.0.0.1:8081") as after:
        new = await after.get("Service", HELLO)
        assert (new.body["uri"], new.body["urls"]) == ("https://hello-1.r.run.localhost:8443", [new.body["uri"]])
        assert {**new.body, "uri": old["uri"], "urls": old["urls"]} == old
        [snapshot] = after.router.all(Snapshot)
        [route] = snapshot.routes
        assert route.access is not None
        assert route.access.audiences[:2] == [new.body["uri"], "http://hello-1.r.run.localhost:8081"]


async def test_a_crash_in_the_middle_of_a_deployment_is_finished_by_the_next_start() -> None:
    slow = "registry.test/slow:1"
    async with world({slow: Script(ready=30)}, stop_instances=False) as before:
        await before.store.apply(service_put(image=slow), operation_put("hello"))
        await before.until(lambda: before.engine.instances())
    async with world(store=before.store, engine=before.engine) as after:
        service = await after.settled("Service", HELLO)
        assert service.body["terminalCondition"]["state"] == conditions.SUCCEEDED
        assert len(after.engine.started) == 1


async def update(w, image: str = IMAGE, traffic=None, concurrency: int | None = None, **fields) -> None:  # type: ignore[no-untyped-def]
    """What the API does for a PATCH: a new generation with an operation."""
    document = await w.get("Service", HELLO)
    generation = int(document.body["generation"]) + 1
    put = service_put(image=image, generation=generation)
    template = {**document.body["template"], "containers": [{"image": image}]}
    if concurrency:
        template["maxInstanceRequestConcurrency"] = concurrency
    body = {**document.body, "generation": str(generation), "template": template, "reconciling": True, **fields}
    if traffic:
        body["traffic"] = traffic
    operations = [*document.internal["operations"], *put.internal["operations"]]
    put = type(put)("Service", HELLO, body, {**document.internal, "operations": operations})
    await w.store.apply(put, operation_put("hello", generation))


async def test_a_policy_reaches_the_routers_when_it_changes_and_a_new_router_at_once() -> None:
    async with world() as w:
        await w.store.apply(service_put(), operation_put("hello"))
        await w.settled("Service", HELLO)
        assert w.router.last(Snapshot).keys == KeySet(w.control.issuer.keys.pems())
        assert w.router.last(RouteSet).access.known is False
        for member, expected in (("allAuthenticatedUsers", True), ("user:ann@example.com", False)):
            bindings = [{"role": "roles/run.invoker", "members": [member]}]
            await w.store.apply(Put("Policy", HELLO, {"bindings": bindings}))
            await w.until(lambda expected=expected: w.router.last(RouteSet).access.known is expected, 1)
        again = FakeRouter(w.control)
        assert again.last(Snapshot).routes == [w.router.last(RouteSet)]
        await w.store.apply(Put("Policy", HELLO, {"bindings": [{"role": "roles/owner", "members": ["allUsers"]}]}))
        await w.until(lambda: w.router.last(RouteSet).access is None, 1)
        await w.store.apply(Delete("Policy", HELLO))
        await w.until(lambda: w.router.last(RouteSet).access is not None, 1)
        # A job's policy is none of the services' business.
        await w.store.apply(Put("Policy", f"{LOCATION}/jobs/hello", {"bindings": []}))
        await w.until(lambda: True)


async def test_on_a_full_disk_the_outcome_of_a_check_waits_until_it_can_be_written() -> None:
    store = FullStore()
    async with world({IMAGE: Script(ready=3)}, store=store) as w:
        await w.store.apply(service_put(), operation_put("hello"))
        await w.until(lambda: w.engine.started)
        store.full = True
        await asyncio.sleep(100)
        store.full = False
        service = await w.settled("Service", HELLO)
        assert service.body["terminalCondition"]["state"] == conditions.SUCCEEDED


async def test_a_watch_that_breaks_off_goes_on_where_it_was() -> None:
    class Brittle(MemoryStore):
        async def watch(self, since: int = 0, *, kinds: Any = None) -> AsyncIterator[Document]:  # type: ignore[override]
            async for document in super().watch(since, kinds=kinds):
                yield document
                raise Unavailable("the disk cannot be read")

    async with world(store=Brittle()) as w:
        for name in ("hello", "other"):
            await w.store.apply(service_put(name), operation_put(name))
            service = await w.settled("Service", f"{LOCATION}/services/{name}")
            assert service.body["terminalCondition"]["state"] == conditions.SUCCEEDED
