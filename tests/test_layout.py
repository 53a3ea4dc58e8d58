"""The shape of the repository: who imports whom, how long things may be, and that each file has its test."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "homerun"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in SOURCES if path.name not in ("__init__.py", "__main__.py")]

FILE_CAP = 600
FUNCTION_CAP = 70

TESTED_THROUGH = {
    # Ports and what all implementations share: one suite for each.
    "tests/contract/test_engine.py": ("engine/base.py", "engine/fake/output.py", "engine/output.py"),
    "tests/engine/fake/test_engine.py": ("engine/fake/instance.py", "engine/fake/script.py"),
    "tests/contract/test_log_store.py": ("store/log_base.py", "store/log_memory.py", "store/log_segment.py"),
    "tests/contract/test_vault.py": ("store/vault.py",),
    "tests/contract/test_store.py": ("store/base.py", "store/sqlite_file.py", "store/sqlite_writer.py"),
    # Reconcilers only make sense together: the whole control process in virtual time.
    "tests/controllers/test_service.py": (
        "controllers/container_spec.py",
        "controllers/discards.py",
        "controllers/failure.py",
        "controllers/loop.py",
        "controllers/operations.py",
        "controllers/revision_document.py",
        "controllers/rollout.py",
        "controllers/targets.py",
        "controllers/traffic.py",
        "daemon/control.py",
    ),
    "tests/controllers/test_capacity.py": ("controllers/group.py", "controllers/instance_spec.py"),
    "tests/controllers/test_janitor.py": ("controllers/burial.py",),
    "tests/controllers/test_revision.py": ("controllers/revision_status.py", "controllers/surplus.py"),
    "tests/controllers/test_execution.py": (
        "controllers/attempt_spec.py",
        "controllers/execution_deletion.py",
        "controllers/execution_record.py",
        "controllers/execution_status.py",
        "controllers/refusals.py",
        "controllers/task_document.py",
    ),
    "tests/wire/test_filters.py": (
        "wire/filter_functions.py",
        "wire/filter_nodes.py",
        "wire/filter_values.py",
    ),
    "tests/apis/logging/test_handlers.py": (
        "apis/logging/keeper.py",
        "apis/logging/reading.py",
        "apis/logging/writing.py",
    ),
    # What the two versions of the API do alike, seen through them.
    "tests/apis/run_v2/test_handlers.py": (
        "apis/run/executions.py",
        "apis/run/kinds.py",
        "apis/run/policies.py",
        "apis/run/resources.py",
        "apis/run/revisions.py",
        "apis/run_v2/views.py",
    ),
    "tests/apis/secretmanager/test_handlers.py": (
        "apis/secretmanager/reads.py",
        "apis/secretmanager/secrets.py",
        "apis/secretmanager/versions.py",
        "apis/secretmanager/views.py",
    ),
    "tests/apis/cloudscheduler/test_handlers.py": ("apis/cloudscheduler/jobs.py",),
    "tests/apis/run_v1/test_domains.py": ("apis/run_v1/domain_status.py", "controllers/domain.py"),
    "tests/apis/run_v1/test_handlers.py": (
        "apis/run_v1/locations.py",
        "apis/run_v1/names.py",
        "apis/run_v1/objects.py",
        "apis/run_v1/overrides.py",
    ),
    "tests/daemon/test_observatory.py": ("controllers/observer.py",),
    "tests/daemon/test_options.py": ("settings.py",),
}
"""Files without a test of their own name, by the test through which they are tested. Keep it short."""

ELSEWHERE = {name: test for test, names in TESTED_THROUGH.items() for name in names}


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_imports_go_down_only_and_never_sideways() -> None:
    """In a process of its own: import-linter sets up logging so that every logger that exists already falls silent."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_longer_than_one_can_keep_in_mind() -> None:
    long = {relative(path): lines for path in SOURCES if (lines := len(path.read_text().splitlines())) > FILE_CAP}
    assert long == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [(relative(path), name, size) for path in SOURCES for name, size in functions(path) if size > FUNCTION_CAP]
    assert long == []


def test_every_file_begins_with_its_idea() -> None:
    without = [relative(p) for p in SOURCES if p.read_text().strip() and not ast.get_docstring(tree(p))]
    assert without == []


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_every_file_has_a_test_of_its_name(path: Path) -> None:
    if relative(path) not in ELSEWHERE:
        folder = ROOT / "tests" / path.parent.relative_to(PACKAGE)
        assert list(folder.glob(f"test_{path.stem}*.py")), f"write {folder.relative_to(ROOT)}/test_{path.stem}.py"


@pytest.mark.parametrize("name", ELSEWHERE)
def test_no_exception_outlives_its_reason(name: str) -> None:
    path = PACKAGE / name
    assert path.exists()
    assert (ROOT / ELSEWHERE[name]).exists()
    assert not (ROOT / "tests" / Path(name).parent / f"test_{path.stem}.py").exists()
