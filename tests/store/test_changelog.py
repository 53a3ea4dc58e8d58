"""ChangeLog: the latest documents in version order, bounded."""

from hypothesis import given
from hypothesis import strategies as st

from homerun.store.base import Document
from homerun.store.changelog import ChangeLog


def document(version: int, name: str, kind: str = "A") -> Document:
    return Document(kind, name, version, {})


@given(
    batches=st.lists(st.lists(st.sampled_from("abcdef"), max_size=40), max_size=12),
    keep=st.none() | st.integers(1, 8),
    since=st.integers(0, 300),
    limit=st.integers(0, 20),
)
def test_it_answers_like_a_scan_of_everything(
    batches: list[list[str]], keep: int | None, since: int, limit: int
) -> None:
    log = ChangeLog(keep)
    everything: dict[str, Document] = {}
    version = 0
    for batch in batches:
        written = [document(version + n, name, "AB"[n % 2]) for n, name in enumerate(batch, 1)]
        # A kind belongs to its name here, or one name would be two documents.
        written = [document(d.version, d.name, "A" if d.name < "d" else "B") for d in written]
        version += len(written)
        log.extend(written)
        everything |= {d.name: d for d in written}
    since = max(since, log.floor)
    expected = sorted((d for d in everything.values() if d.version > since), key=lambda d: d.version)
    assert list(log.after(since, limit, None)) == expected[:limit]
    assert list(log.after(since, limit, ["B"])) == [d for d in expected if d.kind == "B"][:limit]


def test_it_holds_about_as_many_as_it_is_told() -> None:
    log = ChangeLog(keep=10)
    log.extend(document(n, f"name {n}") for n in range(1, 1001))
    assert log.floor == 990
    assert [d.version for d in log.after(990, 100, None)] == list(range(991, 1001))


def test_one_document_that_changes_for_ever_takes_no_more_room() -> None:
    log = ChangeLog()
    for n in range(1, 10_001):
        log.extend([document(n, "same")])
    assert len(log._changes) < 200
    assert [d.version for d in log.after(0, 10, None)] == [10_000]
