"""Parameters that v1 has from Kubernetes."""

from dataclasses import replace

import pytest

from homerun.apis.rest import Call
from homerun.apis.run_v1.requests import body_of, check_field_selector, dry_run
from homerun.lib.errors import Invalid
from homerun.wire.discovery import description

CREATE = description("run.v1").methods["run.namespaces.services.create"]
CALL = Call(CREATE, {})


@pytest.mark.parametrize(("text", "value"), [("", False), ("all", True)])
def test_dry_run(text: str, value: bool) -> None:
    assert dry_run(replace(CALL, query={"dryRun": text})) is value


def test_other_dry_runs_are_refused() -> None:
    with pytest.raises(Invalid):
        dry_run(replace(CALL, query={"dryRun": "some"}))


def test_fields_cannot_be_selected_by() -> None:
    check_field_selector(CALL)
    with pytest.raises(Invalid):
        check_field_selector(replace(CALL, query={"fieldSelector": "a=b"}))


def test_a_body_is_what_its_schema_says() -> None:
    body, violations = body_of(replace(CALL, body={"kind": "Service", "typo": 1}))
    assert (body, [v.field for v in violations]) == ({"kind": "Service"}, ["typo"])
