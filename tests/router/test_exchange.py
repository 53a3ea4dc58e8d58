from __future__ import annotations

from typing import Any

import pytest

from homerun.router.exchange import Exchange
from homerun.router.headers import RequestHead


def exchange(method: bytes = b"GET", *, http10: bool = False, keep: bool = True) -> Exchange:
    client: Any = None
    made = Exchange(client, method, b"/", RequestHead(), http10, keep)
    made.body_done = True
    return made


@pytest.mark.parametrize(
    ("method", "idempotent"),
    [(b"GET", True), (b"HEAD", True), (b"PUT", True), (b"DELETE", True), (b"POST", False), (b"PATCH", False)],
)
def test_only_some_methods_may_be_sent_twice(method: bytes, idempotent: bool) -> None:
    assert exchange(method).repeatable is exchange(method).idempotent is idempotent


def test_what_has_a_body_or_an_answer_is_not_repeated() -> None:
    with_body, half, answered = exchange(b"PUT"), exchange(b"PUT"), exchange()
    with_body.received = 1
    half.body_done = False
    answered.answered = True
    assert not (with_body.repeatable or half.repeatable or answered.repeatable)


def test_which_answers_are_passed_on_as_they_are() -> None:
    assert exchange().plain
    assert not exchange(b"HEAD").plain
    assert not exchange(http10=True).plain


def test_it_says_what_it_is() -> None:
    made = exchange()
    made.target, made.status = b"/x", 200
    assert repr(made) == "<Exchange GET /x 200 by no instance>"
