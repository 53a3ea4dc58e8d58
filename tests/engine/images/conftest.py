"""A store in a temporary folder, and what it holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homerun.engine.images.store import ImageStore
from tests.engine.images.footprint import Footprint


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ImageStore]:
    store = ImageStore(tmp_path / "images")
    yield store
    await store.close()


@pytest.fixture
def footprint(tmp_path: Path) -> Footprint:
    return Footprint(tmp_path / "images")
