"""Who may call, on real containers: what the application sees, what wakes it, and what `kill -9` forgets (nothing)."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homerun.apis.identity.issuer import Issuer
from homerun.wire.keys import KeyRing
from tests.support.daemon import LOCATION, ApiError, Daemon

pytestmark = pytest.mark.host

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture(scope="module")
def daemon(folder: Path) -> Iterator[Daemon]:
    with Daemon(folder / "identity", idle_timeout=1) as daemon:
        yield daemon


def token(daemon: Daemon, email: str = ANN, service: str = "", **body: str) -> str:
    audience = {"audience": f"http://{daemon.host(service)}"} if service else {}
    made = daemon.call("POST", "/homerun/v1:generateIdToken", {"email": email, **audience, **body})
    return str(made["token"])


def call(daemon: Daemon, service: str, bearer: str = "", header: str = "Authorization") -> tuple[int, bytes]:
    return daemon.get(service, "/headers", **({header: f"Bearer {bearer}"} if bearer else {}))


def test_a_private_service_from_no_token_to_the_right_one(daemon: Daemon, app: str) -> None:
    daemon.deploy("private", app, private=True)
    daemon.allow("private", f"user:{ANN}")
    daemon.wait_for_zero("private")
    good = token(daemon, service="private")
    daemon.until(lambda: call(daemon, "private", token(daemon, BOB))[0] == 403)
    assert call(daemon, "private")[0] == 403
    assert call(daemon, "private", "nonsense")[0] == 401
    code, body = call(daemon, "private", good[:-8] + "AAAAAAAA")
    assert (code, b"its signature is wrong" in body) == (401, True)
    code, body = call(daemon, "private", token(daemon, audience="http://elsewhere"))
    assert (code, f"this service expects http://{daemon.host('private')}".encode() in body) == (401, True)
    assert daemon.explain("private")["instances"] == [], "nobody was woken by those who may not"
    for header in ("Authorization", "X-Serverless-Authorization"):
        code, body = call(daemon, "private", good, header)
        assert code == 200
        assert f"Bearer {good.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE".encode() in body
        assert good.encode() not in body


def test_an_expired_token(daemon: Daemon, app: str) -> None:
    """Made an hour ago, with the daemon's own key."""
    daemon.deploy("expired", app, private=True)
    daemon.allow("expired", f"user:{ANN}")
    ring = KeyRing.load((daemon.state / "identity.json").read_bytes(), "identity.json")
    audience = f"http://{daemon.host('expired')}"
    issuer = Issuer(ring, "http://any")
    daemon.until(lambda: call(daemon, "expired", issuer.id_token(ANN, audience, time.time()).text)[0] == 200)
    code, body = call(daemon, "expired", issuer.id_token(ANN, audience, time.time() - 3600).text)
    assert (code, b"it has expired" in body) == (401, True)


def test_a_change_of_the_policy_takes_effect_at_once(daemon: Daemon, app: str) -> None:
    daemon.deploy("changes", app, private=True)
    good = token(daemon, service="changes")
    for members, with_token, without in (([f"user:{ANN}"], 200, 403), (["allUsers"], 200, 200), ([], 403, 403)):
        daemon.allow("changes", *members)
        began = time.monotonic()
        expected = (with_token, without)
        daemon.until(lambda now=expected: (call(daemon, "changes", good)[0], call(daemon, "changes")[0]) == now)
        print(f"{members} after {(time.monotonic() - began) * 1000:.1f} ms")


def test_kill_9_of_control_while_policies_change_loses_nothing(daemon: Daemon, app: str) -> None:
    """What was acknowledged is stored, and is what the router goes by; meanwhile it goes by what it knows."""
    daemon.deploy("killed", app, private=True)
    daemon.allow("killed", f"user:{ANN}")
    good = token(daemon, service="killed")
    daemon.until(lambda: call(daemon, "killed", good)[0] == 200)
    acknowledged: list[int] = []
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                daemon.allow("killed", f"user:{ANN}", f"user:u{number}@example.com")
            except (OSError, ApiError, json.JSONDecodeError, http.client.HTTPException):
                continue
            acknowledged.append(number)

    thread = threading.Thread(target=change)
    thread.start()
    statuses: set[int] = set()
    for _ in range(3):
        before = len(acknowledged)
        daemon.until(lambda before=before: len(acknowledged) > before + 5)
        daemon.kill("control")
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            statuses.add(call(daemon, "killed", good)[0])
    daemon.until(lambda: len(acknowledged) > before + 5)
    stop.set()
    thread.join()
    assert statuses == {200}
    last = acknowledged[-1]
    stored = daemon.call("GET", f"/v2/{LOCATION}/services/killed:getIamPolicy")
    members: list[Any] = stored["bindings"][0]["members"]
    assert int(members[1].removeprefix("user:u").partition("@")[0]) >= last
    newest = members[1].removeprefix("user:")
    daemon.until(lambda: call(daemon, "killed", token(daemon, newest, "killed"))[0] == 200, 5)
    assert call(daemon, "killed", token(daemon, "u0@example.com", "killed"))[0] == 403


def test_keys_and_policies_are_there_after_the_whole_platform_was_killed(daemon: Daemon, app: str) -> None:
    daemon.deploy("stays", app, private=True)
    daemon.allow("stays", f"user:{ANN}")
    good = token(daemon, service="stays")
    daemon.until(lambda: call(daemon, "stays", good)[0] == 200)
    daemon.kill_all()
    daemon.start()
    daemon.until(lambda: call(daemon, "stays", good)[0] == 200)
    assert call(daemon, "stays")[0] == 403
    daemon.kill("router")
    assert call(daemon, "stays")[0] == 403, "a router that comes up anew lets nobody in before it knows who may"


def test_a_refused_request_is_in_the_log(daemon: Daemon, app: str) -> None:
    daemon.deploy("logged", app, private=True)
    assert call(daemon, "logged")[0] == 403
    query = {
        "resourceNames": ["projects/homerun"],
        "filter": "resource.type = cloud_run_revision AND resource.labels.service_name = logged AND severity = WARNING",
    }

    def texts() -> list[str]:
        entries = daemon.call("POST", "/v2/entries:list", query).get("entries", [])
        return [entry.get("textPayload", "") for entry in entries]

    daemon.until(lambda: any("The request was not authenticated." in text for text in texts()))
