"""The metadata server as an ASGI application (contract §1.14). Who asks is known by the address from which they do.

A container that fetches URLs for strangers must not be a way to its tokens. So, as Google's server does: only requests
with a header that no such fetch adds, under one of the server's own names, and none that came through a proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from starlette.types import Receive, Scope, Send

from homerun.apis.identity.issuer import Issuer
from homerun.apis.metadata.tokens import Tokens
from homerun.apis.metadata.tree import MADE, Identity, Node, as_json, as_text, find, listing, tree
from homerun.core.pace import Pace
from homerun.engine.base import InstanceState
from homerun.lib.clock import Clock
from homerun.model.project import Projects

NAMES = frozenset(("metadata.google.internal", "metadata.google.internal.", "metadata", "169.254.169.254"))
ROOT = "/computeMetadata/v1"
TEXT, JSON = "application/text", "application/json"
BURST = 2.0
"""Seconds of work for one instance after a pause; the costs below are counted against them."""
CHEAP, SIGNED = 1 / 2000, 1 / 50
"""Seconds that an answer counts as: one instance gets so many in a second, at most, and control has time for others."""


@dataclass(frozen=True, slots=True)
class Answer:
    body: str
    status: int = 200
    type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(message + "\n", status, "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Question:
    """`path`: the names below ROOT. `folder`: it ends with a slash."""

    host: str
    path: list[str]
    folder: bool
    query: dict[str, str]

    def asks(self, name: str) -> bool:
        return self.query.get(name, "").lower() == "true"


class MetadataServer:
    """`instance_at`: which instance speaks from an address."""

    def __init__(
        self, instance_at: Callable[[str], InstanceState | None], issuer: Issuer, clock: Clock, projects: Projects
    ) -> None:
        self._instance_at, self._clock, self._projects = instance_at, clock, projects
        self.tokens = Tokens(issuer)
        self._pace = Pace(BURST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except Refused as refused:
            answer = refused.answer
        await _send(answer, send, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = _admit(scope["method"], headers)
        path = scope["path"]
        if path in ("", "/"):
            # Some clients find out by this, without the header, whether they are on Google Cloud.
            return Answer("computeMetadata/\n")
        if headers.get("metadata-flavor", "").lower() != "google":
            raise Refused(403, "Missing Metadata-Flavor:Google header.")
        state = self._instance_at(scope["client"][0] if scope.get("client") else "")
        who = Identity.of(state, self._projects) if state is not None else None
        if who is None:
            raise Refused(403, "Only instances of homerun are answered, and this request comes from none.")
        question = _question(host, path, scope["query_string"].decode("latin-1"))
        signed = self.tokens.signed
        answer = self._find(who, question)
        await self._slow_down(who, SIGNED if self.tokens.signed != signed else CHEAP)
        return await _awaited(answer, question, receive)

    async def _slow_down(self, who: Identity, cost: float) -> None:
        if wait := self._pace.wait(who.instance, cost, self._clock.mono()):
            await asyncio.sleep(wait)

    def _find(self, who: Identity, question: Question) -> Answer:
        node = find(tree(who), question.path)
        if node is None or (question.folder and not isinstance(node, Mapping)):
            raise Refused(404, f"{'/'.join(question.path)} is not defined here; {ROOT}/?recursive=true lists what is.")
        if node is MADE:
            return self._token(who, question) if question.path[-1] == "token" else self._identity(who, question)
        if isinstance(node, Mapping) and not question.folder:
            query = f"?{urlencode(question.query)}" if question.query else ""
            path = "".join(f"/{name}" for name in question.path)
            return Answer("", 301, headers={"location": f"http://{question.host}{ROOT}{path}/{query}"})
        return _written(node, question)

    def _token(self, who: Identity, question: Question) -> Answer:
        """`scopes` are taken note of by nobody: what the account may do, policies say."""
        now = self._clock.now()
        token = self.tokens.access(who.account, now)
        left = int(token.expires - now)
        made = {"access_token": token.text, "expires_in": left, "token_type": "Bearer"}
        return Answer(json.dumps(made, separators=(",", ":")), type=JSON)

    def _identity(self, who: Identity, question: Question) -> Answer:
        audience = question.query.get("audience", "")
        if not audience:
            raise Refused(400, "non-empty audience parameter required: ?audience=URL of the service to be called")
        full = question.query.get("format", "").lower() == "full"
        token = self.tokens.identity(who.account, audience, self._clock.now(), full=full).text
        return Answer(json.dumps(token), type=JSON) if question.query.get("alt") == "json" else Answer(token)


def _admit(method: str, headers: Mapping[str, str]) -> str:
    """Returns the Host. Raises Refused."""
    if method not in ("GET", "HEAD"):
        raise Refused(405, f"The metadata server answers GET only, not {method}.")
    if "x-forwarded-for" in headers:
        raise Refused(403, "The request has come through a proxy (X-Forwarded-For), and those are not answered.")
    host = headers.get("host", "")
    if host.removesuffix(":80").lower() not in NAMES:
        raise Refused(403, f"Host {host!r} is not a name of the metadata server: use metadata.google.internal.")
    return host


def _question(host: str, path: str, query: str) -> Question:
    if path != ROOT and not path.startswith(f"{ROOT}/"):
        raise Refused(404, f"{path} is not defined here: everything is below {ROOT}/.")
    values = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    names = path.removeprefix(ROOT).strip("/")
    return Question(host, names.split("/") if names else [], path.endswith("/"), values)


def _written(node: Node, question: Question) -> Answer:
    form = question.query.get("alt", "")
    if isinstance(node, Mapping):
        if not question.asks("recursive"):
            names = [name + "/" * isinstance(child, Mapping) for name, child in node.items()]
            return Answer(json.dumps(names), type=JSON) if form == "json" else Answer(listing(node))
        return Answer(as_text(node)) if form == "text" else Answer(as_json(node), type=JSON)
    return Answer(as_json(node), type=JSON) if form == "json" else Answer(as_text(node))


async def _awaited(answer: Answer, question: Question, receive: Receive) -> Answer:
    """Nothing about an instance ever changes: who waits for a change waits until their time is over, or they leave."""
    tag = hashlib.sha256(answer.body.encode()).hexdigest()[:16]
    if question.asks("wait_for_change") and question.query.get("last_etag") in (None, tag):
        try:
            seconds = float(question.query["timeout_sec"]) if "timeout_sec" in question.query else None
        except ValueError:
            raise Refused(400, f"timeout_sec is no number: {question.query['timeout_sec']!r}") from None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await receive())["type"] != "http.disconnect":
                    pass
    return Answer(answer.body, answer.status, answer.type, {**answer.headers, "etag": tag})


async def _send(answer: Answer, send: Send, *, head: bool) -> None:
    body = answer.body.encode()
    headers = {
        "metadata-flavor": "Google",
        "content-type": answer.type,
        "content-length": str(len(body)),
        "x-content-type-options": "nosniff",
        **answer.headers,
    }
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if head else body})
