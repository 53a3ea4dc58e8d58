"""How the findings about a machine are shown, and what the exit code says."""

from __future__ import annotations

import json

import pytest

from homerun.daemon import doctor
from homerun.engine.oci.doctor import Check
from homerun.lib.errors import Invalid

FINE = Check("root", True, "uid 0")
MISSING = Check("crun", False, "not installed", "apt-get install crun")
OPTIONAL = Check("buildah", False, "not installed", "apt-get install buildah", essential=False)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    found: list[Check] = []

    async def checks(state: object) -> list[Check]:
        return found

    monkeypatch.setattr(doctor, "checks", checks)
    return found


async def test_what_is_missing_is_shown_with_its_remedy(
    machine: list[Check], capsys: pytest.CaptureFixture[str]
) -> None:
    machine += [FINE, MISSING]
    assert await doctor.run([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok      root  uid 0",
        "MISSING crun  not installed",
        "              -> apt-get install crun",
    ]


async def test_what_homerun_can_do_without_is_a_note(machine: list[Check], capsys: pytest.CaptureFixture[str]) -> None:
    machine += [FINE, OPTIONAL]
    assert await doctor.run(["--format", "table"]) == 0
    assert "note    buildah" in capsys.readouterr().out


async def test_json_has_all_that_is_known(machine: list[Check], capsys: pytest.CaptureFixture[str]) -> None:
    machine += [MISSING]
    assert await doctor.run(["--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "crun",
            "ok": False,
            "found": "not installed",
            "remedy": "apt-get install crun",
            "essential": True,
        }
    ]


async def test_other_arguments_are_refused() -> None:
    with pytest.raises(Invalid, match="--format table or --format json, not --verbose"):
        await doctor.run(["--verbose"])
