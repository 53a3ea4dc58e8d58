"""What is written down is true: settings, commands, decisions, paths, links."""

from __future__ import annotations

import dataclasses
import re
import runpy
from pathlib import Path
from typing import Any, cast

import pytest

import homerun
from homerun.apis.homerun import handlers as extension
from homerun.apis.identity import handlers as identity
from homerun.meter.exposition import FAMILIES, Family
from homerun.settings import Settings
from tests.apps import __main__ as applications

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("examples/**/*.md")])
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))


def page(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("name", ["reference", "api-coverage", "limits", "conformance"])
def test_what_is_generated_is_what_the_code_says(name: str) -> None:
    generated = runpy.run_path(str(ROOT / "scripts" / name))["render"]()
    assert (DOCS / f"{name}.md").read_text() == generated, f"run scripts/{name}"


def test_each_line_of_the_runtime_contract_has_a_test_or_a_reason() -> None:
    module = runpy.run_path(str(ROOT / "scripts" / "conformance"))
    assert module["unknown"]() == []
    assert [line.says for line in module["LINES"] if not line.tests and not line.differs] == []


@pytest.mark.parametrize("name", applications.NAMES)
def test_every_application_that_is_tried_is_on_their_page_and_does_well(name: str) -> None:
    text = (DOCS / "applications.md").read_text()
    section = text.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
    assert section.count("\n- ") >= 3 and "**failed**" not in section, "run scripts/apps"


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda f: f.name)
def test_every_setting_is_in_the_reference(field: dataclasses.Field[Any]) -> None:
    assert f"| `--{field.name.replace('_', '-')}` |" in (DOCS / "reference.md").read_text()


OWN_PATHS = [*extension.routes(cast(Any, None)), *identity.routes(cast(Any, None), cast(Any, None))]


@pytest.mark.parametrize("route", OWN_PATHS, ids=lambda r: r.path)
def test_every_path_of_our_own_api_is_described(route: Any) -> None:
    written = re.sub(r"\{(\w)\w*\}", lambda match: match[1].upper(), route.path)
    assert written in (DOCS / "architecture.md").read_text()


@pytest.mark.parametrize("decision", DECISIONS, ids=page)
def test_every_decision_is_listed_and_says_why(decision: Path) -> None:
    assert f"({decision.name})" in (DOCS / "decisions" / "README.md").read_text()
    text = decision.read_text()
    assert all(f"\n## {part}\n" in text for part in ("Context", "Decision", "Consequences"))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_metric_is_described(family: Family) -> None:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    row = f"| `{family.name}` | {family.kind} | {labels} | {family.help} |"
    assert row in (DOCS / "metrics.md").read_text().splitlines()


def test_every_metric_that_is_described_is_there() -> None:
    described = re.findall(r"^\| `(homerun_\w+)`", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    assert described == [family.name for family in FAMILIES]


def test_there_are_decisions() -> None:
    assert DECISIONS


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_scripts_and_source_files_that_are_named_exist(path: Path) -> None:
    named = set(re.findall(r"`((?:scripts|examples|bench|src/homerun|tests)/[\w./-]+)`", path.read_text()))
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


@pytest.mark.parametrize(("name", "least"), [("security", 30), ("reliability", 12)])
def test_each_claim_names_tests_that_exist(name: str, least: int) -> None:
    text = (DOCS / f"{name}.md").read_text()
    claims = [row for row in text.splitlines() if re.match(r"\| .* \| .* \|", row) and "`test_" in row]
    assert len(claims) > least
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)", sources))
    assert sorted(set(re.findall(r"`(test_\w+)`", text)) - there) == []


def test_version_and_changelog_agree() -> None:
    headings = re.findall(r"^## (?:\[)?([\w.]+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1:] == [] or headings[1] == homerun.__version__


def test_the_version_is_written_once_in_each_place() -> None:
    assert f'version = "{homerun.__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_the_licence_is_there_in_full() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text
