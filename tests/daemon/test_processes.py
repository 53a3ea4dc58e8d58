"""What `homerun up` refuses, and how; and what it does about children that do not start."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from homerun.daemon.processes import STABLE_AFTER, Child, Processes, claim_state, listen
from homerun.lib.errors import FailedPrecondition, Invalid, PermissionDenied
from homerun.settings import Settings
from tests.support.ports import free_port

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


# A control that does what the test wants, and a router that does nothing.
FAKE_UP = """
import sys
from pathlib import Path
from homerun.daemon import processes
from homerun.settings import Settings

class Fake(processes.Processes):
    def command(self, child):
        program = {control!r} if child.role == "control" else "import time; time.sleep(1000)"
        return [sys.executable, "-c", program, str(self.settings.state), str(child.listeners[0].fileno())]

sys.exit(Fake(Settings(state=Path({state!r}), api={api!r}, http="127.0.0.1:0", routers=1)).run())
"""
BROKEN = """
import sys
from pathlib import Path
from homerun.daemon import starts
try:
    raise ValueError("no such column")
except ValueError as error:
    starts.failed(Path(sys.argv[1]), "control", error)
sys.exit(1)
"""
MOODY = """
import socket, sys
from pathlib import Path
from homerun.daemon import starts
state = Path(sys.argv[1])
if (state / "broken").exists():
    starts.failed(state, "control", ValueError("no such column"))
    sys.exit(1)
starts.came_up(state, "control")
listener = socket.socket(fileno=int(sys.argv[2]))
listener.setblocking(True)
while True:
    connection, _ = listener.accept()
    asked = connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
    connection.close()
    if b"/die" in asked:
        sys.exit(1)
"""


def fake_up(tmp_path: Path, control: str, api: str) -> subprocess.Popen[str]:
    program = FAKE_UP.format(control=control, state=str(tmp_path / "state"), api=api)
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], stdout=pipe, stderr=pipe, text=True)


def test_a_control_that_never_starts_ends_it_with_the_reason_and_no_traceback(tmp_path: Path) -> None:
    up = fake_up(tmp_path, BROKEN, "127.0.0.1:0")
    _, said = up.communicate(timeout=100)
    assert up.returncode == 1
    assert "homerun: control does not start: ValueError: no such column" in said
    assert f"({tmp_path}/state/run/control.failure has the details)" in said
    assert "Traceback" not in said


def test_a_control_that_starts_no_more_is_told_to_whoever_asks_until_it_does(tmp_path: Path) -> None:
    api = f"127.0.0.1:{free_port()}"
    up = fake_up(tmp_path, MOODY, api)
    try:
        assert up.stdout is not None and up.stdout.readline()
        assert ask(api)[0] == 200
        (tmp_path / "state" / "broken").touch()
        assert ask(api, "/die")[0] == 200
        # Asked at once: it waits in the socket until it is clear that nobody will come.
        status, body = ask(api)
        assert status == 503
        message = json.loads(body)["error"]["message"]
        assert message == "homerun's control process does not start: ValueError: no such column"
        (tmp_path / "state" / "broken").unlink()
        deadline = time.monotonic() + 100
        while ask(api)[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        up.send_signal(signal.SIGTERM)
        _, said = up.communicate(timeout=100)
    assert up.returncode == 0
    assert said.count("The API answers 503 until it does; services that run go on") == 1
    assert "Traceback" not in said


def ask(api: str, path: str = "/") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(api, timeout=100)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_who_has_run_for_a_while_once_is_not_given_up_for_what_may_pass() -> None:
    child = Child("control", [])
    child.died(now=1.0)
    assert not child.proved
    child.died(now=1.0 + STABLE_AFTER)
    assert child.proved
    child.started = 100.0
    child.died(now=100.5)
    assert child.proved
