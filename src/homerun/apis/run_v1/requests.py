"""What v1 requests have in common: their body, and the parameters that Kubernetes gave them."""

from __future__ import annotations

from typing import Any

from homerun.apis.rest import Call
from homerun.lib.errors import Invalid, Violation
from homerun.wire.discovery import description
from homerun.wire.schema import parse

SUCCESS = {"status": "Success"}


def body_of(call: Call) -> tuple[dict[str, Any], list[Violation]]:
    """The body as its schema has it, and what is wrong with it."""
    return parse(description("run.v1").schemas, call.method.request, call.body)


def dry_run(call: Call) -> bool:
    """Raises Invalid."""
    text = call.query.get("dryRun", "")
    if text not in ("", "all", "All"):
        raise Invalid.field("dryRun", f"must be 'all' or left out, and is {text!r}")
    return bool(text)


def check_field_selector(call: Call) -> None:
    """Raises Invalid."""
    if call.query.get("fieldSelector"):
        raise Invalid.field("fieldSelector", "is not supported by Cloud Run: use labelSelector")
