import io
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from homerun.cli.client import Client, api_error, path
from homerun.cli.errors import ApiError, CommandFailed, Unreachable

pytestmark = pytest.mark.sockets


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: list[tuple[int, bytes]]
    asked: list[tuple[str, str, bytes]]
    hang_up = False

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, body))
        status, content = self.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = self.hang_up

    do_GET = do_POST = do_PATCH = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def handler() -> type[Handler]:
    return type("OneTestsHandler", (Handler,), {"answers": [], "asked": []})


@pytest.fixture
def client(handler: type[Handler]) -> Iterator[Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    client = Client(f"127.0.0.1:{server.server_address[1]}")
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_json_goes_out_and_comes_back(client: Client, handler: type[Handler]) -> None:
    handler.answers.append((200, b'{"a": 1}'))
    assert client.post("/v2/things", {"b": "ü"}, thingId="x y") == {"a": 1}
    method, url, body = handler.asked[0]
    assert (method, url, json.loads(body)) == ("POST", "/v2/things?thingId=x+y", {"b": "ü"})


def test_pages_are_one_list(client: Client, handler: type[Handler]) -> None:
    handler.answers += [(200, b'{"things": [1, 2], "nextPageToken": "t/1"}'), (200, b'{"things": [3]}')]
    assert list(client.pages("/v2/things", "things")) == [1, 2, 3]
    assert handler.asked[1][1] == "/v2/things?pageToken=t%2F1"


def test_a_refusal_says_which_fields_were_wrong(client: Client, handler: type[Handler]) -> None:
    details = [{"fieldViolations": [{"field": "template.x", "description": "must be 1"}]}]
    error = {"code": 400, "message": "Bad request.", "status": "INVALID_ARGUMENT", "details": details}
    handler.answers.append((400, json.dumps({"error": error}).encode()))
    with pytest.raises(ApiError) as caught:
        client.get("/v2/things")
    assert caught.value.message == "Bad request.\n  template.x: must be 1"
    assert (caught.value.http, caught.value.status, caught.value.exit_code) == (400, "INVALID_ARGUMENT", 1)


def test_a_field_that_the_message_names_is_not_named_twice() -> None:
    details = [{"fieldViolations": [{"field": "x", "description": "must be 1"}]}]
    assert api_error({"message": "x: must be 1", "details": details}).message == "x: must be 1"


def test_an_idle_connection_that_was_closed_is_opened_again(client: Client, handler: type[Handler]) -> None:
    handler.hang_up = True
    handler.answers += [(200, b"{}"), (200, b'{"again": true}')]
    client.get("/a")
    assert client.get("/b") == {"again": True}


def test_a_program_that_is_not_homerun_is_recognized(client: Client, handler: type[Handler]) -> None:
    handler.answers.append((200, b"<html>"))
    with pytest.raises(CommandFailed, match="does not answer as homerun does"):
        client.get("/homerun/v1/info")


def test_an_upload_streams_lines_back(client: Client, handler: type[Handler]) -> None:
    handler.answers.append((200, b'{"log": "one"}\n{"image": "i"}\n'))
    content = b"x" * 100_000
    assert list(client.upload("/b", io.BytesIO(content), len(content), name="n")) == [{"log": "one"}, {"image": "i"}]
    assert handler.asked == [("POST", "/b?name=n", content)]


def test_a_refused_upload_is_an_error(client: Client, handler: type[Handler]) -> None:
    handler.answers.append((400, b'{"error": {"message": "too large", "status": "INVALID_ARGUMENT"}}'))
    with pytest.raises(ApiError, match="too large"):
        list(client.upload("/b", io.BytesIO(b"x"), 1))


def test_nobody_there_is_exit_code_3_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match=r"connection refused\): start it with `homerun up`") as caught:
            Client(f"127.0.0.1:{taken.getsockname()[1]}").get("/")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("address", ["8787", "localhost", ":8787", "a:b"])
def test_an_address_without_a_port_is_refused(address: str) -> None:
    with pytest.raises(CommandFailed, match="HOST:PORT"):
        Client(address)


def test_path_parts_cannot_break_out() -> None:
    assert path("projects", "../x", "a b") == "projects/..%2Fx/a%20b"


def test_a_daemon_that_does_not_answer_is_waited_for_and_named(
    client: Client, handler: type[Handler], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = threading.Event()
    monkeypatch.setattr("homerun.cli.client.PATIENCE", 0.01)
    monkeypatch.setattr("click.echo", lambda text, err: (print(text), told.set()))
    monkeypatch.setattr(handler, "do_GET", lambda self: told.wait(10) and self.answer(), raising=False)
    handler.answers.append((200, b"{}"))
    assert client.get("/x") == {}
    assert f"Waiting for homerun at {client.address}" in capsys.readouterr().out
