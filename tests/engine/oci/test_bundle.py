"""config.json: limits in the kernel's units, rights, and what is mounted."""

from typing import Any

from homerun.engine.oci.bundle import Limits, Place, config
from homerun.engine.oci.users import User

PLACE = Place("/s/root", {"/etc/hosts": "/s/bundle/hosts"}, "/homerun-x/i", "/proc/1/fd/7")


def made(limits: Limits = Limits(0.5, 64 << 20, 100, swap=True)) -> dict[str, Any]:  # noqa: B008 (frozen)
    return config(["/app", "-v"], {"A": "1", "B": "x=y"}, "/srv", User(7, 8, (9,)), limits, PLACE)


def test_the_process() -> None:
    process = made()["process"]
    assert process["args"] == ["/app", "-v"]
    assert process["env"] == ["A=1", "B=x=y"]
    assert process["user"] == {"uid": 7, "gid": 8, "additionalGids": [9]}
    assert process["noNewPrivileges"] is True
    assert {"CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_MKNOD"}.isdisjoint(
        process["capabilities"]["bounding"]
    )
    assert set(process["capabilities"]) == {"bounding", "effective", "permitted"}
    assert 0 < process["rlimits"][0]["hard"] <= 25_000


def test_limits() -> None:
    resources = made()["linux"]["resources"]
    assert resources["cpu"] == {"quota": 50_000, "period": 100_000, "shares": 512}
    assert resources["memory"] == {"limit": 64 << 20, "swap": 64 << 20}
    assert resources["pids"] == {"limit": 100}
    assert "unified" not in resources


def test_limits_that_the_host_cannot_keep_are_not_asked_for() -> None:
    resources = made(Limits(0.001, 64 << 20, 100, swap=False, group_oom=True))["linux"]["resources"]
    assert resources["memory"] == {"limit": 64 << 20}
    assert resources["cpu"]["quota"] == 1000, "the kernel's least"
    assert resources["unified"] == {"memory.oom.group": "1"}


def test_namespaces_and_the_network_from_the_pool() -> None:
    namespaces = {each["type"]: each.get("path") for each in made()["linux"]["namespaces"]}
    assert namespaces == dict.fromkeys(("pid", "ipc", "uts", "mount", "cgroup")) | {"network": "/proc/1/fd/7"}


def test_our_files_are_read_only() -> None:
    [hosts] = [mount for mount in made()["mounts"] if mount["destination"] == "/etc/hosts"]
    assert hosts["source"] == "/s/bundle/hosts"
    assert {"bind", "ro"} <= set(hosts["options"])


def test_system_folders_are_not_writable() -> None:
    options = {mount["destination"]: mount["options"] for mount in made()["mounts"]}
    assert "ro" in options["/sys"] and "ro" in options["/sys/fs/cgroup"]
    assert "/proc/sys" in made()["linux"]["readonlyPaths"]
