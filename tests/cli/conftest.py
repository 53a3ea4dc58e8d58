from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from homerun.cli import app, client, down, waiting
from tests.support.fake_api import FakeApi

Invoke = Callable[..., Result]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """What commands talk to, instead of a daemon; waiting takes no time."""
    fake = FakeApi()
    fake.on("GET", "/homerun/v1/info", {"project": "p", "region": "r", "environment": {"A": "b", "C": "it's"}})
    monkeypatch.setattr(client, "Client", fake.client)
    monkeypatch.setattr(down, "Client", fake.client)
    monkeypatch.setattr(waiting.time, "sleep", lambda seconds: None)
    for name in ("HOMERUN_API", "HOMERUN_ENV", "HOMERUN_TOKEN", "CLOUDSDK_CORE_PROJECT", "CLOUDSDK_RUN_REGION"):
        monkeypatch.delenv(name, raising=False)
    return fake


@pytest.fixture
def homerun(api: FakeApi) -> Invoke:
    """Run a command line: `homerun("jobs", "list")`."""

    def invoke(*arguments: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(app.cli, list(arguments), input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke
