"""A failure as Google's JSON APIs say it: code, status, message, and details that clients look at.

gcloud prints the lines of BadRequest.fieldViolations, and believes a 404 to be ours only if ErrorInfo's domain says so.
"""

from __future__ import annotations

from typing import Any

from homerun.lib.errors import HomerunError, Invalid

DOMAIN = "run.googleapis.com"


def error_body(error: HomerunError) -> dict[str, Any]:
    return {
        "error": {
            "code": error.http,
            "message": error.message,
            "status": error.status,
            "details": details(error),
        }
    }


def details(error: HomerunError) -> list[dict[str, Any]]:
    """google.rpc details: which fields were wrong, and whose error it is."""
    found: list[dict[str, Any]] = []
    if isinstance(error, Invalid) and error.violations:
        violations = [{"field": v.field, "description": v.description} for v in error.violations]
        found.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    found.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.status, "domain": DOMAIN})
    return found
