"""REST: a request becomes a Call of the published method that its path means, the answer becomes JSON.

Handlers are plain functions from Call to JSON, by method id, so that they serve other transports as well. A published
method without a handler answers 501 and says what to do instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from homerun.apis.absent import why
from homerun.apis.access import THE_OWNER, Caller, caller_of
from homerun.lib.errors import HomerunError, Invalid, NotFound, Unimplemented, Violation
from homerun.model.limits import REQUEST_BODY
from homerun.wire.discovery import Method, description
from homerun.wire.rest import Router

_SNAKE = re.compile(r"_([a-z0-9])")


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `variables` are those of the path; `body` is JSON, {} when there was none; `host` lower case."""

    method: Method
    variables: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = field(default_factory=dict)
    host: str = ""
    caller: Caller = THE_OWNER

    def flag(self, name: str) -> bool:
        """A boolean query parameter. Raises Invalid."""
        text = self.query.get(name, "")
        if text.lower() not in ("", "true", "false", "1", "0"):
            raise Invalid.field(name, f"must be true or false, and is {text!r}")
        return text.lower() in ("true", "1")


Handler = Callable[[Call], Awaitable[Any]]


class TooLarge(HomerunError):
    code, status, http = 11, "OUT_OF_RANGE", 413


class RestApp:
    """An ASGI application for the methods of one or more published APIs."""

    def __init__(self) -> None:
        self._router: Router[tuple[Method, Handler]] = Router()

    def mount(self, api: str, handlers: Mapping[str, Handler], *, but: Collection[str] = ()) -> None:
        """`api`: a description, `run.v2`; `handlers` by method id; `but`: methods whose paths are another API's."""
        methods = description(api).methods
        unknown = handlers.keys() - methods.keys()
        if unknown:
            raise ValueError(f"{api} has no methods {', '.join(sorted(unknown))}")
        for method in (method for method in methods.values() if method.id not in but):
            self._router.add(method.verb, method.path, (method, handlers.get(method.id, _unimplemented)))

    def add(self, method: Method, handler: Handler) -> None:
        """A method that is in no description."""
        self._router.add(method.verb, method.path, (method, handler))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await self._answer(request)
        await Response(msgspec.json.encode(answer), media_type="application/json")(scope, receive, send)

    async def _answer(self, request: Request) -> Any:
        raw_path = request.scope.get("raw_path") or request.url.path.encode()
        path = raw_path.decode("latin-1").partition("?")[0]
        match = self._router.match(request.method, path)
        if match is None:
            raise NotFound(self._no_such(request.method, path))
        method, handler = match.target
        query = _query(method, request)
        body = await read_json(request)
        host = request.headers.get("host", "").lower()
        return await handler(Call(method, match.variables, query, body, host, caller_of(request.scope)))

    def _no_such(self, http_method: str, path: str) -> str:
        methods = self._router.methods(path)
        if methods:
            return f"{path} takes {', '.join(methods)}, not {http_method}"
        return f"The requested URL {path} was not found on this server: no published method has such a path"


def _query(method: Method, request: Request) -> dict[str, str]:
    """By the published names; snake_case is taken as well. Raises Invalid: a misspelt `validateOnly` must not act."""
    known, query = method.parameters, dict(request.query_params)
    if known is None:
        return query
    named = {key if key in known else _SNAKE.sub(lambda m: m[1].upper(), key): value for key, value in query.items()}
    unknown = [key for key in named if key not in known and not key.startswith("$")]
    if unknown:
        violations = [Violation(key, f"Unknown name {key!r}: {method.id} has no such parameter") for key in unknown]
        raise Invalid("; ".join(violation.description for violation in violations), violations)
    return named


async def read_json(request: Request) -> Any:
    """The body, {} when there is none. Raises Invalid, TooLarge."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > REQUEST_BODY:
            raise TooLarge(f"the body of a request may have at most {REQUEST_BODY} bytes")
        chunks.append(chunk)
    text = b"".join(chunks)
    if not text.strip():
        return {}
    try:
        value = json.loads(text.decode(), parse_constant=_no_constant)
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Invalid("the body has half a character in it (a lone surrogate, \\ud800 to \\udfff)") from None
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the body is no valid JSON: {error}") from None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


async def _unimplemented(call: Call) -> Any:
    raise Unimplemented(f"homerun does not have {call.method.id}: {why(call.method.id)}")
