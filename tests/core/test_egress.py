"""Which addresses may be called, and which never."""

from __future__ import annotations

import pytest

from homerun.core.egress import Reach, reach_of, refusal

METADATA = (
    "169.254.169.254",
    "169.254.170.2",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
)


@pytest.mark.parametrize("address", METADATA)
def test_a_metadata_server_is_never_reached(address: str) -> None:
    assert "metadata server" in (refusal(address) or "")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "ff02::1"])
def test_nor_is_what_is_no_machine(address: str) -> None:
    assert "no address of one machine" in (refusal(address) or "")


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("8.8.8.8", Reach.PUBLIC),
        ("2001:4860:4860::8888", Reach.PUBLIC),
        ("10.0.0.1", Reach.NETWORK),
        ("192.168.1.1", Reach.NETWORK),
        ("fd12::1", Reach.NETWORK),
        ("127.0.0.1", Reach.MACHINE),
        ("::1", Reach.MACHINE),
        ("::ffff:127.0.0.1", Reach.MACHINE),
    ],
)
def test_how_deep_an_address_is(address: str, reach: Reach) -> None:
    assert reach_of(address) is reach
    assert refusal(address) is None
    for allowed in Reach:
        assert (refusal(address, allowed) is None) == (reach <= allowed)
