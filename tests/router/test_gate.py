"""Requests to services that are not open to everybody, as their clients send them."""

from __future__ import annotations

import base64
import json
import re
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homerun.model.identity import ANY_SERVICE, subject_of
from homerun.router.gate import Gate
from homerun.router.headers import RequestHead
from homerun.router.origin import Origin
from homerun.router.passports import Passports
from homerun.wire.link import Access, Demand, KeySet, RequestLog, RouteSet, Target
from tests.router.test_protocol import body, status
from tests.support.clock import EPOCH
from tests.support.identity import ROBOT, URL, id_token, issuer, keys
from tests.support.router import HOST, World

pytestmark = pytest.mark.looptime

SERVICE = "projects/p/locations/l/services/hello"
ANN = "ann@example.com"
Ingress = Literal["all", "internal", "none"]


def private(*emails: str, domains: tuple[str, ...] = (), known: bool = False) -> Access:
    return Access([URL, "custom", ANY_SERVICE], [subject_of(email) for email in emails], list(domains), known)


def protect(world: World, access: Access | None = None, ingress: Ingress = "all") -> None:
    """The service of `world`, with an instance, for those who may."""
    world.service(1)
    world.router.apply(KeySet(keys().pems()))
    targets = [Target("r", 100), Target("r", 0, "green")]
    world.router.apply(RouteSet(SERVICE, [HOST], targets, access, ingress))


def token(email: str = ANN, audience: str = URL, now: float = EPOCH) -> str:
    return id_token(email, audience, now)


def request(*headers: str, host: str = HOST) -> bytes:
    return "\r\n".join(["GET / HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


def stripped(sent: str) -> str:
    return sent.rpartition(".")[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"


async def refused(world: World, *headers: str, host: str = HOST) -> tuple[int, str]:
    """The status and what the body says. Nothing must have reached the instance, or asked for one."""
    answer = world.client(request(*headers, host=host)).take()
    await world.settle()
    assert world.open(1) == []
    assert not [report for report in world.reports() if isinstance(report, Demand)]
    text = re.sub("<[^>]+>", " ", body(answer).decode())
    return status(answer), text


async def passed(world: World, *headers: str, host: str = HOST) -> bytes:
    """The request as the instance got it."""
    client = world.client(request(*headers, host=host))
    got = await world.serve(1)
    assert status(client.take()) == 200
    return got


async def test_without_a_token_nobody_gets_in(world: World) -> None:
    protect(world, private(ANN))
    code, text = await refused(world)
    assert code == 403
    assert "The request was not authenticated. Either allow unauthenticated invocations or set the proper" in text


async def test_with_the_right_one_the_container_sees_it_without_its_signature(world: World) -> None:
    protect(world, private(ANN))
    sent = token()
    got = await passed(world, f"authorization: Bearer {sent}", "X-Mine: yes")
    assert f"authorization: Bearer {stripped(sent)}\r\n".encode() in got
    assert b"X-Mine: yes\r\n" in got
    assert sent.rpartition(".")[2].encode() not in got


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
async def test_the_scheme_may_be_written_in_any_way(world: World, scheme: str) -> None:
    protect(world, private(ANN))
    await passed(world, f"Authorization: {scheme} {token()}")


async def test_x_serverless_authorization_comes_first_and_leaves_the_other_alone(world: World) -> None:
    protect(world, private(ANN))
    sent, own = token(), "Bearer of-the-application"
    got = await passed(world, f"Authorization: {own}", f"X-Serverless-Authorization: Bearer {sent}")
    assert f"Authorization: {own}\r\n".encode() in got
    assert f"X-Serverless-Authorization: Bearer {stripped(sent)}\r\n".encode() in got
    code, _ = await refused_after(world, f"Authorization: Bearer {sent}", "X-Serverless-Authorization: Bearer bad")
    assert code == 401


async def refused_after(world: World, *headers: str) -> tuple[int, str]:
    """As `refused`, where an instance has a connection already."""
    answer = world.client(request(*headers)).take()
    return status(answer), body(answer).decode()


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("Bearer garbage", "it is no JSON Web Token"),
        ("Bearer", "not of the form"),
        ("Bearer  ", "not of the form"),
        ("Basic dXNlcjpwYXNz", "not of the form"),
        (f"Bearer {token(now=EPOCH - 3600)}", "it has expired"),
        (f"Bearer {token()[:-8]}AAAAAAAA", "its signature is wrong"),
        (f"Bearer {stripped(token())}", "its signature is wrong"),
        (f"Bearer {token(audience='http://x')}", f"its audience is 'http://x', and this service expects {URL}"),
        (f"Bearer {issuer().access_token(ANN, EPOCH).text}", "it is not an ID token: get one with"),
        ("Bearer " + "x" * 9000, "it has more than 8192 bytes"),
    ],
)  # fmt: skip
async def test_a_bad_token_is_answered_401_with_what_is_wrong(world: World, header: str, says: str) -> None:
    protect(world, private(ANN))
    answer = world.client(request(f"Authorization: {header}")).take()
    assert status(answer) == 401
    assert b'WWW-Authenticate: Bearer error="invalid_token"\r\n' in answer
    text = body(answer).decode().replace("&#x27;", "'").replace("&#39;", "'")
    assert "The access token could not be verified" in text and says in text


async def test_two_such_headers_are_one_too_many(world: World) -> None:
    protect(world, private(ANN))
    code, text = await refused(world, f"Authorization: Bearer {token()}", "Authorization: Basic x")
    assert (code, "more than one" in text) == (401, True)


async def test_somebody_who_may_not_is_told_who_they_are(world: World) -> None:
    protect(world, private(ANN))
    code, text = await refused(world, f"Authorization: Bearer {token('bob@example.com')}")
    assert code == 403
    assert "not authorized to invoke this service: bob@example.com has no role with run.routes.invoke on hello" in text
    assert ANN not in text, "who else may is none of their business"


async def test_who_is_let_in(world: World) -> None:
    for access in (private(ANN), private(domains=("example.com",)), private(known=True)):
        protect(world, access)
        await passed(world, f"Authorization: Bearer {token()}")
    protect(world, private(ROBOT))
    await passed(world, f"Authorization: Bearer {id_token(ROBOT, URL, EPOCH, include_email=False)}")


@pytest.mark.parametrize("audience", [URL, URL + "/", "custom", ANY_SERVICE])
async def test_a_token_may_be_for_any_of_the_service_s_audiences(world: World, audience: str) -> None:
    protect(world, private(ANN))
    await passed(world, f"Authorization: Bearer {token(audience=audience)}")


async def test_the_host_of_a_tag_is_guarded_alike(world: World) -> None:
    protect(world, private(ANN))
    assert (await refused(world, host=f"green---{HOST}"))[0] == 403
    await passed(world, f"Authorization: Bearer {token()}", host=f"green---{HOST}")


async def test_a_change_of_who_may_holds_for_the_next_request_on_the_same_connection(world: World) -> None:
    protect(world, private(ANN))
    client = world.client(request(f"Authorization: Bearer {token()}"))
    await world.serve(1)
    assert status(client.take()) == 200
    protect(world, private("bob@example.com"))
    client.feed(request(f"Authorization: Bearer {token()}"))
    assert status(client.take()) == 403
    protect(world, None)
    client.feed(request())
    await world.serve(1)
    assert status(client.take()) == 200


async def test_a_token_that_expires_is_no_longer_good_on_an_open_connection(world: World) -> None:
    import asyncio

    protect(world, private(ANN))
    sent = token(now=EPOCH - 3590)
    client = world.client(request(f"Authorization: Bearer {sent}"))
    await world.serve(1)
    assert status(client.take()) == 200
    await asyncio.sleep(11)
    client.feed(request(f"Authorization: Bearer {sent}"))
    assert status(client.take()) == 401


async def test_a_public_service_leaves_the_header_as_it_is(world: World) -> None:
    protect(world, None)
    sent = token()
    got = await passed(world, f"Authorization: Bearer {sent}", "X-Serverless-Authorization: Bearer x")
    assert f"Authorization: Bearer {sent}\r\n".encode() in got
    assert b"X-Serverless-Authorization: Bearer x\r\n" in got


async def test_a_refused_request_can_be_read_in_the_log(world: World) -> None:
    import asyncio

    protect(world, private(ANN))
    await refused(world)
    await asyncio.sleep(1.5)
    [log] = [report for report in world.reports() if isinstance(report, RequestLog)]
    assert (log.revision, log.instance, log.status) == ("r", "", 403)
    assert log.at == pytest.approx(EPOCH, abs=0.5)
    assert log.text.startswith("The request was not authenticated.")
    await asyncio.sleep(3)
    assert world.reports() == [], "and then there is silence again"


async def test_a_refused_body_is_not_waited_for(world: World) -> None:
    protect(world, private(ANN))
    head = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    answer = world.client(head.encode()).take()
    assert status(answer) == 403
    assert b"100 Continue" not in answer


@pytest.mark.parametrize(
    ("peer", "inside"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("192.168.1.9", True),
        ("fd00::7", True),
        ("::ffff:10.0.0.1", True),
        ("8.8.8.8", False),
        ("2600::1", False),
        ("::ffff:8.8.8.8", False),
        ("", False),
    ],
)
async def test_an_internal_service_does_not_exist_for_those_outside(world: World, peer: str, inside: bool) -> None:
    protect(world, None, "internal")
    client = world.client(request(), peer)
    if inside:
        await world.serve(1)
        assert status(client.take()) == 200
    else:
        answer = client.take()
        assert status(answer) == 404
        assert b"No service answers to the host name" in answer


async def test_a_closed_service_exists_for_nobody(world: World) -> None:
    protect(world, None, "none")
    assert status(world.client(request(), "127.0.0.1").take()) == 404


async def test_ingress_comes_before_identity(world: World) -> None:
    protect(world, private(ANN), "internal")
    assert status(world.client(request(f"Authorization: Bearer {token()}"), "8.8.8.8").take()) == 404
    assert status(world.client(request(), "10.0.0.1").take()) == 403


def gate() -> tuple[Gate, Passports]:
    passports = Passports()
    passports.set_keys(KeySet(keys().pems()))
    return Gate(RouteSet(SERVICE, [HOST], [], private(ANN))), passports


VALUE = st.binary(max_size=120) | st.sampled_from([b"Bearer ", b"Bearer a.b.c", f"Bearer {token()}".encode()])


@given(st.lists(st.tuples(st.sampled_from([b"Authorization", b"x-serverless-authorization", b"X"]), VALUE), max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_headers_are_nobody_gets_in_but_with_a_good_token(headers: list[tuple[bytes, bytes]]) -> None:
    head = RequestHead()
    for name, value in headers:
        head.lines += (name, b": ", value, b"\r\n")
    made, passports = gate()
    checked = made.check(head, Origin("8.8.8.8", "http"), passports, EPOCH)
    decisive = [v for n, v in headers if n.lower() == b"x-serverless-authorization"]
    decisive = decisive or [v for n, v in headers if n == b"Authorization"]
    good = f"Bearer {token()}".encode()
    assert isinstance(checked, RequestHead) is ([value.strip(b" \t") for value in decisive] == [good])
    assert isinstance(checked, RequestHead) or checked.encode(head_only=False, keep_alive=True)


def test_the_claims_that_the_container_sees_are_those_that_were_proved() -> None:
    made, passports = gate()
    head = RequestHead()
    head.lines += (b"Authorization", b": ", f"Bearer {token()}".encode(), b"\r\n")
    checked = made.check(head, Origin("8.8.8.8", "http"), passports, EPOCH)
    assert isinstance(checked, RequestHead) and checked is not head
    payload = checked.lines[2].split(b".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + b"=="))["email"] == ANN
