"""Errors in Google's JSON format, and for gRPC."""

from urllib.parse import quote

import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo

from homerun.lib.errors import Aborted, Invalid, Violation
from homerun.wire.status import error_body, rpc_status


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


def test_over_grpc_the_details_are_messages() -> None:
    status = rpc_status(Invalid("wrong", [Violation("a.b", "is bad")]))
    bad, info = BadRequest(), ErrorInfo()
    assert (status.code, status.message) == (3, "wrong")
    assert status.details[0].Unpack(bad) and status.details[1].Unpack(info)
    assert (bad.field_violations[0].field, info.domain) == ("a.b", "run.googleapis.com")


@pytest.mark.parametrize("text", ["x" * 100, "ü" * 2000])
def test_what_is_too_much_for_trailers_is_left_out(text: str) -> None:
    many = [Violation(f"template.containers[0].env[{index}].name", text) for index in range(1000)]
    status = rpc_status(Invalid("; ".join(v.description for v in many), many))
    assert len(quote(status.message)) + status.ByteSize() * 4 / 3 < 8000
    assert status.details[-1].TypeName() == "google.rpc.ErrorInfo"
    bad = BadRequest()
    if len(text) < 200:
        assert status.details[0].Unpack(bad) and len(bad.field_violations) > 10
