"""SQL files: named queries, numbered migrations, and a schema.sql that tells the truth."""

import sqlite3
from importlib.resources import files

import pytest

from homerun.store.sql import migrations, parse, queries


def test_a_query_is_what_follows_its_name_without_comments() -> None:
    text = "-- a file comment\n\n-- name: one\n-- why\nselect 1;\n\n-- name: two\nselect\n  2; -- kept\n"
    assert parse(text) == {"one": "select 1;", "two": "select\n  2; -- kept"}


def test_a_name_that_is_used_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="query a is there twice"):
        parse("-- name: a\nselect 1;\n-- name: a\nselect 2;")


def test_a_name_without_statement_is_refused() -> None:
    with pytest.raises(ValueError, match="query a has no statement"):
        parse("-- name: a\n-- todo\n-- name: b\nselect 2;")


def test_every_query_is_valid_against_the_schema() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript((files("homerun.store") / "schema.sql").read_text())
    names = "kind name prefix after beyond limit since kinds version deleted body internal head keep floor".split()
    for sql in queries().values():
        connection.execute(f"explain {sql}", dict.fromkeys(names, 0))
    connection.close()


def test_the_queries_of_every_day_use_an_index() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript((files("homerun.store") / "schema.sql").read_text())
    for name in ("get", "list", "current", "changed", "prune_floor"):
        values = dict.fromkeys("kind name prefix after beyond limit since kinds keep".split(), 0)
        plan = [row[3] for row in connection.execute(f"explain query plan {queries()[name]}", values)]
        assert plan[0].startswith("SEARCH documents USING") or "documents_deleted" in plan[0], (name, plan)
        assert not any("TEMP B-TREE" in step for step in plan), (name, plan)
    connection.close()


def test_migrations_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in migrations()] == list(range(1, len(migrations()) + 1))


def test_the_schema_is_what_all_migrations_add_up_to() -> None:
    def schema(*scripts: str) -> set[tuple[str, ...]]:
        connection = sqlite3.connect(":memory:")
        for script in scripts:
            connection.executescript(script)
        found = connection.execute("select type, name, tbl_name, sql from sqlite_schema").fetchall()
        connection.close()
        bare = (tuple(_without_comments(str(value)) for value in row) for row in found)
        return set(bare)

    written = schema((files("homerun.store") / "schema.sql").read_text())
    assert schema(*(migration.sql for migration in migrations())) == written


def _without_comments(sql: str) -> str:
    return "\n".join(line for line in sql.splitlines() if not line.strip().startswith("--"))
