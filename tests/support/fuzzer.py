"""Drives the whole REST surface with requests made from the published descriptions: right, almost right, and junk.

Why not schemathesis: it draws each request from strategies over schemas as deep as Cloud Run's, which takes longer than
the request itself (10,000 must fit into a CI run); it knows no virtual time, so an operation that waits would wait; and
it has no view of the store, where most of what can go wrong shows only afterwards. What it would have added, links
between operations, is here `Memory`: names, tokens and whole resources of earlier answers go into later requests.

Several clients send at the same time, in virtual time, so that reads, writes and controllers interleave.
"""

from __future__ import annotations

import asyncio
import json
import traceback
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

from tests.support.api import Api
from tests.support.asgi import Answer, call
from tests.support.junk import TEXTS, Junk, encoded
from tests.support.samples import Samples
from tests.support.surface import Operation, complaints, operations

CLIENTS = 6
PATIENCE = 1000
"""Virtual seconds that a request may take: the longest `:wait` is 300."""
LARGEST_ERROR = 100_000
EXTENSION = [
    Operation("", "homerun.info", "GET", "homerun/v1/info"),
    Operation("", "homerun.explain", "GET",
              "homerun/v1/projects/{projectsId}/locations/{locationsId}/services/{servicesId}:explain"),
    Operation("", "homerun.explain", "GET",
              "homerun/v1/projects/{projectsId}/locations/{locationsId}/jobs/{jobsId}/executions/{executionsId}:explain"),
]  # fmt: skip
STARTING_IDS = {"services": "s", "jobs": "j", "workerPools": "w"}
WRITING = ("create", "patch", "run", "replaceService", "replaceJob", "replaceWorkerPool")
SEPARATORS = ("//", "/./", "/../", "%2F", "/%00/")
OTHER_VERBS = ("PUT", "HEAD", "OPTIONS", "X")


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.url} {self.body[:3000].decode('utf-8', 'replace')}"


@dataclass
class Memory:
    """What earlier answers taught: ids by collection, whole resources by schema, page tokens, etags."""

    ids: dict[str, deque[str]] = field(default_factory=dict)
    resources: dict[str, deque[Any]] = field(default_factory=dict)
    tokens: deque[str] = field(default_factory=lambda: deque(maxlen=30))
    etags: deque[str] = field(default_factory=lambda: deque(maxlen=30))

    def learn(self, schema: str, value: Any) -> None:
        if schema and isinstance(value, dict):
            self.resources.setdefault(schema, deque(maxlen=20)).append(value)
        self._harvest(value)

    def _harvest(self, value: Any) -> None:
        if isinstance(value, list):
            for item in value[:5]:
                self._harvest(item)
        if not isinstance(value, dict):
            return
        if isinstance(name := value.get("name"), str) and name.startswith("projects/"):
            parts = name.split("/")
            for collection, id in zip(parts[::2], parts[1::2], strict=False):
                self.remember(collection, id)
        if isinstance(kind := value.get("kind"), str) and isinstance(value.get("metadata"), dict):
            self.remember(f"{kind.lower()}s", value["metadata"].get("name", ""))
        if operation := value.get("metadata", {}).get("annotations", {}).get("run.googleapis.com/operation-id"):
            self.remember("operations", operation)
        for key in ("nextPageToken", "continue"):
            if token := value.get(key):
                self.tokens.append(token)
        for key in ("etag", "resourceVersion"):
            if etag := value.get(key):
                self.etags.append(etag)
        for item in value.values():
            self._harvest(item)

    def remember(self, collection: str, id: str) -> None:
        if collection not in ("projects", "locations") and id:
            self.ids.setdefault(collection, deque(maxlen=40)).append(id)


class Fuzzer:
    """`findings`: what must not happen and did, each once. `counts`: answers by status."""

    def __init__(self, api: Api, seed: int) -> None:
        self._api = api
        self._random = Random(seed)
        self._junk, self._samples, self._memory = Junk(self._random), Samples(self._random), Memory()
        self._operations = _surface()
        self._left = 0
        self.findings: dict[str, str] = {}
        self.counts: Counter[int] = Counter()
        self.reached: set[str] = set()
        """Methods that have answered 200."""
        self._absent: set[str] = set()

    async def run(self, requests: int) -> None:
        self._left = requests
        await asyncio.gather(*(self._client() for _ in range(CLIENTS)))

    async def _client(self) -> None:
        while self._left > 0:
            self._left -= 1
            operation = self._operation()
            request = self._request(operation)
            try:
                async with asyncio.timeout(PATIENCE):
                    answer = await call(
                        self._api.app, request.method, request.url, request.body, {"content-type": "application/json"}
                    )
            except TimeoutError:
                self._found(operation, "no answer", request)
            except Exception as error:
                frame = traceback.extract_tb(error.__traceback__)[-1]
                self._found(operation, f"{type(error).__name__} at {frame.name}:{frame.lineno}: {error}", request)
            else:
                self.counts[answer.status] += 1
                for problem in self._judge(operation, answer):
                    self._found(operation, problem, request)

    def _operation(self) -> Operation:
        """Those that are not implemented answer the same to everything: rarely."""
        operation = self._random.choice(self._operations)
        while operation.id in self._absent and self._random.random() < 0.95:
            operation = self._random.choice(self._operations)
        return operation

    def _found(self, operation: Operation, problem: str, request: Request) -> None:
        self.findings.setdefault(f"{operation.id}: {problem[:300]}", str(request))

    # Requests

    def _request(self, operation: Operation) -> Request:
        path = operation.path
        for variable in operation.variables:
            path = path.replace(f"{{{variable}}}", self._path_value(variable), 1)
        if self._random.random() < 0.01:
            path = path.replace("/", self._random.choice(SEPARATORS), self._random.randrange(3))
        method = operation.verb if self._random.random() < 0.99 else self._random.choice(OTHER_VERBS)
        query = "&".join(f"{quote(key)}={quote(value, errors='replace')}" for key, value in self._query(operation))
        host = self._random.choice(("localhost:8787", "us-central1-run.homerun.localhost:8787"))
        body = self._body(operation) if operation.request or self._random.random() < 0.02 else b""
        return Request(method, f"http://{host}/{path}{'?' if query else ''}{query}", body)

    def _path_value(self, variable: str) -> str:
        collection = variable.removesuffix("Id")
        roll = self._random.random()
        if roll < 0.02:
            return quote(self._random.choice(TEXTS), safe="", errors="replace")
        if collection in ("projects", "namespaces"):
            return "homerun" if roll < 0.9 else self._random.choice(("100000000001", "other", "123", "other-project"))
        if collection == "locations":
            return "us-central1" if roll < 0.92 else self._random.choice(("europe-west1", "-", "nowhere"))
        if roll < 0.05:
            return "-"
        return quote(self._id(collection), safe="", errors="replace")

    def _id(self, collection: str) -> str:
        collection = {"workerpools": "workerPools"}.get(collection, collection)
        known = self._memory.ids.get(collection)
        prefix = STARTING_IDS.get(collection)
        if prefix and (not known or self._random.random() < 0.7):
            return f"{prefix}{self._random.randrange(5)}"
        return self._random.choice(known) if known else "none"

    def _query(self, operation: Operation) -> list[tuple[str, str]]:
        found = []
        for name, schema in operation.query.items():
            wanted = 0.95 if name.endswith("Id") else 0.1 if name in ("validateOnly", "dryRun") else 0.25
            if self._random.random() < wanted:
                found.append((name, self._query_value(operation, name, schema)))
        if self._random.random() < 0.05:
            found.append(self._random.choice((("alt", "json"), ("fields", "*"), ("$alt", "json;enum-encoding=int"),
                                              ("nonsense", "1"), ("key", ""), ("pageSize", "2"))))  # fmt: skip
        return found

    def _query_value(self, operation: Operation, name: str, schema: dict[str, Any]) -> str:
        if self._random.random() < 0.1:
            return str(self._junk.anything(1))
        if name.endswith("Id"):
            return self._id(f"{name.removesuffix('Id')}s")
        if name in ("pageToken", "continue") and self._memory.tokens:
            token = self._random.choice(self._memory.tokens)
            return token if self._random.random() < 0.8 else token[::-1]
        if name == "etag" and self._memory.etags:
            return self._random.choice(self._memory.etags)
        if name == "updateMask":
            return ",".join(self._mask(operation) for _ in range(self._random.randrange(3)))
        if name == "dryRun":
            return "all"
        if name == "labelSelector":
            id = self._id(self._random.choice(("services", "jobs", "executions")))
            running = f"run.googleapis.com/execution = {id},run.googleapis.com/runningState in (Running)"
            return self._random.choice((f"serving.knative.dev/service = {id}", f"run.googleapis.com/job={id}", running,
                                        "team in (a, b),!old", "team!=a", "(", "a b"))  # fmt: skip
        if name in ("pageSize", "limit"):
            return self._random.choice(("1", "2", "5", "100", "100000"))
        return str(self._junk.by_schema({}, schema)).lower()

    def _mask(self, operation: Operation) -> str:
        """A path into the body, some of the time one that leads nowhere."""
        schemas, name, path = operation.schemas, operation.request, []
        while properties := schemas[name].get("properties"):
            path.append(self._random.choice(list(properties)))
            name = properties[path[-1]].get("$ref", "")
            if not name or self._random.random() < 0.5:
                break
        return ".".join(path) if self._random.random() < 0.95 else self._random.choice(TEXTS)

    def _body(self, operation: Operation) -> bytes:
        roll = self._random.random()
        if not operation.request or roll < 0.05:
            return self._random.choice((b"", self._junk.bytes(), encoded(self._junk.anything())))
        if roll < 0.2:
            return encoded(self._junk.message(operation.schemas, operation.request))
        body: Any = self._samples.make(operation.request)
        seen = self._memory.resources.get(operation.request)
        if seen and (roll < 0.4 or not body):
            body = self._random.choice(seen)
        if roll < 0.7:
            body = self._junk.spoiled(body, self._random.choice((0, 1, 1, 2)))
        if roll < 0.3 and isinstance(body, dict):
            body = body | self._junk.message(operation.schemas, operation.request)
        return encoded(body)

    # Answers

    def _judge(self, operation: Operation, answer: Answer) -> Sequence[str]:
        try:
            value = json.loads(answer.body or b"null")
        except ValueError:
            return [f"{answer.status} with a body that is no JSON: {answer.body[:200]!r}"]
        if answer.status == 200:
            self.reached.add(operation.id)
            self._memory.learn(operation.response, value)
            return complaints(operation.api, operation.response, value) if operation.response else []
        if answer.status == 501 and f"homerun does not have {operation.id}: " in answer.body.decode():
            self._absent.add(operation.id)
            return []
        return list(_judge_error(answer, value))


def _judge_error(answer: Answer, value: Any) -> Sequence[str]:
    if answer.status >= 500 or answer.status < 400:
        return [f"status {answer.status}: {answer.body[:300]!r}"]
    if len(answer.body) > LARGEST_ERROR:
        return [f"an error of {len(answer.body)} bytes"]
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict) or error.get("code") != answer.status:
        return [f"status {answer.status} without an error of that code: {answer.body[:300]!r}"]
    if not error.get("message") or not error.get("status"):
        return [f"an error that explains nothing: {answer.body[:300]!r}"]
    return []


def _surface() -> list[Operation]:
    """Those that write something more often than the others: it is what the others look at."""
    found = [operation for api in ("run.v1", "run.v2") for operation in operations(api)]
    found += [operation for operation in operations("logging.v2") if operation.id == "logging.entries.list"]
    writing = [operation for operation in found if operation.id.split(".")[-1] in WRITING]
    return [*found, *EXTENSION, *writing, *writing]
