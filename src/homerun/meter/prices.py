"""The price table that ships: prices.json beside this file, with its sources in it.

Tier 1 is what contract §6 quotes. Of tier 2 the prices of services billed by request, also at rest, are known: 1.4
times those of tier 1. The others are assumed to be so as well, and the table says which these are.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

from homerun.core.tariff import Tariff


@functools.cache
def prices() -> Tariff:
    return Tariff.parse(json.loads(Path(__file__).with_name("prices.json").read_text()))
