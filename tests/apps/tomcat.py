"""Tomcat on OpenJDK, with the examples that come with it: servlets, sessions, WebSockets, the user tomcat."""

from __future__ import annotations

import asyncio

from websockets.asyncio.client import connect

from tests.apps.trial import Trial


def run(trial: Trial) -> None:
    java = "java -version 2>&1 | sed -n '1s/.*version \"\\(.*\\)\".*/on OpenJDK \\1/p'"
    trial.ask_version("sh", "-c", f"dpkg-query -f '${{Version}} ' -W tomcat10; {java}")
    trial.deploy(scaling={"maxInstanceCount": 1}, container={"resources": {"limits": {"cpu": "1", "memory": "512Mi"}}})
    with trial.check("its page; the variable PORT is the one that it listens on already"):
        assert b"It works" in trial.get()[2]
    with trial.check("a servlet sees what a client sent, and the address that the platform passed on"):
        page = trial.get("/examples/servlets/servlet/RequestHeaderExample")[2].lower()
        assert b"x-forwarded-for" in page and b"x-cloud-trace-context" in page
    with trial.check("a session: its cookie finds it again"):
        path = "/examples/servlets/servlet/SessionExample"
        _, headers, _ = trial.get(path)
        cookie = headers["Set-Cookie"].partition(";")[0]
        page = trial.get(f"{path}?dataname=colour&datavalue=green", Cookie=cookie)[2]
        assert b"colour = green" in page, page[-800:]
    with trial.check("JSP: compiled at its first request, into a folder that it may write"):
        assert b"Request Information" in trial.curl(path="/examples/jsp/snp/snoop.jsp")
    with trial.check("a request that is answered later (asynchronous servlet), in pieces"):
        assert b"async" in trial.curl("-N", path="/examples/async/async1").lower()
    with trial.check("WebSocket, compressed: echo of text and of 1 MiB of bytes"):
        asyncio.run(_echo(trial))
    with trial.check("Java sees the container's memory and cores, the room of its file system, and its own host name"):
        words = trial.curl(path="/about.jsp").decode().split()
        about = dict(zip(words[::2], words[1::2], strict=True))
        assert int(about["room"]) > 100 << 20 and int(about["memory"]) < 300 << 20, about
        assert (about["cores"], about["host"]) == ("1", "localhost/127.0.0.1"), about
    with trial.check("from zero and back"):
        trial.wakes()
    with trial.check("requests a second"):
        trial.rate()
    with trial.check("ends in time: its hooks run"):
        trial.ends_in_time()
        trial.until_logged("", "Destroying ProtocolHandler")


async def _echo(trial: Trial) -> None:
    host = trial.daemon.host(trial.name)
    url = f"ws://{host}/examples/websocket/echoAnnotation"
    async with connect(url, host="127.0.0.1", port=trial.daemon.http_port, max_size=None) as socket:
        assert "permessage-deflate" in [extension.name for extension in socket.protocol.extensions]
        await socket.send("hello")
        assert await socket.recv() == "hello"
        await socket.send(b"\x07" * (1 << 20))
        got = b""
        while len(got) < 1 << 20:
            part = await socket.recv()
            assert isinstance(part, bytes)
            got += part
        assert got == b"\x07" * (1 << 20)
