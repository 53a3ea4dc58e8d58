"""Errors in Google's JSON format."""

from homerun.lib.errors import Aborted, Invalid, Violation
from homerun.wire.status import error_body


def test_wrong_fields_are_listed_one_by_one() -> None:
    error = Invalid("two things are wrong", [Violation("a.b", "is bad"), Violation("c[0]", "too")])
    body = error_body(error)["error"]
    assert (body["code"], body["status"], body["message"]) == (400, "INVALID_ARGUMENT", "two things are wrong")
    assert body["details"][0] == {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": "a.b", "description": "is bad"}, {"field": "c[0]", "description": "too"}],
    }


def test_every_error_says_whose_it_is() -> None:
    details = error_body(Aborted("read again"))["error"]["details"]
    assert [(d["@type"].rpartition(".")[2], d["domain"]) for d in details] == [("ErrorInfo", "run.googleapis.com")]
