"""One exception per google.rpc.Code that we use; each carries what the wire needs.

A message says what was wrong, where, and what would be right: it is shown to the user as it is.
Source of codes and HTTP mapping: google/rpc/code.proto.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class HomerunError(Exception):
    """Something homerun can explain. `code` is the google.rpc.Code number, `http` its HTTP status."""

    code = 2
    status = "UNKNOWN"
    http = 500

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else self.status


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field: `field` is a path in the caller's own API version, e.g. `template.containers[0].image`."""

    field: str
    description: str


class Invalid(HomerunError):
    """The request itself is wrong, whatever the state of the system (INVALID_ARGUMENT)."""

    code, status, http = 3, "INVALID_ARGUMENT", 400

    def __init__(self, message: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)

    @classmethod
    def field(cls, field: str, description: str) -> Invalid:
        return cls(f"{field}: {description}", [Violation(field, description)])


class DeadlineExceeded(HomerunError):
    code, status, http = 4, "DEADLINE_EXCEEDED", 504


class NotFound(HomerunError):
    code, status, http = 5, "NOT_FOUND", 404


class AlreadyExists(HomerunError):
    code, status, http = 6, "ALREADY_EXISTS", 409


class PermissionDenied(HomerunError):
    code, status, http = 7, "PERMISSION_DENIED", 403


class ResourceExhausted(HomerunError):
    code, status, http = 8, "RESOURCE_EXHAUSTED", 429


class FailedPrecondition(HomerunError):
    """The system's state forbids it; retrying without a change will not help."""

    code, status, http = 9, "FAILED_PRECONDITION", 400


class Aborted(HomerunError):
    """Somebody else changed the object in between: read again, then retry."""

    code, status, http = 10, "ABORTED", 409


class OutOfRange(HomerunError):
    code, status, http = 11, "OUT_OF_RANGE", 400


class Unimplemented(HomerunError):
    code, status, http = 12, "UNIMPLEMENTED", 501


class Internal(HomerunError):
    code, status, http = 13, "INTERNAL", 500


class Unavailable(HomerunError):
    code, status, http = 14, "UNAVAILABLE", 503


class Unauthenticated(HomerunError):
    code, status, http = 16, "UNAUTHENTICATED", 401
