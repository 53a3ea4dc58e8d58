"""Google's filter language, with the filters that gcloud sends (contract §7.8)."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homerun.lib.errors import Invalid
from homerun.wire.filter_nodes import required
from homerun.wire.filters import parse_filter

ENTRY = {
    "logName": "projects/p/logs/run.googleapis.com%2Fstdout",
    "resource": {"type": "cloud_run_job", "labels": {"job_name": "work", "location": "us-central1"}},
    "labels": {"run.googleapis.com/execution_name": "work-abcde", "instanceId": "0123"},
    "timestamp": "2026-11-24T12:00:00.500000Z",
    "severity": "WARNING",
    "textPayload": "it said: Hello (again)",
    "httpRequest": {"status": 503, "latency": "2.5s", "remoteIp": "10.0.0.7"},
    "jsonPayload": {
        "users": ["ann", "bob"],
        "ok": True,
        "n": 10,
        "below": -5,
        "code": "007",
        "size": "2048",
        "nothing": None,
        "nan": "nan",
        "quote": 'say "hi"',
    },
}
GCLOUD = """resource.type = cloud_run_job
 AND resource.labels.job_name = work
 AND resource.labels.location = us-central1
 AND severity >= DEFAULT
 AND timestamp>="2026-11-23T12:00:00.123456Z" """


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        (GCLOUD, True),
        ('labels."run.googleapis.com/execution_name" = work-abcde', True),
        ("labels.run.googleapis.com/execution_name=work-abcde", True),
        ("resource.type=cloud_run_job severity>=ERROR", False),
        ("severity>=WARNING", True),
        ("severity = warning", True),
        ("severity < ERROR AND severity > INFO", True),
        ("severity=(ERROR OR WARNING)", True),
        ('textPayload:"hello (AGAIN)"', True),
        ("textPayload : hello", True),
        ("textPayload=hello", False),
        ("hello", True),
        ('"Hello (again)"', True),
        ("nowhere", False),
        ("NOT hello", False),
        ("-hello", False),
        ("NOT nowhere AND hello", True),
        ("httpRequest.status>=500", True),
        ("httpRequest.status=503 OR nowhere", True),
        ("nowhere OR hello AND severity=WARNING", True),
        ("hello AND nowhere OR severity=WARNING", True),
        ("(hello AND nowhere) OR severity=ERROR", False),
        ("jsonPayload.users=ann", True),
        ("jsonPayload.users:(ann AND bob)", True),
        ("jsonPayload.users:(ann AND eve)", False),
        ("jsonPayload.users=(eve OR bob)", True),
        ("jsonPayload.users!=ann", False),
        ("jsonPayload.missing!=x", True),
        ("jsonPayload.missing=x", False),
        ("jsonPayload.n>9", True),
        ("jsonPayload.ok=true", True),
        ("jsonPayload.ok:*", True),
        ("labels:instanceId", True),
        ("labels:nothing", False),
        ('timestamp>"2026-11-24T12:00:00Z" timestamp<"2026-11-24T13:00:00+00:30"', True),
        ("timestamp >= 2026-11-24T12:00:00.5Z", True),
        ('logName="projects/p/logs/run.googleapis.com%2Fstdout"', True),
        ("logName:run.googleapis.com", True),
        ('textPayload=~"^it.*[(]again[)]$"', True),
        ('textPayload!~"again"', False),
        ("hello -- a comment\n AND severity=WARNING", True),
        ('textPayload:"\\"quoted\\""', False),
        # values
        ("resource.labels.location=(europe-west1 OR us-central1)", True),
        ("textPayload:(hello AND (again OR never))", True),
        ("textPayload:(hello NOT never)", True),
        ("textPayload:(hello again)", True),
        ("jsonPayload.below=(-5 OR 3)", True),
        ("jsonPayload.below>-10 jsonPayload.below<-4.5", True),
        ("jsonPayload.code=7", False),
        ("jsonPayload.code=007", True),
        ("jsonPayload.size>=1024", True),
        ("jsonPayload.size<9", False),
        ("jsonPayload.nothing=NULL_VALUE", True),
        ("jsonPayload.n=NULL_VALUE", False),
        ("jsonPayload.nothing:*", False),
        ("jsonPayload.missing:*", False),
        ('httpRequest.latency>"0.9s" httpRequest.latency<10s', True),
        ("severity>=400", True),
        ("severity=(ERROR OR CRITICAL)", False),
        ('timestamp>="2026-11-24"', True),
        ("timestamp<2026-11-24", False),
        ("jsonPayload.nan=nan", True),
        # escapes
        (r'textPayload=~"\bHello\b"', True),
        (r'textPayload=~"Hello \(again\)"', True),
        (r'textPayload:"\x48ello"', True),
        (r'textPayload:"\u0048ello\t"', False),
        (r'jsonPayload.quote="say \"hi\""', True),
        # functions
        ('log_id("run.googleapis.com/stdout")', True),
        ('log_id("run.googleapis.com/stderr")', False),
        ('SEARCH("AGAIN said")', True),
        ('SEARCH("aga")', False),
        ('SEARCH(textPayload, "`it Hello`")', False),
        ('SEARCH(textPayload, "`said: Hello`")', True),
        ('SEARCH(jsonPayload, "hello")', False),
        ('ip_in_net(httpRequest.remoteIp, "10.0.0.0/8")', True),
        ('NOT ip_in_net(httpRequest.remoteIp, "10.1.0.0/16") AND hello', True),
        ('ip_in_net(textPayload, "::/0")', False),
        # words side by side, and what only looks like a call
        ("said hello", True),
        ("severity=WARNING -nowhere", True),
        ("severity=WARNING -hello", False),
        ("severity = WARNING - hello", False),
        ("said (nowhere OR hello)", True),
        ("hello\nnowhere", False),
        ("-- all of it\nhello -- and more", True),
    ],
)
def test_a_filter_is_asked_about_an_entry(text: str, matches: bool) -> None:
    assert parse_filter(text).matches(ENTRY) is matches


@pytest.mark.parametrize(
    "text",
    [
        *("(", ")", "a=", "a=(", "a=(b", "=b", "a AND", "NOT", "a OR", "a..b", "a=b)", '"open', "a=()", "(" * 100),
        *('a=~"("', "severity=BAD", "timestamp>yesterday", "timestamp<=2026-13-01", "a=(b=c)", "a=(b OR)", "a==b"),
        *("f(", "f(a", "f(a b)", "log_id()", "SEARCH()", 'ip_in_net(a, "b")', "ip_in_net(a)", "SEARCH(a, b, c)"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_filter(text)
    assert caught.value.violations[0].field == "filter"


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("sample(insertId, 0.25)", "the page size"),
        ('source("folders/1")', "resourceNames"),
        ("cast(a, INT64)>1", "leave cast"),
        ('regexp_extract(a, "b")=c', "=~"),
        ("nothing(a)", "log_id, search, ip_in_net"),
    ],
)
def test_a_function_that_is_not_there_says_what_to_do_instead(text: str, instead: str) -> None:
    with pytest.raises(Invalid, match="there is no function") as caught:
        parse_filter(text)
    assert instead in caught.value.message


def test_no_expression_and_no_nesting_takes_long() -> None:
    entry = {"textPayload": "a" * 100_000 + "!"}
    assert not parse_filter('textPayload=~"(a|a)+$"').matches(entry)
    assert parse_filter("- " * 4999 + 'textPayload="b" OR ' + "NOT " * 1999 + "b").matches(entry)
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    assert not parse_filter("hello").matches(deep)
    assert not parse_filter(".".join(["a"] * 100) + "=b").matches(deep)


def test_a_filter_has_a_limit() -> None:
    for text in ("a" * 20_001, ".".join("a" * 101)):
        with pytest.raises(Invalid):
            parse_filter(text)


def test_what_a_filter_demands_outright_is_known() -> None:
    node = parse_filter(GCLOUD)
    assert required(node, ("resource", "labels", "job_name")) == "work"
    assert required(node, ("timestamp",), ">=") == "2026-11-23T12:00:00.123456Z"
    assert required(node, ("resource", "labels", "service_name")) is None


@pytest.mark.parametrize("text", ["a=b OR c=d", "NOT a=b", "a=(b OR c)", "a!=b"])
def test_what_is_one_of_several_possibilities_is_not_demanded(text: str) -> None:
    assert required(parse_filter(text), ("a",)) is None


PARTS = ("a", "b.c", '"d e"', "severity", "timestamp", "labels", "=", "!=", ">=", "<", ":", "=~", "!~", "(", ")", "AND")
PARTS += ("OR", "NOT", "-", ",", ".", "*", "5", "-1.5", "2026-11-24T12:00:00Z", "ERROR", "SEARCH(", "log_id(", "-- x\n")
PARTS += ('"\\x4"', '"\\ud800"', "NULL_VALUE", "[a", "1e999", "inf", "'x'", "ip_in_net(", '"10.0.0.0/8"', "true")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(("5", "1.5s")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("a", "b", "c", "b.c", "d e")), inner),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(PARTS), max_size=12),
    st.sampled_from(("", " ")),
    st.dictionaries(st.sampled_from(("a", "b", "d e", "severity", "timestamp", "labels", "logName")), VALUES),
)
def test_no_filter_fails_on_any_object(parts: list[str], between: str, entry: dict[str, Any]) -> None:
    try:
        node = parse_filter(between.join(parts))
    except Invalid:
        return
    assert node.matches(entry) in (True, False)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # its first draw builds the strategies
@given(st.text(alphabet="ab.\"'()=<>!:~- \\ANDORT\n", max_size=40))
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    try:
        node = parse_filter(text)
    except Invalid:
        return
    assert node.matches(ENTRY) in (True, False)
