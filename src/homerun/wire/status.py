"""A failure as Google's JSON APIs say it: code, status, message, and details that clients look at.

gcloud prints the lines of BadRequest.fieldViolations, and believes a 404 to be ours only if ErrorInfo's domain says so.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2  # noqa: F401 - so that details can be written as messages
from google.rpc.status_pb2 import Status

from homerun.lib.errors import HomerunError, Invalid

DOMAIN = "run.googleapis.com"
MESSAGE_BYTES = 1000
STATUS_BYTES = 3300
"""gRPC puts message and status (in base64) into trailers, of which clients take 8 KiB: what is more is left out."""


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


def rpc_status(error: HomerunError) -> Status:
    """The same for gRPC."""
    message = error.message.encode()[:MESSAGE_BYTES].decode(errors="ignore")
    found = details(error)
    while True:
        status = ParseDict({"code": error.code, "message": message, "details": found}, Status())
        if status.ByteSize() <= STATUS_BYTES:
            return status
        found = _fewer(found)


def _fewer(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    first, *rest = found
    violations = first.get("fieldViolations", ())
    return [{**first, "fieldViolations": violations[: len(violations) // 2]}, *rest] if len(violations) > 1 else rest
