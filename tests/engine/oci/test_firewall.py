"""The rules as the kernel understands them."""

import subprocess

import pytest

from homerun.engine.oci.doors import Passage
from homerun.engine.oci.firewall import install, remove, rules


def test_rules_name_bridge_and_subnet_and_replace_the_table() -> None:
    text = rules("homerun_x", "hr-x", "10.150.0.0/16", "10.150.0.1")
    assert text.count("delete table inet homerun_x") == 1
    assert 'iifname "hr-x" drop' in text
    assert 'ip saddr 10.150.0.0/16 oifname != "hr-x" masquerade' in text
    assert "dnat" not in text


def test_a_door_is_an_entrance_and_an_admission_before_everything_else_is_dropped() -> None:
    passage = Passage("udp", "169.254.169.254", 53, "10.150.0.1", 4321)
    text = rules("homerun_x", "hr-x", "10.150.0.0/16", "10.150.0.1", [passage])
    assert 'iifname "hr-x" ip daddr 169.254.169.254 udp dport 53 dnat ip to 10.150.0.1:4321' in text
    admitted = 'iifname "hr-x" ip daddr 10.150.0.1 udp dport 4321 accept'
    assert text.index(admitted) < text.index('iifname "hr-x" drop')


@pytest.mark.host
def test_a_table_is_installed_replaced_and_removed() -> None:
    table = "homerun_test_rules"
    passages = [Passage("tcp", "169.254.169.254", 80, "10.239.0.1", 4321)]
    install(table, "hr-test", "10.239.0.0/16", "10.239.0.1")
    install(table, "hr-test2", "10.239.0.0/16", "10.239.0.1", passages)
    listed = subprocess.run(["nft", "list", "table", "inet", table], capture_output=True, text=True)
    assert "hr-test2" in listed.stdout and '"hr-test"' not in listed.stdout
    remove(table)
    remove(table)
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True)
    assert table not in listed.stdout
