"""HTTP to the daemon, with nothing but the standard library: JSON in, JSON out, failures as exceptions."""

from __future__ import annotations

import http.client
import json
import select
import socket
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

import click

from homerun.cli.errors import ApiError, CommandFailed, Unreachable

Json = dict[str, Any]

CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 900.0
"""An answer may take as long as the import of a large image."""
PATIENCE = 2.0
"""Seconds after which the user is told that nobody has answered what is usually answered at once."""


def path(*parts: str) -> str:
    """`path("projects", "p")` -> `projects/p`, whatever the parts contain."""
    return "/".join(quote(part, safe="") for part in parts)


class Client:
    """One connection, kept open. `address` is HOST:PORT; `token`: an access token, where one is needed."""

    def __init__(self, address: str, token: str = "") -> None:
        self.address = address.removeprefix("http://").rstrip("/")
        host, _, port = self.address.rpartition(":")
        if not port.isdecimal() or not host:
            raise CommandFailed(f"--api {address!r} is not of the form HOST:PORT, such as 127.0.0.1:8787")
        self._endpoint = (host.strip("[]"), int(port))
        self._credentials = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection: http.client.HTTPConnection | None = None

    def get(self, url: str, **query: str) -> Json:
        return self.call("GET", url, None, query)

    def post(self, url: str, body: Json, **query: str) -> Json:
        return self.call("POST", url, body, query)

    def patch(self, url: str, body: Json, **query: str) -> Json:
        return self.call("PATCH", url, body, query)

    def delete(self, url: str) -> Json:
        return self.call("DELETE", url, None, {})

    def call(self, method: str, url: str, body: Json | None, query: Mapping[str, str], host: str = "") -> Json:
        """`host`: the name to ask under. Raises ApiError when homerun refuses, Unreachable when there is none."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **({"Host": host} if host else {})}
        response = self._send(method, _with_query(url, query), data, headers)
        try:
            return self._parse(response, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from error

    def pages(self, url: str, key: str, **query: str) -> Iterator[Json]:
        """All items of a list, page by page."""
        while True:
            page = self.call("GET", url, None, query)
            yield from page.get(key, ())
            if not page.get("nextPageToken"):
                return
            query["pageToken"] = page["nextPageToken"]

    def upload(self, url: str, body: BinaryIO, size: int, **query: str) -> Iterator[Json]:
        """Send a file, then yield the lines of JSON that come back as they come."""
        headers = {"Content-Type": "application/gzip", "Content-Length": str(size)}
        return self._lines(self._send("POST", _with_query(url, query), body, headers))

    def stream(self, url: str, body: Json) -> Iterator[Json]:
        """The lines of JSON that come back, as they come."""
        headers = {"Content-Type": "application/json"}
        return self._lines(self._send("POST", url, json.dumps(body).encode(), headers))

    def _lines(self, response: http.client.HTTPResponse) -> Iterator[Json]:
        if response.status >= 400:
            self._parse(response, response.read())
        try:
            while line := response.readline():
                yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._lost(error) from error
        finally:
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(
        self, method: str, url: str, body: bytes | BinaryIO | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        kept = self._connection is not None
        try:
            connection = self._connection or self._connect()
            connection.request(method, url, body, {**headers, **self._credentials})
            if method == "GET":
                self._tell_if_slow(connection)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # The daemon closes idle connections; what was surely not carried out may be sent again.
            if kept and method == "GET" and isinstance(error, (http.client.RemoteDisconnected, ConnectionError)):
                return self._send(method, url, body, headers)
            raise self._lost(error) from error

    def _tell_if_slow(self, connection: http.client.HTTPConnection) -> None:
        """The port is open while homerun starts, or starts again: then one waits, and should know for what."""
        readable, _, _ = select.select([connection.sock], [], [], PATIENCE)
        if not readable:
            click.echo(f"Waiting for homerun at {self.address} to answer: is it still starting? See its log", err=True)

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(*self._endpoint, timeout=CONNECT_TIMEOUT)
        connection.connect()
        connection.sock.settimeout(ANSWER_TIMEOUT)
        self._connection = connection
        return connection

    def _parse(self, response: http.client.HTTPResponse, body: bytes) -> Json:
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise CommandFailed(
                f"{self.address} does not answer as homerun does (HTTP {response.status}): "
                "does another program listen there? Name homerun's address with --api or HOMERUN_API"
            )
        if response.status >= 400:
            raise api_error(parsed.get("error") or {}, response.status)
        return parsed

    def _lost(self, error: Exception) -> Unreachable:
        self.close()
        return Unreachable(self.address, _why(error))


def api_error(error: Mapping[str, Any], http_status: int = 500) -> ApiError:
    """Google's JSON error -> ApiError, with the violated fields below the message."""
    violations = [
        f"{violation.get('field', '')}: {violation.get('description', '')}"
        for detail in error.get("details", ())
        for violation in detail.get("fieldViolations", ())
    ]
    message = error.get("message") or f"homerun answered with status {http_status}"
    return ApiError(message, http_status, error.get("status", ""), violations)


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}?{urlencode(query)}" if query else url


def _why(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "the connection broke"
