"""Messages to the kernel that it understands."""

import os
import socket
import uuid

import pytest

from homerun.engine.oci.rtnetlink import Netlink, _attribute

pytestmark = pytest.mark.host


def test_attributes_are_padded_to_four_bytes() -> None:
    assert _attribute(3, "ab") == b"\x07\0\x03\0ab\0\0"
    assert _attribute(10, 7) == b"\x08\0\x0a\0\x07\0\0\0"


def test_a_bridge_comes_and_goes() -> None:
    name, link = f"hr{uuid.uuid4().hex[:6]}", Netlink()
    link.add_bridge(name, bytes.fromhex("020000000001"))
    link.add_bridge(name, bytes.fromhex("020000000001"))
    index = socket.if_nametoindex(name)
    link.add_address(index, "10.239.255.1", 30)
    link.add_address(index, "10.239.255.1", 30)
    link.set_up(index)
    assert os.path.exists(f"/sys/class/net/{name}/bridge")
    link.delete_link(name)
    link.delete_link(name)
    assert not os.path.exists(f"/sys/class/net/{name}")
    link.close()


def test_a_refusal_names_what_was_refused() -> None:
    link = Netlink()
    with pytest.raises(OSError, match="link up"):
        link.set_up(999_999)
    with pytest.raises(OSError, match="default route"):
        link.add_default_route("203.0.113.77")
    link.close()
