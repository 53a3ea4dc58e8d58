"""Limits of the platform, as the documentation has them."""

import pytest

from homerun.model.platform_limits import FACTS, NOT_ENFORCED, Fact


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.what)
def test_every_fact_says_something_and_has_a_source(fact: Fact) -> None:
    assert fact.there or fact.here
    assert bool(fact.there) == bool(fact.source), "what the real platform does is written somewhere"


def test_what_is_not_enforced_is_said() -> None:
    assert all(reason.endswith(".") for reason in NOT_ENFORCED)
