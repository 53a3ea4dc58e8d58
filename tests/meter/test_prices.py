import json
from pathlib import Path

from homerun.meter import prices


def test_the_table_that_ships_is_complete_and_names_its_source() -> None:
    table = json.loads(Path(prices.__file__).with_name("prices.json").read_text())
    assert "Cloud Run" in table["source"] and table["currency"] == "USD"
    assert table["tiers"]["1"].keys() == table["tiers"]["2"].keys()
    assert prices.prices() is prices.prices()
