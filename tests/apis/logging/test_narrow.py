"""What a filter demands is read from it; and never more than it demands."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from homerun.apis.logging.narrow import narrowed
from homerun.store.log_base import LogQuery, LogRow, Origin
from homerun.store.log_memory import MemoryLogStore
from homerun.wire.filters import parse_filter

HELLO = Origin(
    "run.googleapis.com/stdout",
    "cloud_run_revision",
    (("project_id", "p"), ("location", "r"), ("service_name", "hello")),
    (("instanceId", "1a"),),
)
WORK = Origin(
    "run.googleapis.com/stderr",
    "cloud_run_job",
    (("project_id", "p"), ("location", "r"), ("job_name", "work")),
    (("run.googleapis.com/execution_name", "work-x"), ("run.googleapis.com/task_index", "0")),
)
MINE = Origin("mine", "global", (("project_id", "p"),))


def query(filter: str) -> LogQuery:
    return narrowed(LogQuery("p"), parse_filter(filter))


def test_times_become_bounds() -> None:
    found = query('timestamp>="2026-01-01T00:00:00Z" AND timestamp<"2026-01-01T00:00:01Z"')
    assert (found.since, found.until) == (1767225599999999, 1767225601000001)


def test_severity_becomes_a_bound() -> None:
    assert query("severity>=WARNING AND severity > INFO").severity == 400
    assert query("severity<ERROR OR severity>=ERROR").severity == 0
    assert query("severity=ERROR").severity == 500


@pytest.mark.parametrize(
    ("filter", "origins"),
    [
        ("resource.type = cloud_run_revision AND resource.labels.service_name = HELLO", {HELLO}),
        ("resource.labels.location = r", {HELLO, WORK}),
        ('logName = "projects/p/logs/run.googleapis.com%2Fstderr"', {WORK}),
        ('labels."run.googleapis.com/execution_name" = work-x AND resource.type = cloud_run_job', {WORK}),
        ("labels.instanceId = 1a AND resource.type = cloud_run_revision", {HELLO}),
        ("resource.type = global OR resource.type = cloud_run_job", {HELLO, WORK, MINE}),
        ("NOT resource.type = global", {HELLO, WORK, MINE}),
    ],
)
def test_labels_choose_origins(filter: str, origins: set[Origin]) -> None:
    wanted = query(filter).wanted
    assert {origin for origin in (HELLO, WORK, MINE) if wanted(origin)} == origins


@pytest.mark.parametrize(
    ("filter", "texts"),
    [
        ('textPayload:"timed out"', ("timed out",)),
        ('textPayload="timed out" AND jsonPayload.user:bob', ("timed out", "bob")),
        ('SEARCH("connection timeout")', ("connection", "timeout")),
        ('SEARCH(textPayload, "`out of memory`")', ("out", "of", "memory")),
        ('"disk full"', ("disk full",)),
        # What could be written otherwise, or be made when the entry is read, is not looked for.
        ('textPayload:"12"', ()),
        ("jsonPayload.done=true", ()),
        ("ERROR", ()),
        ("2026", ()),
        ("00000000000000ff", ()),
        ('textPayload:"say \\"please\\" to them"', (" to them",)),
        ('NOT textPayload:"quiet"', ()),
        ('textPayload:"one" OR textPayload:"two"', ()),
        ("textPayload:*", ()),
        ("httpRequest.status>=500", ()),
    ],
)
def test_texts_are_looked_for(filter: str, texts: tuple[str, ...]) -> None:
    assert query(filter).texts == texts


WORDS = ["error", "Timeout", "ümlaut", "100%", 'a "quoted" word', "line\nbreak", "12", "true", "x_y", "hello"]


@pytest.mark.parametrize("seed", range(10))
def test_what_is_narrowed_finds_what_the_filter_alone_does(seed: int) -> None:
    chance, store = random.Random(seed), MemoryLogStore()
    for number in range(80):
        word, other = chance.choice(WORDS), chance.choice(WORDS)
        origin = chance.choice([HELLO, WORK, MINE])
        if chance.random() < 0.5:
            row = LogRow(number, origin, chance.choice([0, 200, 500]), f"{word} {other}")
        else:
            more = {"jsonPayload": {"word": word, "deep": [{"n": 12.0, "other": other}], "flag": True}}
            row = LogRow(number, origin, 0, None, _json(more))
        store.append("p", [row], {}, 0)
    everything = [found.entry("p") for found in store.search(LogQuery("p"))]
    for filter in [_filter(chance) for _ in range(40)]:
        node = parse_filter(filter)
        quick = [e for e in (f.entry("p") for f in store.search(narrowed(LogQuery("p"), node))) if node.matches(e)]
        assert quick == [entry for entry in everything if node.matches(entry)], filter


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _filter(chance: random.Random) -> str:
    word = _json(chance.choice(WORDS))
    parts = [
        f"textPayload:{word}",
        f"jsonPayload.word={word}",
        f"jsonPayload.deep.other:{word}",
        f"SEARCH({word})",
        f"SEARCH(jsonPayload, {word})",
        word,
        "severity>=INFO",
        "resource.labels.service_name=hello",
        "labels.instanceId=1a",
        "jsonPayload.deep.n=12",
        "jsonPayload.flag=true",
        "stdout",
        "cloud_run",
        "INFO",
    ]
    return chance.choice([" AND ", " OR ", " "]).join(chance.sample(parts, chance.randrange(1, 4)))
