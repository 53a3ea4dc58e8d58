"""A homerun for the command line's tests: answers by script, remembers what it was asked. No sockets."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from homerun.cli.client import Client
from homerun.cli.errors import ApiError

Json = dict[str, Any]
Answer = Json | list[Json] | Exception | Callable[[Json | None], Any]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    body: Any
    query: dict[str, str]
    host: str = ""


@dataclass
class FakeApi:
    """`on` says what is answered: in turn, the last one for ever. What nobody said is NOT_FOUND, as of a real one."""

    asked: list[Asked] = field(default_factory=list)
    _script: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)

    def on(self, method: str, path: str, *answers: Answer) -> None:
        self._script[method, path] = list(answers)

    def answer(self, method: str, path: str, body: Any, query: Mapping[str, str], host: str = "") -> Any:
        self.asked.append(Asked(method, path, copy.deepcopy(body), dict(query), host))
        script = self._script.get((method, path))
        if script is None:
            raise ApiError(f"{method} {path} does not exist", 404, "NOT_FOUND")
        found = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(found, BaseException):
            raise found
        return found(body) if callable(found) else copy.deepcopy(found)

    def sent(self, method: str, path: str) -> list[Any]:
        """Bodies of the requests of this kind."""
        return [asked.body for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def client(self, address: str, token: str = "") -> Client:
        return _FakeClient(address, token, self)


class _FakeClient(Client):
    def __init__(self, address: str, token: str, api: FakeApi) -> None:
        super().__init__(address, token)
        self._api = api

    def call(self, method: str, url: str, body: Json | None, query: Mapping[str, str], host: str = "") -> Json:
        answer: Json = self._api.answer(method, url, body, query, host)
        json.dumps(body)
        return answer

    def stream(self, url: str, body: Json) -> Iterator[Json]:
        yield from self._api.answer("STREAM", url, body, {})

    def upload(self, url: str, body: BinaryIO, size: int, **query: str) -> Iterator[Json]:
        content = body.read()
        assert len(content) == size
        yield from self._api.answer("UPLOAD", url, content, query)
