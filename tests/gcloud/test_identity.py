"""gcloud, unmodified: who may call a service, tokens of service accounts, and an API that wants a token."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import google.oauth2.id_token
import pytest
import requests
from google.auth.transport.requests import Request

from homerun.model.environment import gcloud_environment
from homerun.model.identity import OWNER
from tests.support.api import WEB
from tests.support.gcloud import Gcloud, needed
from tests.support.identity import ROBOT, issuer
from tests.support.server import Server

pytestmark = [pytest.mark.sockets, pytest.mark.gcloud, needed]

ANN = "user:ann@example.com"


def members(gcloud: Gcloud, service: str) -> dict[str, list[str]]:
    policy = gcloud.json("services", "get-iam-policy", service)
    return {binding["role"]: binding["members"] for binding in policy.get("bindings", ())}


def test_bindings_are_added_and_removed(gcloud: Gcloud) -> None:
    gcloud("deploy", "bound", f"--image={WEB}", "--no-allow-unauthenticated")
    assert members(gcloud, "bound") == {}
    for member in (ANN, f"serviceAccount:{ROBOT}"):
        gcloud("services", "add-iam-policy-binding", "bound", f"--member={member}", "--role=roles/run.invoker")
    assert members(gcloud, "bound") == {"roles/run.invoker": [ANN, f"serviceAccount:{ROBOT}"]}
    gcloud("services", "remove-iam-policy-binding", "bound", f"--member={ANN}", "--role=roles/run.invoker")
    assert members(gcloud, "bound") == {"roles/run.invoker": [f"serviceAccount:{ROBOT}"]}
    assert "version: 1" in gcloud("services", "get-iam-policy", "bound")


def test_a_service_is_opened_and_closed_by_deploying(gcloud: Gcloud) -> None:
    gcloud("deploy", "opened", f"--image={WEB}", "--allow-unauthenticated")
    assert members(gcloud, "opened") == {"roles/run.invoker": ["allUsers"]}
    gcloud("deploy", "opened", f"--image={WEB}", "--no-allow-unauthenticated")
    assert members(gcloud, "opened") == {}
    gcloud("services", "update", "opened", "--no-invoker-iam-check")
    described = gcloud.json("services", "describe", "opened")
    assert described["metadata"]["annotations"]["run.googleapis.com/invoker-iam-disabled"] == "True"


def test_a_policy_is_set_whole_unless_somebody_else_has_changed_it(gcloud: Gcloud, tmp_path: Path) -> None:
    gcloud("deploy", "whole", f"--image={WEB}", "--no-allow-unauthenticated")
    path = tmp_path / "policy.json"
    policy = gcloud.json("services", "get-iam-policy", "whole")
    policy["bindings"] = [{"role": "roles/run.invoker", "members": [ANN]}]
    path.write_text(json.dumps(policy))
    gcloud("services", "set-iam-policy", "whole", str(path))
    assert members(gcloud, "whole") == {"roles/run.invoker": [ANN]}
    policy["bindings"] = []
    path.write_text(json.dumps(policy))
    printed = gcloud.refused("services", "set-iam-policy", "whole", str(path))
    assert "There were concurrent policy changes" in printed
    assert members(gcloud, "whole") == {"roles/run.invoker": [ANN]}


@pytest.mark.parametrize(
    ("member", "role", "said"),
    [
        ("ann@example.com", "roles/run.invoker", "is of an unknown type"),
        ("user:ann", "roles/run.invoker", "is no e-mail address"),
        (ANN, "roles/run.king", "Role roles/run.king is not supported for this resource"),
    ],
)
def test_what_is_wrong_with_a_binding_is_said(gcloud: Gcloud, member: str, role: str, said: str) -> None:
    if gcloud.run("services", "describe", "wrong").code:
        gcloud("deploy", "wrong", f"--image={WEB}", "--no-allow-unauthenticated")
    flags = (f"--member={member}", f"--role={role}")
    assert said in gcloud.refused("services", "add-iam-policy-binding", "wrong", *flags)


def test_jobs_have_policies_too(gcloud: Gcloud) -> None:
    gcloud("jobs", "create", "held", f"--image={WEB}")
    gcloud("jobs", "add-iam-policy-binding", "held", f"--member={ANN}", "--role=roles/run.jobsExecutor")
    policy = gcloud.json("jobs", "get-iam-policy", "held")
    assert policy["bindings"] == [{"role": "roles/run.jobsExecutor", "members": [ANN]}]


def test_tokens_of_a_service_account(gcloud: Gcloud, server: Server) -> None:
    """google-auth checks what gcloud got, with nothing but the address of our keys."""
    audience = "http://hello-100000000001.us-central1.run.localhost:8080"
    token = gcloud.group("auth").out("print-identity-token", f"--impersonate-service-account={ROBOT}",
                                     f"--audiences={audience}", "--include-email").strip()  # fmt: skip
    with requests.Session() as session:
        claims: Any = google.oauth2.id_token.verify_token(
            token, Request(session), audience=audience, certs_url=f"{server.url}/oauth2/v1/certs"
        )
    assert (claims["email"], claims["iss"]) == (ROBOT, server.url)
    access = gcloud.group("auth").out("print-access-token", f"--impersonate-service-account={ROBOT}").strip()
    headers = {"Authorization": f"Bearer {access}"}
    assert requests.get(f"{server.url}/homerun/v1/info", headers=headers, timeout=10).status_code == 200
    assert requests.post(f"{server.url}/homerun/v1:shutdown", headers=headers, timeout=10).status_code == 403


def test_an_api_that_wants_a_token_gets_it_from_gcloud_s_file(guarded: Server, tmp_path: Path) -> None:
    """As `homerun env --token-file` has it."""
    path = tmp_path / "token"
    environment = gcloud_environment("127.0.0.1", guarded.port, "homerun", "us-central1", token_needed=True)
    environment |= {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(path), "CLOUDSDK_CONFIG": str(tmp_path)}

    def run(token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path.write_text(token)
        return subprocess.run(
            ["gcloud", *arguments], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
        )

    now = time.time()
    good, old = issuer().access_token(OWNER, now).text, issuer().access_token(OWNER, now - 4000).text
    done = run(good, "run", "deploy", "far", f"--image={WEB}", "--allow-unauthenticated")
    assert done.returncode == 0, done.stderr
    assert run(good, "run", "services", "list", "--format=value(metadata.name)").stdout.split() == ["far"]
    done = run(good, "auth", "print-identity-token", f"--impersonate-service-account={ROBOT}", "--audiences=http://x")
    assert done.stdout.count(".") == 2, done.stderr
    for bad in (old, "ya29.somebody-elses"):
        done = run(bad, "run", "services", "list")
        assert done.returncode == 1
        assert "homerun auth print-access-token" in done.stderr
