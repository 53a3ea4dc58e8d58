from __future__ import annotations

import pytest

from homerun.cli import auth
from tests.cli.conftest import Invoke
from tests.support.fake_api import FakeApi

IDENTITY, ACCESS = "/homerun/v1:generateIdToken", "/homerun/v1:generateAccessToken"


@pytest.fixture(autouse=True)
def tokens(api: FakeApi) -> None:
    api.on("POST", IDENTITY, {"token": "a.b.c", "expireTime": "t"})
    api.on("POST", ACCESS, {"accessToken": "d.e.f", "expireTime": "t"})


@pytest.mark.parametrize(
    ("flags", "body"),
    [
        ((), {}),
        (("--audiences", "http://x"), {"audience": "http://x"}),
        (("--as", "ann@example.com"), {"email": "ann@example.com"}),
        (("--impersonate-service-account=r@p.iam.gserviceaccount.com",), {"email": "r@p.iam.gserviceaccount.com"}),
    ],
)
def test_an_identity_token_is_printed_alone(
    homerun: Invoke, api: FakeApi, flags: tuple[str, ...], body: dict[str, str]
) -> None:
    assert homerun("auth", "print-identity-token", *flags).stdout == "a.b.c\n"
    assert api.sent("POST", IDENTITY) == [body]


def test_one_cannot_be_two(homerun: Invoke) -> None:
    result = homerun("auth", "print-identity-token", "--as", "a@b.c", "--impersonate-service-account", "d@e.f")
    assert (result.exit_code, "not both" in result.stderr) == (2, True)


def test_an_access_token_is_printed_alone(homerun: Invoke, api: FakeApi) -> None:
    assert homerun("auth", "print-access-token").stdout == "d.e.f\n"
    assert "expireTime" in homerun("auth", "print-access-token", "--lifetime", "8h", "--format", "json").stdout
    assert api.sent("POST", ACCESS) == [{"lifetime": "3600s"}, {"lifetime": "28800s"}]


def test_the_keys_are_the_daemon_s_to_read(homerun: Invoke, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[object] = []

    def become(verb: str, arguments: list[str]) -> None:
        became.append((verb, arguments))
        raise SystemExit(0)

    monkeypatch.setattr(auth, "become", become)
    homerun("auth", "print-access-token", "--state", "/s", "--lifetime", "8760h")
    [(verb, arguments)] = became  # type: ignore[misc]
    assert (verb, arguments[:3]) == ("token", ["--state", "/s", "--lifetime"])
    assert float(arguments[3]) == 365 * 24 * 3600
    assert api.asked == []
