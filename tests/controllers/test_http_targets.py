"""HTTP targets: what is called where, with which token, and what is never called."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from homerun.apis.identity.issuer import Issuer
from homerun.controllers.http_targets import Doors, HttpTargets, lookup
from homerun.core.destination import Destinations
from homerun.core.http_attempt import CODES, Outcome
from homerun.lib.errors import Unavailable
from homerun.model.schedule import HttpRequest
from homerun.wire import tokens
from homerun.wire.http_client import Answer, CannotConnect, Peer
from tests.support.clock import LoopClock
from tests.support.identity import ROBOT, keys

pytestmark = pytest.mark.looptime

WHEN = "2026-12-01T12:00:00Z"
SERVICE = "http://hello-1.us-central1.run.localhost:8080"
JOB = "https://us-central1-run.googleapis.com/v2/projects/p/locations/l/jobs/j:run"
HOSTS = {
    "a.test": ["93.184.215.14"],
    "two.test": ["2001:4860:4860::8888", "93.184.215.14"],
    "lan.test": ["10.0.0.5"],
    "here.test": ["127.0.0.1"],
    "evil.test": ["93.184.215.14", "169.254.169.254"],
}


class Net:
    """Names, and servers that answer by script: 200 to whatever is in none."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Exception | float] = {}
        """By Host and path; a number: so many seconds until it answers."""
        self.asked: list[tuple[Peer, str, str, dict[str, str], bytes]] = []
        self.api: list[tuple[HttpRequest, dict[str, str]]] = []
        self.api_status = 200

    async def exchange(
        self, peer: Peer, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes
    ) -> Answer:
        self.asked.append((peer, method, target, dict(headers), body))
        found = self.answers.get(peer.host) or self.answers.get(dict(headers)["Host"] + target, Answer(200))
        if isinstance(found, Exception):
            raise found
        if isinstance(found, float):
            await asyncio.sleep(found)
            return Answer(200)
        return found

    async def lookup(self, host: str, port: int) -> list[str]:
        if host not in HOSTS:
            return await lookup(host, port)
        return HOSTS[host]

    async def own_api(self, request: HttpRequest, headers: Iterable[tuple[str, str]]) -> int:
        self.api.append((request, dict(headers)))
        return self.api_status


@pytest.fixture
def net() -> Net:
    return Net()


@pytest.fixture
def targets(net: Net) -> HttpTargets:
    issuer = Issuer(keys(), "http://127.0.0.1:8787")
    destinations = Destinations("run.localhost", 8787, {"shop.test"}.__contains__)
    doors = Doors("127.0.0.1", 8080, 8443)
    return HttpTargets(issuer, LoopClock(), destinations, doors, net.own_api, net.exchange, net.lookup)


async def call(targets: HttpTargets, uri: str, deadline: str = "180s", **target: Any) -> Outcome:
    job = {"httpTarget": {"uri": uri, **target}, "attemptDeadline": deadline}
    return await targets.attempt(job, "nightly", WHEN)


def claims(headers: dict[str, str], type: str) -> tokens.Claims:
    token = headers["Authorization"].removeprefix("Bearer ").encode()
    return tokens.verify(token, keys().public, type, LoopClock().now())


async def test_a_url_of_somebody_else(targets: HttpTargets, net: Net) -> None:
    assert await call(targets, "https://a.test/x?y=1", body="YQ==", headers={"X-A": "b"}) == Outcome(0, "", 200)
    [(peer, method, target, headers, body)] = net.asked
    assert (peer, method, target, body) == (Peer("93.184.215.14", 443, tls="a.test"), "POST", "/x?y=1", b"a")
    assert headers["Host"] == "a.test" and headers["X-A"] == "b"
    assert headers["X-CloudScheduler-ScheduleTime"] == WHEN
    assert "Authorization" not in headers


async def test_the_next_address_is_tried_when_one_cannot_be_connected_to(targets: HttpTargets, net: Net) -> None:
    net.answers["2001:4860:4860::8888"] = CannotConnect("no route")
    assert (await call(targets, "http://two.test/")).ok
    assert [peer.host for peer, *_ in net.asked] == HOSTS["two.test"]
    net.answers["2001:4860:4860::8888"] = Unavailable("it broke off: it may have been carried out")
    net.asked.clear()
    outcome = await call(targets, "http://two.test/")
    assert (CODES[outcome.code], len(net.asked)) == ("UNAVAILABLE", 1)


async def test_a_service_is_called_at_the_router_with_an_id_token(targets: HttpTargets, net: Net) -> None:
    assert (await call(targets, f"{SERVICE}/work", oidcToken={"serviceAccountEmail": ROBOT})).ok
    [(peer, _, target, headers, _)] = net.asked
    assert (peer, target) == (Peer("127.0.0.1", 8080), "/work")
    assert headers["Host"] == "hello-1.us-central1.run.localhost:8080"
    found = claims(headers, tokens.IDENTITY)
    assert (found.email, found.aud) == (ROBOT, SERVICE)


async def test_services_by_their_own_domains_and_over_tls(targets: HttpTargets, net: Net) -> None:
    await call(targets, "https://shop.test/x")
    [(peer, *_)] = net.asked
    assert peer == Peer("127.0.0.1", 8443, tls="shop.test", verify=False)


async def test_audiences(targets: HttpTargets, net: Net) -> None:
    """As given, or the URI as the platform has it."""
    await call(targets, "https://a.test/x", oidcToken={"serviceAccountEmail": ROBOT})
    await call(targets, f"{SERVICE}/x", oidcToken={"serviceAccountEmail": ROBOT, "audience": "mine"})
    assert [claims(headers, tokens.IDENTITY).aud for *_, headers, _ in net.asked] == ["https://a.test/x", "mine"]


async def test_a_job_is_run_through_the_api_of_this_homerun(targets: HttpTargets, net: Net) -> None:
    assert (await call(targets, JOB, oauthToken={"serviceAccountEmail": ROBOT})).ok
    assert net.asked == []
    [(request, headers)] = net.api
    assert (request.method, request.url) == ("POST", JOB)
    assert claims(headers, tokens.ACCESS).email == ROBOT
    assert headers["Host"] == "us-central1-run.googleapis.com"


async def test_access_tokens_are_for_no_other_api(targets: HttpTargets, net: Net) -> None:
    outcome = await call(targets, "https://storage.googleapis.com/b", oauthToken={"serviceAccountEmail": ROBOT})
    assert "access tokens are for no other" in outcome.message and net.asked == []


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("http://169.254.169.254/latest", "metadata server"),
        ("http://[::ffff:a9fe:a9fe]/", "metadata server"),
        ("http://evil.test/", "metadata server"),
        ("http://here.test:8787/homerun/v1:shutdown", "homerun's own API"),
    ],
)
async def test_what_is_never_called(targets: HttpTargets, net: Net, uri: str, says: str) -> None:
    outcome = await call(targets, uri)
    assert says in outcome.message and not outcome.ok
    assert net.asked == []


@pytest.mark.parametrize("uri", ["http://lan.test/", "http://here.test:3000/", "http://127.0.0.1:3000/"])
async def test_what_the_owner_has_nearby_is_called(targets: HttpTargets, net: Net, uri: str) -> None:
    assert (await call(targets, uri)).ok


@pytest.mark.parametrize(
    ("start", "leads", "followed"),
    [
        ("http://a.test/", "http://a.test/y", True),
        ("http://a.test/", "http://lan.test/", False),
        ("http://a.test/", "http://here.test:3000/", False),
        ("http://a.test/", f"{SERVICE}/", False),
        ("http://a.test/", JOB, False),
        ("http://lan.test/", "http://lan.test/y", True),
        ("http://lan.test/", "http://here.test:3000/", False),
        ("http://here.test:3000/", "http://lan.test/", True),
        (f"{SERVICE}/", "http://lan.test/", False),
        (f"{SERVICE}/", f"{SERVICE}/y", True),
        (f"{SERVICE}/", "http://a.test/", True),
    ],
)
async def test_redirects_lead_no_deeper(targets: HttpTargets, net: Net, start: str, leads: str, followed: bool) -> None:
    net.answers[start.removeprefix("http://")] = Answer(302, leads)
    outcome = await call(targets, start)
    assert (outcome.ok, len(net.asked), net.api) == (followed, 1 + followed, [])


async def test_a_redirect_elsewhere_gets_no_credentials(targets: HttpTargets, net: Net) -> None:
    net.answers[f"{SERVICE}/".removeprefix("http://")] = Answer(307, "https://a.test/")
    secrets = {"X-Serverless-Authorization": "a", "Cookie": "b", "X-Other": "c"}
    await call(targets, f"{SERVICE}/", headers=secrets, oidcToken={"serviceAccountEmail": ROBOT})
    first, second = (headers for *_, headers, _ in net.asked)
    assert {"Authorization", "X-Serverless-Authorization", "Cookie"} <= first.keys()
    assert not {"Authorization", "X-Serverless-Authorization", "Cookie"} & second.keys()
    assert second["X-Other"] == "c"


async def test_a_token_stands_in_place_of_the_authors_own_authorization(targets: HttpTargets, net: Net) -> None:
    await call(targets, "http://a.test/", headers={"Authorization": "Basic x"})
    await call(targets, f"{SERVICE}/", headers={"authorization": "x"}, oidcToken={"serviceAccountEmail": ROBOT})
    assert net.asked[0][3]["Authorization"] == "Basic x"
    assert "authorization" not in net.asked[1][3] and net.asked[1][3]["Authorization"].startswith("Bearer ")


async def test_who_does_not_answer_in_time_has_failed(targets: HttpTargets, net: Net) -> None:
    net.answers["a.test/"] = 3600.0
    began = LoopClock().mono()
    outcome = await call(targets, "http://a.test/", deadline="20s")
    assert (CODES[outcome.code], outcome.message) == ("DEADLINE_EXCEEDED", "the target did not answer within 20 s")
    assert LoopClock().mono() - began == pytest.approx(20)


async def test_localhost_is_here_whatever_resolvers_say() -> None:
    assert await lookup("mine.localhost", 80) == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("uri", "status", "target", "hint"),
    [
        (f"{SERVICE}/", 403, {}, "name an account in oidcToken"),
        (f"{SERVICE}/", 403, {"oidcToken": {"serviceAccountEmail": ROBOT}}, f"{ROBOT} needs roles/run.invoker there"),
        (f"{SERVICE}/", 401, {"oidcToken": {"serviceAccountEmail": ROBOT}}, "must be a URL of the service"),
        (JOB, 401, {}, "name an account in oauthToken"),
        (JOB, 403, {"oauthToken": {"serviceAccountEmail": ROBOT}}, f"{ROBOT} needs roles/run.invoker there"),
    ],
)
async def test_who_is_turned_away_here_is_told_what_to_do(
    targets: HttpTargets, net: Net, uri: str, status: int, target: dict[str, Any], hint: str
) -> None:
    net.answers[f"{SERVICE}/".removeprefix("http://")] = Answer(status)
    net.api_status = status
    outcome = await call(targets, uri, **target)
    assert outcome.message.startswith(f"the target answered with HTTP status {status}: ") and hint in outcome.message


async def test_others_are_not_explained(targets: HttpTargets, net: Net) -> None:
    net.answers["a.test/"] = Answer(403)
    assert (await call(targets, "http://a.test/")).message == "the target answered with HTTP status 403"
