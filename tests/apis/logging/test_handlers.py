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
