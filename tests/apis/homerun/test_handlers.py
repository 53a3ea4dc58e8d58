import json
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

import pytest
from starlette.applications import Starlette

from homerun.apis.homerun.handlers import IN_MEMORY, routes
from homerun.apis.homerun.insight import BillView, BuildEvent, ExecutionView, Info, ProgressView, ServiceView, Span
from homerun.lib.errors import FailedPrecondition, Invalid, NotFound
from tests.support.asgi import call

COST = {"vcpuSeconds": 1.5, "gibSeconds": 0.75, "requests": 3, "billableSeconds": 1.5, "usd": 0.00004}
LOCATION = "/homerun/v1/projects/p/locations/l"


class Fake:
    """An Insight that knows one service and one execution, and builds what it is told to."""

    def __init__(self) -> None:
        self.stopping = False
        self.archive = b""
        self.built = ""
        self.open: BinaryIO | None = None
        self.failure: Exception | None = None

    def info(self) -> Info:
        return {
            "version": "1",
            "project": "p",
            "projectNumber": "7",
            "region": "l",
            "api": "127.0.0.1:1",
            "http": "127.0.0.1:2",
            "domain": "run.localhost",
            "environment": {"A": "b"},
        }

    async def explain_service(self, name: str) -> ServiceView:
        if name != "projects/p/locations/l/services/hello":
            raise NotFound(name)
        return {"instances": [], "decisions": [], "timeline": [], "cost": COST}  # type: ignore[typeddict-item]

    async def explain_worker_pool(self, name: str) -> ServiceView:
        if name != "projects/p/locations/l/workerPools/crew":
            raise NotFound(name)
        return await self.explain_service("projects/p/locations/l/services/hello")

    async def explain_execution(
        self, name: str, tasks: int = 0, moments: int = 0, one: int | None = None
    ) -> ExecutionView:
        if name != "projects/p/locations/l/jobs/j/executions/j-abcde":
            raise NotFound(name)
        told = [{"time": "t", "what": f"{name} {tasks} {moments} {one}"}]
        return {"tasks": [], "timeline": told, "cost": COST}  # type: ignore[typeddict-item]

    async def execution_progress(self, name: str) -> ProgressView:
        return {"counts": {"Running": 1}, "waiting": name}  # type: ignore[typeddict-item]

    async def bill(self, span: Span) -> BillView:
        self.span = span
        return {"rows": []}  # type: ignore[typeddict-item]

    async def metrics(self) -> AsyncIterator[str]:
        yield "# TYPE a gauge\n"
        yield "a 1\n"

    async def build(self, name: str, archive: BinaryIO) -> AsyncIterator[BuildEvent]:
        self.open, self.built = archive, name
        yield {"log": "STEP 1"}
        self.archive = archive.read()
        if self.failure:
            raise self.failure
        yield {"image": f"localhost/{name}:1"}

    def shutdown(self) -> None:
        self.stopping = True


@pytest.fixture
def insight() -> Fake:
    return Fake()


@pytest.fixture
def app(insight: Fake) -> Starlette:
    return Starlette(routes=list(routes(insight, max_archive=IN_MEMORY + 1000)))


def events(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


async def test_metrics_are_text_that_says_which_version_it_is(app: Starlette) -> None:
    answer = await call(app, "GET", "/homerun/v1/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.body == b"# TYPE a gauge\na 1\n"


async def test_info_is_what_the_daemon_says(app: Starlette, insight: Fake) -> None:
    answer = await call(app, "GET", "/homerun/v1/info")
    assert (answer.status, answer.json()) == (200, insight.info())


async def test_a_service_is_explained_by_its_full_name(app: Starlette) -> None:
    answer = await call(app, "GET", f"{LOCATION}/services/hello:explain")
    assert answer.json()["cost"] == COST


async def test_a_worker_pool_is_explained_by_its_full_name(app: Starlette) -> None:
    answer = await call(app, "GET", f"{LOCATION}/workerPools/crew:explain")
    assert (answer.status, answer.json()["cost"]) == (200, COST)


async def test_an_execution_is_explained_by_its_full_name(app: Starlette) -> None:
    answer = await call(app, "GET", f"{LOCATION}/jobs/j/executions/j-abcde:explain")
    assert answer.json()["timeline"][0]["what"] == "projects/p/locations/l/jobs/j/executions/j-abcde 0 0 None"


async def test_of_an_execution_with_many_tasks_a_part_can_be_asked_for(app: Starlette) -> None:
    path = f"{LOCATION}/jobs/j/executions/j-abcde:explain"
    answer = await call(app, "GET", f"{path}?tasks=50&moments=20&task=0")
    assert answer.json()["timeline"][0]["what"].endswith("j-abcde 50 20 0")
    with pytest.raises(Invalid, match="tasks"):
        await call(app, "GET", f"{path}?tasks=-1")


async def test_the_progress_of_an_execution_is_told_by_its_full_name(app: Starlette) -> None:
    answer = await call(app, "GET", f"{LOCATION}/jobs/j/executions/j-abcde:progress")
    assert answer.json()["waiting"] == "projects/p/locations/l/jobs/j/executions/j-abcde"


async def test_what_is_not_there_is_left_to_the_server_to_answer(app: Starlette) -> None:
    with pytest.raises(NotFound):
        await call(app, "GET", f"{LOCATION}/services/other:explain")


async def test_a_bill_is_for_the_days_and_rows_that_one_asks_for(app: Starlette, insight: Fake) -> None:
    assert (await call(app, "GET", "/homerun/v1/bill")).json() == {"rows": []}
    assert insight.span == Span()
    await call(app, "GET", "/homerun/v1/bill?since=2026-11-01&until=2026-12-01&by=day&minimum=false")
    assert insight.span == Span("2026-11-01", "2026-12-01", "day", minimum=False)


@pytest.mark.parametrize("query", ["by=hour", "minimum=no", "from=2026-11-01"])
async def test_what_no_bill_has_is_refused_by_its_name(app: Starlette, query: str) -> None:
    with pytest.raises(Invalid, match=query.partition("=")[0]):
        await call(app, "GET", f"/homerun/v1/bill?{query}")


async def test_shutdown_takes_a_post_only(app: Starlette, insight: Fake) -> None:
    assert (await call(app, "GET", "/homerun/v1:shutdown")).status == 405
    assert not insight.stopping
    assert (await call(app, "POST", "/homerun/v1:shutdown")).status == 200
    assert insight.stopping


@pytest.mark.parametrize("size", [0, 5, IN_MEMORY + 999])
async def test_a_build_gets_the_whole_archive_and_streams_its_events(app: Starlette, insight: Fake, size: int) -> None:
    sent = bytes(i % 251 for i in range(1000)) * (size // 1000) + b"x" * (size % 1000)
    answer = await call(app, "POST", f"{LOCATION}/builds?name=hello", sent)
    assert insight.archive == sent
    assert events(answer.body) == [{"log": "STEP 1"}, {"image": "localhost/hello:1"}]
    assert answer.headers["content-type"] == "application/x-ndjson"


async def test_the_archive_is_closed_when_the_build_is_over(app: Starlette, insight: Fake) -> None:
    await call(app, "POST", f"{LOCATION}/builds?name=hello", b"x")
    assert insight.open is not None and insight.open.closed


async def test_a_build_that_fails_ends_with_the_error(app: Starlette, insight: Fake) -> None:
    insight.failure = FailedPrecondition("step 3 exited with 1")
    answer = await call(app, "POST", f"{LOCATION}/builds?name=hello", b"x")
    error = {"code": 400, "message": "step 3 exited with 1", "status": "FAILED_PRECONDITION"}
    assert events(answer.body) == [{"log": "STEP 1"}, {"error": error}]


async def test_an_archive_over_the_limit_is_refused_before_anything_is_built(app: Starlette, insight: Fake) -> None:
    with pytest.raises(Invalid, match="over 8389608 bytes"):
        await call(app, "POST", f"{LOCATION}/builds?name=hello", b"x" * (IN_MEMORY + 1001))
    assert insight.built == ""


@pytest.mark.parametrize("query", ["", "?name=", "?name=Hello", "?name=a/b", "?name=..", "?name=a%20b", "?name=-a"])
async def test_a_name_that_no_image_can_have_is_refused(app: Starlette, insight: Fake, query: str) -> None:
    with pytest.raises(Invalid) as caught:
        await call(app, "POST", f"{LOCATION}/builds{query}", b"x")
    assert caught.value.violations[0].field == "name"
    assert insight.built == ""


async def test_a_bug_in_a_build_is_still_an_error_at_the_end(app: Starlette, insight: Fake) -> None:
    insight.failure = ZeroDivisionError("secret")
    answer = await call(app, "POST", f"{LOCATION}/builds?name=hello", b"x")
    error = events(answer.body)[-1]["error"]
    assert (error["status"], "ZeroDivisionError" in error["message"]) == ("INTERNAL", True)
