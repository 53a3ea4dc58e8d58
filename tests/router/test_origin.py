from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    "ip", ["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "::1", "fe80::1", "::ffff:10.0.0.1"]
)
def test_this_machine_and_private_networks_are_inside(ip: str) -> None:
    assert Origin(ip, "http").private


@pytest.mark.parametrize("ip", ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "", "unix"])
def test_everybody_else_is_not(ip: str) -> None:
    assert not Origin(ip, "http").private
