from __future__ import annotations

import pytest

from homerun.lib.http2.codes import Code, ConnectionFault
from homerun.router.http2.budget import Budget


def test_a_burst_is_allowed_and_no_more() -> None:
    budget = Budget(3, 1, lambda: 0.0)
    for _ in range(3):
        budget.spend("PING")
    with pytest.raises(ConnectionFault, match="PING") as caught:
        budget.spend("PING")
    assert caught.value.code is Code.ENHANCE_YOUR_CALM


def test_what_is_useful_makes_up_for_it() -> None:
    budget = Budget(2, 0, lambda: 0.0)
    for _ in range(100):
        budget.spend("PING")
        budget.earn()
    budget.earn()
    budget.spend("PING")
    budget.spend("PING")
    with pytest.raises(ConnectionFault):
        budget.spend("PING")


def test_it_recovers_with_time() -> None:
    now = [0.0]
    budget = Budget(2, 10, lambda: now[0])
    for second in range(20):
        now[0] = second * 0.1
        budget.spend("PING")
    now[0] = 100.0
    with pytest.raises(ConnectionFault):
        for _ in range(5):
            budget.spend("PING")
