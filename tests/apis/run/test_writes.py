"""Edits that others interrupt."""

from collections.abc import Sequence

import pytest

from homerun.apis.run.writes import change, check_etag, etag, existing, operation_put, with_operation
from homerun.lib.errors import Aborted, NotFound
from homerun.model.names import Name
from homerun.store.base import Conflict, Document, Put, Write
from homerun.store.memory import MemoryStore

NAME = "projects/p/locations/l/services/hello"


class Interrupted(MemoryStore):
    """Somebody else writes first, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    async def apply(self, *writes: Write) -> Sequence[Document]:
        if self.left:
            self.left -= 1
            status = (await self.get("Service", NAME)) or Document("Service", NAME, 0, {})
            await super().apply(Put("Service", NAME, {**status.body, "status": self.left}))
        return await super().apply(*writes)


def describe(document: Document | None) -> list[Write]:
    assert document is not None
    return [Put("Service", NAME, {**document.body, "description": "x"}, if_version=document.version)]


async def test_an_edit_is_made_again_on_what_a_controller_wrote_meanwhile() -> None:
    store = Interrupted(0)
    await store.apply(Put("Service", NAME, {}))
    store.left = 3
    (stored,) = await change(store, "Service", NAME, describe)
    assert stored.body == {"status": 0, "description": "x"}


async def test_it_is_not_made_for_ever() -> None:
    store = Interrupted(0)
    await store.apply(Put("Service", NAME, {}))
    store.left = 1000
    with pytest.raises(Conflict):
        await change(store, "Service", NAME, describe)


def test_an_etag_is_compared_without_its_quotes() -> None:
    document = Document("Service", NAME, 7, {}, {"etag": "abc"})
    for sent in ("", "abc", '"abc"'):
        check_etag(document, sent)
    with pytest.raises(Aborted, match="somebody changed it meanwhile"):
        check_etag(document, "abd")
    assert etag(Document("Task", NAME, 7, {})) == "7"


@pytest.mark.parametrize("document", [None, Document("Service", NAME, 1, {"deleteTime": "2026-01-01T00:00:00Z"})])
def test_what_is_being_deleted_is_not_there(document: Document | None) -> None:
    with pytest.raises(
        NotFound, match="Resource 'hello' of kind 'SERVICE' in region 'l' in project 'p' does not exist"
    ):
        existing(document, NAME)


def test_an_operation_waits_for_its_generation() -> None:
    operation = operation_put(Name.parse(NAME), "Service", {"name": NAME}, "update", {"etag": "abc", "operations": []})
    assert operation.internal["etag"] == "abc"
    assert "operations" not in operation.internal
    internal = with_operation({"etag": "abc", "operations": [{"name": "earlier"}]}, operation, 4)
    assert internal["operations"] == [{"name": "earlier"}, {"name": operation.name, "generation": 4, "verb": "update"}]
    assert operation.name.endswith(internal["operation"])
