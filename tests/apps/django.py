"""Django's own site of administration under gunicorn: cookies, forms, redirects, a database file, no root."""

from __future__ import annotations

import re

import httpx

from tests.apps.trial import Trial


def run(trial: Trial) -> None:
    trial.ask_version(
        "sh",
        "-c",
        "python3 -m django --version; gunicorn --version | sed 's/gunicorn (version /under gunicorn /; s/)//'",
    )
    trial.deploy(scaling={"maxInstanceCount": 1})
    with trial.check("its first page, under the service's own host name"):
        status, _, body = trial.get()
        assert status == 200 and b"The install worked successfully" in body, (status, body[:300])
    with trial.check("who is not logged in is redirected; a log-in with a token against forgery; a session"):
        _log_in(trial)
    with trial.check("an answer that sets a cookie is private to caches"):
        assert "private" in trial.get("/admin/login/")[1]["Cache-Control"]
    with trial.check("a write into the database, which is the user app's"):
        _add_group(trial)
    with trial.check("a form without its token is forbidden, and that is logged"):
        assert trial.curl("-d", "username=x", "-w", "%{http_code}", path="/admin/login/", failing=True).endswith(b"403")
        trial.until_logged("stderr", "Forbidden (CSRF cookie not set.)")
    with trial.check("from zero and back"):
        trial.wakes()
    with trial.check("requests a second"):
        trial.rate("/admin/login/")
    with trial.check("ends in time: its workers say so"):
        trial.ends_in_time()
        trial.until_logged("stderr", "Handling signal: term")
        trial.until_logged("stderr", "Shutting down: Master")


def _client(trial: Trial) -> httpx.Client:
    """One that keeps cookies."""
    transport = httpx.HTTPTransport(retries=0)
    headers = {"Host": trial.daemon.host(trial.name)}
    return httpx.Client(
        base_url=f"http://127.0.0.1:{trial.daemon.http_port}", headers=headers, transport=transport, timeout=60
    )


def _token(page: str) -> str:
    [found] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
    return found


def _log_in(trial: Trial, client: httpx.Client | None = None) -> None:
    client = client or _client(trial)
    first = client.get("/admin/")
    assert (first.status_code, first.headers["Location"]) == (302, "/admin/login/?next=/admin/"), first
    form = {"username": "admin", "password": "secret", "csrfmiddlewaretoken": _token(client.get("/admin/login/").text)}
    done = client.post("/admin/login/?next=/admin/", data=form)
    assert (done.status_code, done.headers["Location"]) == (302, "/admin/"), (done.status_code, done.text[:500])
    assert "Site administration" in client.get("/admin/").text


def _add_group(trial: Trial) -> None:
    with _client(trial) as client:
        _log_in(trial, client)
        page = client.get("/admin/auth/group/add/").text
        done = client.post("/admin/auth/group/add/", data={"name": "drivers", "csrfmiddlewaretoken": _token(page)})
        assert done.status_code == 302, (done.status_code, done.text[:500])
        assert ">drivers<" in client.get("/admin/auth/group/").text
