"""Where CRIU is, for the tests that need one; empty: nowhere. `scripts/criu .cache/criu` gets it."""

from __future__ import annotations

from pathlib import Path

from homerun.engine.oci.checkpoints import FOLDER

_PLACES = (Path(__file__).parents[2] / ".cache/criu/criu", Path(FOLDER) / "criu")
CRIU = next((str(place) for place in _PLACES if place.exists()), "")
