"""What becomes of the outcome of trials: a page, and a file that keeps the latest of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.apps import report


def row(name: str, error: str = "") -> dict[str, Any]:
    checks = [{"what": "its page", "error": error}]
    known = {"version": "1.2", "image_mib": 7, "cold_ms": 40, "figure": "5 requests/s", "load": 0.5}
    return {"name": name, **known, "checks": checks}


def test_the_file_keeps_the_latest_of_each(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "applications.json"
    report.merge(file, [row("nginx", "404"), row("redis")])
    known = report.merge(file, [row("nginx")])
    assert known == {"nginx": row("nginx"), "redis": row("redis")}


def test_the_page_says_what_was_checked_and_what_failed(tmp_path: Path) -> None:
    page = tmp_path / "applications.md"
    report.write_page(page, [row("nginx", "404"), row("redis")])
    text = page.read_text()
    assert "| nginx" in text and "failed: its page" in text
    assert "- **failed**: its page" in text.partition("### nginx")[2].partition("### redis")[0]
    assert "\n- its page" in text.partition("### redis")[2]
    assert report.summary("redis") in text
