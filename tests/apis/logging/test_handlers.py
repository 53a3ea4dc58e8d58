"""entries:list, as gcloud and the client library ask."""

import asyncio
from typing import Any

import pytest

from tests.support.api import V2, Api, Refused, api

pytestmark = pytest.mark.looptime


async def read(a: Api, filter: str = "", **more: Any) -> Any:
    return await a("POST", "/v2/entries:list", {"resourceNames": ["projects/homerun"], "filter": filter, **more})


def texts(answer: Any) -> list[str]:
    return [entry["textPayload"] for entry in answer["entries"]]


async def busy(a: Api) -> None:
    """A service and a job of two tasks have written lines."""
    await a.deploy("hello")
    await a.create_job("work", tasks=2)
    await a.done(await a("POST", f"{V2}/jobs/work:run", {}))
    await asyncio.sleep(1)


JOB = (
    "resource.type = cloud_run_job \n AND resource.labels.job_name = work \n AND resource.labels.location = us-central1"
)


async def test_the_lines_of_a_job() -> None:
    async with api() as a:
        await busy(a)
        assert sorted(
            texts(await read(a, f'{JOB} \n AND severity >= DEFAULT AND timestamp>="2020-01-01T00:00:00Z"'))
        ) == [
            "no",
            "no",
            "working",
            "working",
        ]
        assert texts(await read(a, f"{JOB} severity>=ERROR")) == ["no", "no"]
        assert texts(await read(a, JOB.replace("us-central1", "elsewhere"))) == []


async def test_the_lines_of_a_service() -> None:
    async with api() as a:
        await busy(a)
        filter = "resource.type=cloud_run_revision AND resource.labels.service_name=hello"
        own = f"{filter} AND log_id(run.googleapis.com/stdout)"
        assert texts(await read(a, own)) == ["listening"]
        assert texts(await read(a, f"{own} AND resource.labels.location=us-central1")) == ["listening"]
        platform = texts(await read(a, f"{filter} AND log_id(run.googleapis.com/varlog/system)"))
        assert [text.partition(" - ")[0] for text in platform] == [
            "Starting new instance. Reason: DEPLOYMENT_ROLLOUT",
            'Default STARTUP TCP probe succeeded after 1 attempt for container "hello-1" on port 8080.',
        ]


async def test_the_lines_of_one_execution() -> None:
    async with api() as a:
        await busy(a)
        name = (await a("GET", f"{V2}/jobs/work/executions"))["executions"][0]["name"].rpartition("/")[2]
        assert len(texts(await read(a, f'labels."run.googleapis.com/execution_name" = {name}'))) == 4
        assert texts(await read(a, 'labels."run.googleapis.com/execution_name" = other')) == []


async def test_order_and_pages() -> None:
    async with api() as a:
        await busy(a)
        down = [entry["timestamp"] for entry in (await read(a, orderBy="timestamp desc"))["entries"]]
        assert down == sorted(down, reverse=True)
        seen, token = [], ""
        while True:
            answer = await read(a, JOB, pageSize=3, pageToken=token)
            seen += [entry["insertId"] for entry in answer["entries"]]
            token = answer.get("nextPageToken", "")
            if not token:
                break
        assert len(seen) == len(set(seen)) == 4


async def test_another_project_sees_nothing() -> None:
    async with api() as a:
        await busy(a)
        assert (await read(a, resourceNames=["projects/other"]))["entries"] == []
        assert len((await read(a, resourceNames=["projects/100000000001"]))["entries"]) == 7


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"resourceNames": []}, "resourceNames"),
        ({"resourceNames": ["folders/1"]}, "resourceNames"),
        ({"filter": "a ="}, "filter"),
        ({"filter": 'timestamp >= "noon"'}, "filter"),
        ({"orderBy": "severity"}, "orderBy"),
        ({"pageSize": -1}, "pageSize"),
        ({"pageToken": "nonsense"}, "pageToken"),
        ([], "body"),
    ],
)
async def test_what_is_wrong_is_named(body: Any, field: str) -> None:
    async with api() as a:
        sent = {"resourceNames": ["projects/homerun"], **body} if isinstance(body, dict) else body
        with pytest.raises(Refused) as caught:
            await a("POST", "/v2/entries:list", sent)
        assert caught.value.fields == [field]


async def test_the_lines_of_a_worker_pool_as_gcloud_asks_for_them() -> None:
    async with api() as a:
        await busy(a)
        await a.deploy_pool("hello")
        filter = (
            "resource.type = cloud_run_worker_pool \n AND resource.labels.worker_pool_name = hello \n "
            "AND resource.labels.location = us-central1 \n AND severity >= DEFAULT"
        )
        found = (await read(a, filter))["entries"]
        assert {entry["resource"]["type"] for entry in found} == {"cloud_run_worker_pool"}
        assert texts({"entries": found}) == ["listening"]


@pytest.mark.parametrize(
    ("body", "count"),
    [
        # as google-cloud-logging sends them, and the filters of gcloud's and Google's documentation
        (
            {
                "filter": 'severity>=ERROR AND timestamp>="2020-11-23T15:41:05.236432+0000"',
                "orderBy": "timestamp desc",
                "pageSize": 10,
            },
            2,
        ),
        ({"filter": "logName=projects/homerun/logs/run.googleapis.com%2Fstdout AND severity=DEFAULT"}, 3),
        ({"resourceNames": ["projects/homerun/locations/global/buckets/_Default/views/_AllLogs"]}, 7),
        ({"filter": 'timestamp<="2015-05-31T23:59:59Z" AND timestamp>="2015-05-31T00:00:00Z"'}, 0),
        ({"filter": 'log_id("run.googleapis.com/stdout") resource.labels.job_name=work -severity=ERROR'}, 2),
        ({"filter": 'resource.type = ("cloud_run_job" OR "cloud_run_revision")\nSEARCH("listening")'}, 1),
        ({"projectIds": ["homerun"], "resourceNames": []}, 7),
    ],
)
async def test_requests_of_other_clients(body: dict[str, Any], count: int) -> None:
    async with api() as a:
        await busy(a)
        sent = {"resourceNames": ["projects/homerun"], **body}
        answer = await a("POST", "/v2/entries:list?prettyPrint=false", sent)
        assert len(answer.get("entries", [])) == count


@pytest.mark.parametrize("names", [["folders/1"], ["organizations/1"], []])
async def test_only_projects_have_logs_here(names: list[str]) -> None:
    async with api() as a:
        with pytest.raises(Refused) as caught:
            await a("POST", "/v2/entries:list", {"resourceNames": names})
        assert caught.value.fields == ["resourceNames"]


MINE = "projects/homerun/logs/mine"


async def test_entries_that_a_program_writes_are_read_like_all_others() -> None:
    async with api() as a:
        await a(
            "POST",
            "/v2/entries:write",
            {
                "logName": MINE,
                "resource": {"type": "cloud_run_job", "labels": {"job_name": "work"}},
                "labels": {"by": "all", "own": "no"},
                "entries": [
                    {"textPayload": "first", "severity": "WARNING", "labels": {"own": "yes"}},
                    {
                        "jsonPayload": {"message": "second", "n": 2},
                        "insertId": "mine",
                        "trace": "projects/homerun/traces/t",
                    },
                    {"textPayload": "past", "timestamp": "2020-01-01T00:00:00Z", "logName": f"{MINE}%2Fother"},
                ],
            },
        )
        past, first, second = (await read(a))["entries"]
        assert (first["severity"], first["labels"]) == ("WARNING", {"by": "all", "own": "yes"})
        assert first["resource"] == {"type": "cloud_run_job", "labels": {"project_id": "homerun", "job_name": "work"}}
        assert (second["jsonPayload"], second["insertId"]) == ({"message": "second", "n": 2}, "mine")
        assert second["trace"] == "projects/homerun/traces/t"
        assert (past["timestamp"], past["logName"]) == ("2020-01-01T00:00:00.000000Z", f"{MINE}%2Fother")
        assert past["receiveTimestamp"] > past["timestamp"]
        assert texts(await read(a, "resource.labels.job_name=work severity>=WARNING")) == ["first"]
        assert (await read(a, "SEARCH(second)"))["entries"] == [second]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "entries"),
        ({"entries": [{"textPayload": "x"}]}, "entries[0].logName"),
        ({"entries": [{"logName": "mine", "textPayload": "x"}]}, "entries[0].logName"),
        ({"entries": [{"logName": "folders/f/logs/l", "textPayload": "x"}]}, "entries[0].logName"),
        ({"entries": [{"logName": MINE, "severity": "LOUD"}]}, "entries[0].severity"),
        ({"entries": [{"logName": MINE, "textPayload": "x" * (256 << 10)}]}, "entries[0]"),
        ({"entries": [{"logName": MINE}] * 1001}, "entries"),
    ],
)
async def test_what_cannot_be_written_is_named_and_nothing_is(body: Any, field: str) -> None:
    async with api() as a:
        good = {"logName": MINE, "textPayload": "good"}
        sent = {**body, "entries": [*body["entries"], good]} if body else body
        with pytest.raises(Refused) as caught:
            await a("POST", "/v2/entries:write", sent)
        assert caught.value.fields == [field]
        assert (await read(a))["entries"] == []
        if body and len(body["entries"]) == 1:
            with pytest.raises(Refused):
                await a("POST", "/v2/entries:write", {**sent, "partialSuccess": True})
            assert texts(await read(a)) == ["good"]


async def test_a_dry_run_writes_nothing() -> None:
    async with api() as a:
        entries = [{"logName": MINE, "textPayload": "x"}]
        assert await a("POST", "/v2/entries:write", {"entries": entries, "dryRun": True}) == {}
        assert (await read(a))["entries"] == []


async def test_logs_are_listed_by_name_and_can_be_deleted() -> None:
    async with api() as a:
        await busy(a)
        await a("POST", "/v2/entries:write", {"logName": MINE, "entries": [{"textPayload": "x"}]})
        logs = [f"projects/homerun/logs/{log}" for log in ("mine", "run.googleapis.com%2Fstdout")]
        logs.append("projects/homerun/logs/run.googleapis.com%2Fvarlog%2Fsystem")
        assert await a("GET", "/v2/projects/homerun/logs") == {"logNames": logs}
        first = await a("GET", "/v2/projects/homerun/logs?pageSize=2")
        assert first["logNames"] == logs[:2]
        rest = await a("GET", f"/v2/projects/homerun/logs?pageSize=2&pageToken={first['nextPageToken']}")
        assert rest == {"logNames": logs[2:]}
        assert await a("DELETE", f"/v2/{logs[0]}") == {}
        assert (await read(a, f'logName="{MINE}"'))["entries"] == []
        assert len((await read(a))["entries"]) == 7
        with pytest.raises(Refused, match="NOT_FOUND"):
            await a("DELETE", "/v2/projects/homerun/logs/none")


async def test_resource_types_are_those_of_cloud_run() -> None:
    async with api() as a:
        found = (await a("GET", "/v2/monitoredResourceDescriptors"))["resourceDescriptors"]
        assert [each["type"] for each in found] == ["cloud_run_revision", "cloud_run_job", "cloud_run_worker_pool"]


async def test_pages_stay_right_while_more_is_written() -> None:
    async with api() as a:
        for start in range(0, 9, 3):
            entries = [{"textPayload": str(start + n), "timestamp": f"2026-01-01T00:00:0{n}Z"} for n in range(3)]
            await a("POST", "/v2/entries:write", {"logName": MINE, "entries": entries})
        seen, token = [], ""
        while True:
            answer = await read(a, orderBy="timestamp desc", pageSize=2, pageToken=token)
            seen += texts(answer)
            entry = {"textPayload": "new", "timestamp": "2026-01-02T00:00:00Z"}
            await a("POST", "/v2/entries:write", {"logName": MINE, "entries": [entry]})
            if not (token := answer.get("nextPageToken", "")):
                break
        assert seen == ["8", "5", "2", "7", "4", "1", "6", "3", "0"]


async def test_several_projects_are_read_together() -> None:
    async with api() as a:
        for number, project in enumerate(["one", "two", "one", "two"]):
            entry = {"textPayload": str(number), "timestamp": f"2026-01-01T00:00:0{number}Z"}
            await a("POST", "/v2/entries:write", {"logName": f"projects/{project}/logs/x", "entries": [entry]})
        names = ["projects/one", "projects/two"]
        answer = await read(a, resourceNames=names, pageSize=3)
        assert texts(answer) == ["0", "1", "2"]
        assert texts(await read(a, resourceNames=names, pageSize=3, pageToken=answer["nextPageToken"])) == ["3"]
