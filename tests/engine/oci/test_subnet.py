"""Addresses for instances that nobody else on the host uses."""

import itertools
import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from homerun.engine.base import EngineUnavailable
from homerun.engine.oci.subnet import Subnet, choose, choosing, host_routes

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
docker0\t0000960A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_routes_are_read_without_the_default_route() -> None:
    assert host_routes(ROUTES) == [IPv4Network("192.168.1.0/24"), IPv4Network("10.150.0.0/16")]


def test_two_state_folders_begin_at_different_places() -> None:
    assert choose("000000", []) != choose("000001", [])


def test_a_used_network_is_passed_over() -> None:
    first = choose("000000", [])
    assert choose("000000", [first]) != first
    assert not choose("000000", [IPv4Network("10.128.0.0/10")]).overlaps(IPv4Network("10.128.0.0/10"))


def test_a_host_that_uses_them_all_is_told_so() -> None:
    with pytest.raises(EngineUnavailable, match="instances need a free one"):
        choose("000000", [IPv4Network("10.0.0.0/8")])


def test_the_choice_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "network.json"
    first = Subnet.kept(file, "00002a", "hr-00002a")
    assert Subnet.kept(file, "ffffff", "hr-00002a") == first
    assert json.loads(file.read_text()) == {"subnet": str(first.network)}


def test_addresses_are_neither_the_gateway_nor_broadcast() -> None:
    subnet = Subnet(IPv4Network("10.150.0.0/16"))
    assert (subnet.gateway, subnet.prefix) == ("10.150.0.1", 16)
    assert list(itertools.islice(subnet.addresses(), 2)) == ["10.150.0.2", "10.150.0.3"]
    addresses = list(subnet.addresses())
    assert len(set(addresses)) == 65_533 and addresses[-1] == "10.150.255.254"


@pytest.mark.parametrize("content", ["", '{"subnet": "10.', "{}", "[]", '{"subnet": "here"}'])
def test_a_choice_that_was_torn_by_a_crash_of_the_machine_is_made_anew(tmp_path: Path, content: str) -> None:
    file = tmp_path / "network.json"
    file.write_text(content)
    chosen = Subnet.kept(file, "00002a", "hr-00002a")
    assert Subnet.kept(file, "ffffff", "hr-00002a") == chosen


def test_whoever_holds_the_lock_for_ever_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homerun.engine.oci.subnet._PATIENCE", 2)
    with choosing(), choosing():
        pass
