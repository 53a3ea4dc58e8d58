"""gcloud, unmodified: secrets, their versions, and who may read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.gcloud import Gcloud, needed

pytestmark = [pytest.mark.sockets, pytest.mark.gcloud, needed]


@pytest.fixture(scope="module")
def secrets(gcloud: Gcloud) -> Gcloud:
    return gcloud.group("secrets")


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("payload") / "one"
    path.write_bytes(b"hunter2\n")
    return path


def test_a_secret_from_create_to_delete(secrets: Gcloud, payload: Path) -> None:
    secrets("create", "db", f"--data-file={payload}", "--labels=app=shop")
    described = secrets.json("describe", "db")
    assert (described["name"], described["labels"]) == ("projects/100000000001/secrets/db", {"app": "shop"})
    secrets("versions", "add", "db", f"--data-file={payload}")
    assert secrets.out("versions", "access", "latest", "--secret=db") == "hunter2\n"
    assert "db" in secrets.out("list", "--format=value(name)").split()
    secrets("versions", "disable", "1", "--secret=db")
    listed = secrets.out("versions", "list", "db", "--format=value(state)").upper().split()
    assert listed == ["ENABLED", "DISABLED"]
    assert "is in DISABLED state" in secrets.refused("versions", "access", "1", "--secret=db")
    secrets("versions", "destroy", "1", "--secret=db")
    assert secrets.json("versions", "describe", "1", "--secret=db")["state"] == "DESTROYED"
    secrets("update", "db", "--update-version-aliases=prod=2", "--update-labels=app=till")
    assert secrets.json("describe", "db")["versionAliases"] == {"prod": "2"}
    secrets("delete", "db")
    assert "NOT_FOUND" in secrets.refused("describe", "db")


def test_who_may_read_one(secrets: Gcloud, payload: Path) -> None:
    secrets("create", "held", f"--data-file={payload}")
    secrets("add-iam-policy-binding", "held", "--member=user:ann@example.com",
            "--role=roles/secretmanager.secretAccessor")  # fmt: skip
    [binding] = secrets.json("get-iam-policy", "held")["bindings"]
    assert binding == {"role": "roles/secretmanager.secretAccessor", "members": ["user:ann@example.com"]}
