"""Buckets over the extension API: made, listed and deleted by name, until there is a storage API to do it.

`{"name": "data", "folder": "/var/lib/homerun/buckets/data"}`; objects are plain files in the folder.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from homerun.apis.homerun.handlers import PREFIX
from homerun.lib.errors import Invalid
from homerun.model.volume_rules import BUCKET_NAME
from homerun.store.bucket_folders import BucketFolders


def routes(buckets: BucketFolders) -> list[Route]:
    def view(name: str) -> dict[str, str]:
        return {"name": name, "folder": str(buckets.path(name))}

    async def list_(request: Request) -> Response:
        return JSONResponse({"buckets": [view(name) for name in await run_in_threadpool(buckets.list)]})

    async def create(request: Request) -> Response:
        name = _name(request)
        await run_in_threadpool(buckets.create, name)
        return JSONResponse(view(name))

    async def delete(request: Request) -> Response:
        await run_in_threadpool(buckets.delete, _name(request))
        return JSONResponse({})

    return [
        Route(f"{PREFIX}/buckets", list_, methods=["GET"]),
        Route(f"{PREFIX}/buckets/{{bucket}}", create, methods=["POST"]),
        Route(f"{PREFIX}/buckets/{{bucket}}", delete, methods=["DELETE"]),
    ]


def _name(request: Request) -> str:
    name: str = request.path_params["bucket"]
    if complaint := BUCKET_NAME.complaint(name):
        raise Invalid.field("bucket", complaint)
    return name
