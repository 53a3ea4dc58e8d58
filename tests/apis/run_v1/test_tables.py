"""The tables name fields that exist, on both sides."""

from typing import Any

import pytest

from homerun.apis.run_v1.tables import LAYOUTS, TABLES, TEMPLATE_METADATA, Row
from homerun.wire.discovery import description

ROWS = [(kind, row) for kind, rows in TABLES.items() for row in rows]


def walk(api: str, schema: str, path: tuple[str, ...]) -> bool:
    schemas = description(api).schemas
    node: dict[str, Any] = {"$ref": schema}
    for key in path:
        if "additionalProperties" in node:
            node = node["additionalProperties"]
            continue
        properties = schemas[node["$ref"]]["properties"] if "$ref" in node else {}
        if key not in properties:
            return False
        node = properties[key]
    return True


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=lambda value: value.v1_path if isinstance(value, Row) else value)
def test_every_row_names_a_field_of_each_version(kind: str, row: Row) -> None:
    assert walk("run.v1", kind, row.v1), row.v1_path
    assert walk("run.v2", f"GoogleCloudRunV2{kind}", row.v2), row.v2_path


@pytest.mark.parametrize("kind", TABLES)
def test_no_field_has_two_rows(kind: str) -> None:
    assert len({row.v1 for row in TABLES[kind]}) == len(TABLES[kind]) == len({row.v2 for row in TABLES[kind]})


@pytest.mark.parametrize("kind", TABLES)
def test_every_kind_with_rows_says_where_its_containers_are(kind: str) -> None:
    layout = LAYOUTS[kind]
    assert walk("run.v1", kind, (*layout.v1_spec, "containers"))
    assert walk("run.v2", f"GoogleCloudRunV2{kind}", (*layout.v2_spec, "containers"))
    assert walk("run.v1", kind, TEMPLATE_METADATA)
