"""Google's filter language, with the filters that gcloud sends (contract §7.8)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homerun.lib.errors import Invalid
from homerun.wire.filters import parse_filter, required

ENTRY = {
    "logName": "projects/p/logs/run.googleapis.com%2Fstdout",
    "resource": {"type": "cloud_run_job", "labels": {"job_name": "work", "location": "us-central1"}},
    "labels": {"run.googleapis.com/execution_name": "work-abcde", "instanceId": "0123"},
    "timestamp": "2026-11-24T12:00:00.500000Z",
    "severity": "WARNING",
    "textPayload": "it said: Hello (again)",
    "httpRequest": {"status": 503},
    "jsonPayload": {"users": ["ann", "bob"], "ok": True, "n": 10},
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
    ],
)
def test_a_filter_is_asked_about_an_entry(text: str, matches: bool) -> None:
    assert parse_filter(text).matches(ENTRY) is matches


@pytest.mark.parametrize(
    "text",
    ["(", ")", "a=", "a=(", "a=(b", "=b", "a AND", "NOT", "a OR", "a..b", "a=b)", '"open', "a=()", "(" * 100, 'a=~"("'],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_filter(text)
    assert caught.value.violations[0].field == "filter"


def test_no_expression_and_no_nesting_takes_long() -> None:
    entry = {"textPayload": "a" * 100_000 + "!"}
    assert not parse_filter('textPayload=~"(a|a)+$"').matches(entry)
    assert parse_filter("-" * 100_000 + 'textPayload="b" OR NOT ' + "NOT " * 9999 + "b").matches(entry)


def test_what_a_filter_demands_outright_is_known() -> None:
    node = parse_filter(GCLOUD)
    assert required(node, ("resource", "labels", "job_name")) == "work"
    assert required(node, ("timestamp",), ">=") == "2026-11-23T12:00:00.123456Z"
    assert required(node, ("resource", "labels", "service_name")) is None


@pytest.mark.parametrize("text", ["a=b OR c=d", "NOT a=b", "a=(b OR c)", "a!=b"])
def test_what_is_one_of_several_possibilities_is_not_demanded(text: str) -> None:
    assert required(parse_filter(text), ("a",)) is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # its first draw builds the strategies
@given(st.text(alphabet="ab.\"'()=<>!:~- \\ANDORT\n", max_size=40))
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    try:
        node = parse_filter(text)
    except Invalid:
        return
    assert node.matches(ENTRY) in (True, False)
