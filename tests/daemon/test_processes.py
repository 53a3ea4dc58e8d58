"""What `homerun up` refuses, and how."""

import os
import socket
from pathlib import Path

import pytest

from homerun.daemon.processes import STABLE_AFTER, Child, Processes, claim_state, listen
from homerun.lib.errors import FailedPrecondition, Invalid, PermissionDenied
from homerun.settings import Settings

pytestmark = pytest.mark.sockets


def test_who_dies_again_and_again_is_started_again_later_each_time() -> None:
    child, other = Child("router", []), Child("router", [], 1)
    waits = []
    for _ in range(8):
        child.died(now=1.0)
        assert child.due is not None
        waits.append(child.due - 1.0)
    assert waits == [0, 0.25, 0.5, 1, 2, 4, 8, 10]
    # It has lived for long enough now; and nobody waits for another one's sake.
    child.died(now=STABLE_AFTER)
    other.died(now=1.0)
    assert (child.due, other.due) == (STABLE_AFTER, 1.0)
    assert [str(each) for each in (child, other)] == ["router", "router 1"]


def test_the_state_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    os.close(claim_state(Settings(state=tmp_path / "state")))
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_two_homeruns_on_one_state_folder_are_refused(tmp_path: Path) -> None:
    lock = claim_state(Settings(state=tmp_path))
    with pytest.raises(FailedPrecondition, match="homerun down"):
        claim_state(Settings(state=tmp_path))
    os.close(lock)
    os.close(claim_state(Settings(state=tmp_path)))


def test_a_state_folder_that_cannot_be_made_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionDenied, match="choose another by --state"):
        claim_state(Settings(state=tmp_path / "file" / "state"))


def test_a_taken_port_is_named_with_the_flag_that_changes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FailedPrecondition, match=f"cannot listen on 127.0.0.1:{port}.*--api"):
            listen(f"127.0.0.1:{port}", "--api")


def test_a_bad_certificate_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path / "state", https="127.0.0.1:0", certificate=f"{tmp_path}/a", key=f"{tmp_path}/b")
    with pytest.raises(FailedPrecondition, match=r"cannot read .*/a: No such file"):
        Processes(settings).run()
    assert not settings.state.exists()


def test_a_listener_takes_connections_at_once() -> None:
    with listen("127.0.0.1:0", "--http") as listener, socket.create_connection(listener.getsockname()):
        pass


def test_a_state_path_too_long_for_sockets_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    state = tmp_path / ("x" * 100)
    with pytest.raises(Invalid, match="choose a shorter one with --state"):
        claim_state(Settings(state=state))
    assert not state.exists()
