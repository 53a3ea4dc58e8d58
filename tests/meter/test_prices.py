import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from homerun.meter import prices


def table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(prices.__file__).with_name("prices.json").read_text())
    return found


def test_what_is_assumed_is_named_and_follows_from_what_is_known() -> None:
    found = table()
    for tier, assumed in found["assumed"].items():
        for rate in assumed["rates"]:
            for unit, price in found["tiers"][tier][rate].items():
                known = Fraction(found["tiers"]["1"][rate][unit])
                assert Fraction(price) == known * Fraction(assumed["timesTier1"]), (tier, rate, unit)


def test_the_table_that_ships_is_complete_and_names_its_source() -> None:
    found = table()
    assert "Cloud Run" in found["source"] and found["currency"] == "USD"
    assert found["tiers"]["1"].keys() == found["tiers"]["2"].keys()
    assert {*found["tiers"], "regions"} == found["sources"].keys()
    assert prices.prices() is prices.prices()
