"""A project by its number is the one by its id."""

import pytest

from homerun.model.project import Projects
from homerun.store.base import Put
from homerun.store.memory import MemoryStore
from homerun.store.project_ids import project_id


@pytest.mark.parametrize(
    ("asked", "id"), [("homerun", "homerun"), ("100", "homerun"), ("other", "other"), ("200", "other"), ("300", "300")]
)
async def test_ids(asked: str, id: str) -> None:
    store = MemoryStore()
    await store.apply(Put("Project", "projects/200", {"projectId": "other", "projectNumber": "200"}))
    assert await project_id(store, Projects("homerun", "100"), asked) == id
