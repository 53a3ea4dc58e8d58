from __future__ import annotations

import pytest

from homerun.router import errors
from homerun.router.errors import Refusal


def test_a_refusal_is_a_whole_answer() -> None:
    assert Refusal(429, "Rate exceeded.", retry_after=1).encode(head_only=False, keep_alive=True) == (
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 15\r\n"
        b"Retry-After: 1\r\nConnection: keep-alive\r\n\r\nRate exceeded.\n"
    )


def test_the_answer_to_head_has_the_length_and_not_the_body() -> None:
    encoded = errors.METHOD.encode(head_only=True, keep_alive=False)
    assert encoded.endswith(b"Connection: close\r\n\r\n")
    assert b"Content-Length: 53\r\n" in encoded
    assert b"Allow: GET, HEAD" in encoded


@pytest.mark.parametrize(
    ("refusal", "status", "text"),
    [
        (errors.TIMEOUT, 504, "upstream request timeout"),
        (errors.NO_INSTANCE, 429, "Rate exceeded."),
        (errors.not_started("exit code 3"), 503, "could not start successfully: exit code 3"),
        (
            errors.instance_error("it broke"),
            503,
            "troubleshooting#malformed-response-or-connection-error\nCause: it broke.",
        ),
        (errors.body_too_large(7), 413, "limit of 7 bytes"),
        (errors.head_too_large(7), 431, "limit of 7 bytes"),
        (errors.not_ready("hello"), 503, "Service hello has no revision that is ready"),
        (errors.revision_gone("hello-1"), 503, "Revision hello-1 was deleted"),
        (errors.unsupported_encoding("gzip"), 501, "'gzip' is not supported"),
        (errors.bad_request("it is bad"), 400, "malformed: it is bad"),
    ],
)
def test_texts_say_what_was_wrong(refusal: Refusal, status: int, text: str) -> None:
    assert refusal.status == status
    assert text.encode() in refusal.encode(head_only=False, keep_alive=True)


def test_a_host_name_is_no_way_to_put_html_into_a_page() -> None:
    encoded = errors.unknown_host("<script>").encode(head_only=False, keep_alive=True)
    assert b"<script>" not in encoded
    assert b"Content-Type: text/html" in encoded


def test_a_cause_that_is_not_ascii_is_encoded() -> None:
    encoded = errors.not_started("naïve ✗").encode(head_only=False, keep_alive=True)
    head, body = encoded.split(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(body) in head
