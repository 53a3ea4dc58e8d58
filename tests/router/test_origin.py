from __future__ import annotations

from homerun.router.origin import Origin


def test_a_client_is_named_in_all_three_headers() -> None:
    assert Origin("192.0.2.7", "http").lines == (
        b'X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nForwarded: for="192.0.2.7";proto=http\r\n'
    )


def test_an_ipv6_address_is_in_brackets_in_forwarded_only() -> None:
    lines = Origin("2001:db8::1", "https").lines
    assert b"X-Forwarded-For: 2001:db8::1\r\n" in lines
    assert b'Forwarded: for="[2001:db8::1]";proto=https\r\n' in lines


def test_earlier_hops_stay_in_front() -> None:
    origin = Origin("192.0.2.7", "http")
    assert origin.appended_to(b"", b"") == origin.lines
    assert b"X-Forwarded-For: a, 192.0.2.7\r\n" in origin.appended_to(b"a", b"")
    assert b'Forwarded: for=b, for="192.0.2.7";proto=http\r\n' in origin.appended_to(b"", b"for=b")
