"""The allow-list: what everybody needs is in it, what nobody may do is not."""

import errno
import platform
import socket
from pathlib import Path

import pytest

from homerun.engine.oci.runtime import Runtime
from homerun.engine.oci.seccomp import Filter, profile


def allowed() -> set[str]:
    return {
        name
        for rule in profile()["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule
        for name in rule["names"]
    }


def test_ordinary_programs_can_run() -> None:
    wanted = (
        "read write openat mmap futex futex_waitv execve fork vfork epoll_wait accept4 sendfile statx rseq getrandom"
    )
    assert set(wanted.split()) <= allowed()


def test_nothing_that_administers_the_host() -> None:
    forbidden = "mount umount2 unshare setns pivot_root bpf keyctl io_uring_setup init_module kexec_load reboot clone3"
    assert not set(forbidden.split()) & allowed()


def test_a_process_may_be_cloned_but_no_namespace() -> None:
    [rule] = [rule for rule in profile()["syscalls"] if rule["names"] == ["clone"]]
    assert rule["args"] == [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]


@pytest.mark.parametrize("family", range(-1, 50))
def test_sockets_are_local_internet_or_netlink(family: int) -> None:
    """What the filter makes of socket(family): exactly one rule matches."""
    number = family & 0xFFFFFFFF
    compare = {"SCMP_CMP_EQ": int.__eq__, "SCMP_CMP_GT": int.__gt__}
    rules = [
        rule
        for rule in profile()["syscalls"]
        if rule["names"] == ["socket"] and all(compare[arg["op"]](number, arg["value"]) for arg in rule["args"])
    ]
    [rule] = rules
    wanted = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
    assert rule["action"] == ("SCMP_ACT_ALLOW" if family in wanted else "SCMP_ACT_ERRNO")
    assert rule.get("errnoRet") == (None if family in wanted else errno.EAFNOSUPPORT)


def test_it_is_for_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    profile.cache_clear()
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert profile()["architectures"] == ["SCMP_ARCH_AARCH64"]
    profile.cache_clear()


def test_what_was_compiled_for_one_container_is_given_to_the_next(tmp_path: Path) -> None:
    runtime, filter = Runtime("/usr/bin/crun", tmp_path), Filter()
    filter.learn(runtime, "a")
    assert filter.annotations() == {}, "there is none, as with runc"
    for id, compiled in (("a", b"\x20\0\0\0"), ("b", b"")):
        (tmp_path / id).mkdir()
        (tmp_path / id / "seccomp.bpf").write_bytes(compiled)
        filter.learn(runtime, id)
        assert filter.annotations() == {"run.oci.seccomp_bpf_data": "IAAAAA=="}
