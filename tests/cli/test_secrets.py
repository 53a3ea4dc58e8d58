"""`homerun secrets`, against an API by script."""

from __future__ import annotations

import base64
from pathlib import Path

from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

URL = "/v1/projects/p/secrets"
ONE = {"name": "projects/1/secrets/db", "createTime": "2026-01-01T00:00:00Z", "labels": {"app": "shop"}}
VERSION = {"name": f"{ONE['name']}/versions/1", "createTime": "2026-01-01T00:00:00Z", "state": "ENABLED"}


def payload(text: str) -> dict[str, object]:
    return {"payload": {"data": base64.b64encode(text.encode()).decode()}}


def test_create_takes_the_payload_from_standard_input(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", "/homerun/v1/info", {"project": "p", "projectNumber": "1", "region": "r"})
    api.on("POST", URL, ONE)
    api.on("POST", f"{URL}/db:addVersion", VERSION)
    result = homerun("secrets", "create", "db", "--data-file=-", "--labels", "app=shop", "--ttl", "60", input="hunter2")
    assert result.exit_code == 0, result.output
    body = {"replication": {"automatic": {}}, "labels": {"app": "shop"}, "ttl": "60s"}
    assert api.sent("POST", URL) == [body]
    assert {"secretId": "db"} in [asked.query for asked in api.asked]
    assert api.sent("POST", f"{URL}/db:addVersion") == [payload("hunter2")]
    assert "hunter2" not in result.output
    assert "--member serviceAccount:1-compute@developer.gserviceaccount.com" in result.stderr


def test_an_empty_payload_is_refused_before_anything_is_made(homerun: Invoke, api: FakeApi, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for words in (("create", "db"), ("versions", "add", "db")):
        result = homerun("secrets", *words, "--data-file", str(tmp_path / "empty"))
        assert (result.exit_code, "is empty" in result.stderr) == (1, True)
    assert [asked for asked in api.asked if asked.method == "POST"] == []


def test_a_version_needs_a_payload(homerun: Invoke) -> None:
    result = homerun("secrets", "versions", "add", "db")
    assert (result.exit_code, "--data-file is missing" in result.stderr) == (2, True)


def test_what_is_in_a_version_comes_out_byte_by_byte(homerun: Invoke, api: FakeApi) -> None:
    data = base64.b64encode(b"\xff\x00no newline").decode()
    api.on("GET", f"{URL}/db/versions/latest:access", {"name": VERSION["name"], "payload": {"data": data}})
    assert homerun("secrets", "versions", "access", "latest", "--secret", "db").stdout_bytes == b"\xff\x00no newline"


def test_lists(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", URL, {"secrets": [ONE]})
    shown = homerun("secrets", "list", "--filter", "labels.app=shop").stdout
    assert "db" in shown and "app=shop" in shown
    assert api.asked[-1].query == {"filter": "labels.app=shop"}
    api.on("GET", f"{URL}/db/versions", {"versions": [VERSION]})
    assert "enabled" in homerun("secrets", "versions", "list", "db").stdout


def test_describe_shows_everything_but_what_is_in_it(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", f"{URL}/db", {**ONE, "versionAliases": {"prod": "1"}, "expireTime": "2099-01-01T00:00:00Z"})
    api.on("GET", f"{URL}/db/versions", {"versions": [VERSION]})
    binding = {"role": "roles/secretmanager.secretAccessor", "members": ["user:ann@example.com"]}
    api.on("GET", f"{URL}/db:getIamPolicy", {"bindings": [binding]})
    shown = homerun("secrets", "describe", "db").stdout
    for text in ("prod is version 1", "deleted at 2099", "enabled", "user:ann@example.com"):
        assert text in shown


def test_versions_are_switched_and_destroyed(homerun: Invoke, api: FakeApi) -> None:
    for verb in ("enable", "disable", "destroy"):
        api.on("POST", f"{URL}/db/versions/1:{verb}", VERSION)
        yes = ["--yes"] if verb == "destroy" else []
        result = homerun("secrets", "versions", verb, "1", "--secret", "db", *yes)
        assert result.exit_code == 0 and "ersion 1 of secret db" in result.stderr
    result = homerun("secrets", "versions", "destroy", "1", "--secret", "db")
    assert (result.exit_code, "say --yes" in result.stderr) == (2, True)


def test_delete_asks_first(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", f"{URL}/db", ONE)
    api.on("DELETE", f"{URL}/db", {})
    assert homerun("secrets", "delete", "db").exit_code == 2
    assert homerun("secrets", "delete", "db", "--yes").exit_code == 0
    assert len(api.sent("DELETE", f"{URL}/db")) == 1


def test_who_may_read(homerun: Invoke, api: FakeApi) -> None:
    api.on("GET", f"{URL}/db:getIamPolicy", {"etag": "1"})
    api.on("POST", f"{URL}/db:setIamPolicy", {})
    assert homerun("secrets", "add-iam-policy-binding", "db", "--member", "user:ann@example.com").exit_code == 0
    binding = {"role": "roles/secretmanager.secretAccessor", "members": ["user:ann@example.com"]}
    policy = {"etag": "1", "bindings": [binding]}
    assert api.sent("POST", f"{URL}/db:setIamPolicy") == [{"policy": policy}]
    api.on("GET", f"{URL}/db:getIamPolicy", policy)
    assert "user:ann@example.com" in homerun("secrets", "get-iam-policy", "db").stdout
    assert homerun("secrets", "remove-iam-policy-binding", "db", "--member", "user:ann@example.com").exit_code == 0
    result = homerun("secrets", "remove-iam-policy-binding", "db", "--member", "user:bob@example.com")
    assert (result.exit_code, "homerun secrets get-iam-policy db" in result.stderr) == (1, True)
