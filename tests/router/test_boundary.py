from __future__ import annotations

import asyncio

import pytest

from homerun.router.boundary import Boundary

pytestmark = pytest.mark.looptime


def boundary() -> Boundary:
    return Boundary(asyncio.get_running_loop())


async def test_a_request_in_one_piece_is_that_piece() -> None:
    assert boundary().cut(b"GET", whole=True) == b"GET"


async def test_a_head_in_pieces_is_all_of_them() -> None:
    cut = boundary()
    cut.keep(b"G", first=True, alone=True)
    cut.keep(b"E", first=False, alone=True)
    assert cut.cut(b"T", whole=False) == b"GET"
    # The next one begins anew.
    cut.keep(b"P", first=True, alone=True)
    assert cut.cut(b"UT", whole=False) == b"PUT"


async def test_what_began_together_with_another_request_cannot_be_cut_out() -> None:
    cut = boundary()
    cut.keep(b"...G", first=True, alone=False)
    cut.keep(b"E", first=False, alone=True)
    assert cut.cut(b"T", whole=False) is None


async def test_nor_can_what_ends_behind_another_one_in_the_same_bytes() -> None:
    cut = boundary()
    cut.mix()
    assert cut.cut(b"...GET", whole=True) is None
    cut.keep(b"...G", first=True, alone=True)
    await asyncio.sleep(0)
    assert cut.cut(b"ET", whole=False) is None
    assert cut.cut(b"GET", whole=True) == b"GET"
