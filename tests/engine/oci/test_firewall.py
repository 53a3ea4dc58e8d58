"""The rules as the kernel understands them."""

import subprocess

import pytest

from homerun.engine.oci.firewall import install, remove, rules


def test_rules_name_bridge_and_subnet_and_replace_the_table() -> None:
    text = rules("homerun_x", "hr-x", "10.150.0.0/16")
    assert text.count("delete table inet homerun_x") == 1
    assert 'iifname "hr-x" drop' in text
    assert 'ip saddr 10.150.0.0/16 oifname != "hr-x" masquerade' in text


@pytest.mark.host
def test_a_table_is_installed_replaced_and_removed() -> None:
    table = "homerun_test_rules"
    install(table, "hr-test", "10.239.0.0/16")
    install(table, "hr-test2", "10.239.0.0/16")
    listed = subprocess.run(["nft", "list", "table", "inet", table], capture_output=True, text=True)
    assert "hr-test2" in listed.stdout and '"hr-test"' not in listed.stdout
    remove(table)
    remove(table)
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True)
    assert table not in listed.stdout
