"""What an application in a container reaches of homerun: the metadata server, with Google's own library and without,
services by their URLs, names; and what it does not reach."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from tests.support.daemon import LOCATION, ApiError, Daemon
from tests.support.identity import ROBOT
from tests.support.shell import IMAGE, Shell, have_image, packages

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not have_image(), reason=f"{IMAGE} is not here: scripts/base-image makes it"),
]

SITE = "/tmp/site"
GOOGLE_AUTH = (
    *("google/auth", "google/oauth2", "requests", "urllib3", "idna", "certifi", "charset_normalizer", "*mypyc*.so"),
    *("cryptography", "cffi", "_cffi_backend*", "pyasn1", "pyasn1_modules", "jwt"),
)


@pytest.fixture(scope="module")
def daemon(folder: Path) -> Iterator[Daemon]:
    with Daemon(folder / "inside") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def shell(daemon: Daemon) -> Shell:
    return Shell(daemon, "caller", serviceAccount=ROBOT)


@pytest.fixture(scope="module")
def gateway(daemon: Daemon, shell: Shell) -> str:
    subnet: str = json.loads((daemon.state / "network.json").read_text())["subnet"]
    return subnet.replace(".0.0/16", ".0.1")


@pytest.fixture(scope="module")
def private(daemon: Daemon, app: str) -> str:
    """A service that only the account of `shell` may call, and look at. Its URL."""
    daemon.deploy("callee", app, private=True)
    roles = ("roles/run.invoker", "roles/run.viewer")
    bindings = [{"role": role, "members": [f"serviceAccount:{ROBOT}"]} for role in roles]
    daemon.call("POST", f"/v2/{LOCATION}/services/callee:setIamPolicy", {"policy": {"bindings": bindings}})
    return f"http://{daemon.host('callee')}"


ASK = """
from urllib.request import Request, urlopen
def ask(path):
    url = 'http://metadata.google.internal/computeMetadata/v1/' + path
    return urlopen(Request(url, headers={'Metadata-Flavor': 'Google'}), timeout=30).read().decode()
"""


def ask(shell: Shell, path: str) -> str:
    return shell.python(f"{ASK}print(ask({path!r}), end='')")


def test_googles_library_finds_project_account_and_both_kinds_of_tokens(
    daemon: Daemon, shell: Shell, private: str
) -> None:
    shell.unpack(packages(*GOOGLE_AUTH), SITE)
    script = (
        "import json, google.auth, google.oauth2.id_token\n"
        "from google.auth.transport.requests import Request\n"
        "credentials, project = google.auth.default()\n"
        "credentials.refresh(Request())\n"
        f"token = google.oauth2.id_token.fetch_id_token(Request(), {private!r})\n"
        "print(json.dumps([type(credentials).__module__, project, credentials.service_account_email]))\n"
        "print(json.dumps([credentials.token, token]))"
    )
    output = shell.python(script, SITE)
    assert output.startswith("["), output
    first, second = output.splitlines()
    kind, project, email = json.loads(first)
    access, identity = json.loads(second)
    assert (kind, project, email) == ("google.auth.compute_engine.credentials", "homerun", ROBOT)

    certs = f"http://127.0.0.1:{daemon.api_port}/oauth2/v1/certs"
    claims = id_token.verify_token(identity, Request(), audience=private, certs_url=certs)  # type: ignore[no-untyped-call]
    assert claims["email"] == ROBOT
    daemon.until(lambda: daemon.get("callee", "/", Authorization=f"Bearer {identity}")[0] == 200)
    assert daemon.get("callee", "/", Authorization=f"Bearer {access}")[0] == 401, "an access token is no ID token"

    found = daemon.call("GET", f"/v2/{LOCATION}/services/callee", bearer=access)
    assert found["name"] == f"{LOCATION}/services/callee"
    with pytest.raises(ApiError, match="denied"):
        daemon.call("DELETE", f"/v2/{LOCATION}/services/callee", bearer=access)


def test_what_the_instance_is(daemon: Daemon, shell: Shell) -> None:
    everything = json.loads(ask(shell, "?recursive=true"))
    [instance] = daemon.explain("caller")["instances"]
    assert everything["instance"]["id"] == instance["id"]
    assert everything["instance"]["region"] == "projects/100000000001/regions/us-central1"
    assert everything["instance"]["serviceAccounts"]["default"]["email"] == ROBOT
    script = "import urllib.request as u; print(u.urlopen('http://169.254.169.254').headers['metadata-flavor'])"
    assert shell.python(script) == "Google\n", "without any header of the caller's"


def test_jobs_and_worker_pools_have_an_account_of_their_own(daemon: Daemon) -> None:
    script = f"""{ASK}
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
print('I am', ask('instance/service-accounts/default/email'), flush=True)
"""
    command = {"command": ["python3", "-c"], "args": [script]}
    daemon.create_job("who", IMAGE, serviceAccount="job@p.iam.gserviceaccount.com", container=command)
    daemon.execute("who")
    daemon.deploy_pool("who", IMAGE, command=["python3", "-c"], args=[script + "time.sleep(1000)"])
    default = "100000000001-compute@developer.gserviceaccount.com"
    for query, email in (
        ("cloud_run_job AND resource.labels.job_name = who", "job@p.iam.gserviceaccount.com"),
        ("cloud_run_worker_pool AND resource.labels.worker_pool_name = who", default),
    ):
        body = {"resourceNames": ["projects/homerun"], "filter": f"resource.type = {query}"}

        def said(body: dict[str, object] = body) -> list[str]:
            return [e.get("textPayload", "") for e in daemon.call("POST", "/v2/entries:list", body).get("entries", [])]

        daemon.until(lambda said=said, email=email: f"I am {email}" in said())


def test_kill_9_of_control_is_a_pause_and_not_an_error(daemon: Daemon, shell: Shell) -> None:
    """The socket is kept by `homerun up`: who asks meanwhile waits, and the instance is known again before it opens."""
    answers: list[str] = []
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            answers.append(ask(shell, "instance/service-accounts/default/email"))

    thread = threading.Thread(target=go_on)
    thread.start()
    daemon.until(lambda: len(answers) > 3)
    daemon.kill("control")
    before = len(answers)
    daemon.until(lambda: len(answers) > before + 3, 60)
    stop.set()
    thread.join()
    assert set(answers) == {ROBOT}


def test_a_program_on_this_machine_asks_in_vain(shell: Shell, gateway: str) -> None:
    """At the socket behind the door, which only instances are meant to get to."""
    assert ask(shell, "instance/id"), "it is there"
    listening = subprocess.run(["ss", "-Hltn", "src", gateway], capture_output=True, text=True, check=True).stdout
    answers = []
    for port in (line.split()[3].rpartition(":")[2] for line in listening.splitlines()):
        connection = http.client.HTTPConnection(gateway, int(port), timeout=30)
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        connection.request("GET", path, headers={"Host": "metadata", "Metadata-Flavor": "Google"})
        try:
            answers.append(connection.getresponse().read().decode())
        except http.client.RemoteDisconnected:
            answers.append("")  # the name server, who does not understand a word
        connection.close()
    asked_for_a_token = [answer for answer in answers if "This API needs an access token" in answer]
    assert len(asked_for_a_token) == 1
    refused = ["", "Only instances of homerun are answered, and this request comes from none.\n"]
    assert sorted(set(answers) - set(asked_for_a_token)) == refused


CALL = """
import http.client, json, urllib.error, urllib.parse, urllib.request
def call(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
def token(audience):
    path = '/computeMetadata/v1/instance/service-accounts/default/identity?audience=' + urllib.parse.quote(audience, '')
    request = urllib.request.Request('http://metadata.google.internal' + path, headers={'Metadata-Flavor': 'Google'})
    return 'Bearer ' + urllib.request.urlopen(request).read().decode()
"""


def test_a_service_calls_another_by_its_url_with_a_token_of_its_own(daemon: Daemon, shell: Shell, app: str) -> None:
    daemon.deploy("inner", app, private=True)
    daemon.allow("inner", f"serviceAccount:{ROBOT}")
    url = f"http://{daemon.host('inner')}"
    inner = {"ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"}
    daemon.call("PATCH", f"/v2/{LOCATION}/services/inner?updateMask=ingress", inner)
    tries = f"call({url!r}, Authorization=token({url!r})), call({url!r}), call({url!r}, Authorization=token('x'))"
    script = f"{CALL}\nprint({tries})"
    daemon.until(lambda: shell.python(script) == "200 403 401\n")


def test_the_api_wants_a_token_and_takes_that_of_the_account(daemon: Daemon, shell: Shell, private: str) -> None:
    """Also for what a program on the host does without one; at a name that Google's clients can be told."""
    port = daemon.api_port
    script = f"""{CALL}{ASK}
bearer = 'Bearer ' + json.loads(ask('instance/service-accounts/default/token'))['access_token']
there = 'http://us-central1-run.homerun.localhost:{port}/v2/{LOCATION}/services'
own = 'http://run.homerun.localhost:{port}/homerun/v1/{LOCATION}/services/callee:explain'
keys = 'http://run.homerun.localhost:{port}/oauth2/v3/certs'
print(call(there + '/callee'), call(there + '/callee', Authorization=bearer), call(there, Authorization=bearer))
print(call(own), call(own, Authorization=bearer), call(keys))
"""
    assert shell.python(script) == "401 200 403\n401 403 200\n"


def test_names_of_services_lead_to_the_router_and_nothing_else_is_made_up(shell: Shell, gateway: str) -> None:
    script = (
        "import socket\n"
        "def of(name):\n"
        "    try: return sorted({info[4][0] for info in socket.getaddrinfo(name, 80)})\n"
        "    except socket.gaierror: return []\n"
        "names = ('any-1.us-central1.run.localhost', 'metadata.google.internal', 'no.such.name.invalid')\n"
        "print([of(name) for name in names])\n"
    )
    assert shell.python(script) == f"{[[gateway], ['169.254.169.254'], []]}\n"
    assert shell.run("grep -c nameserver /etc/resolv.conf; grep nameserver /etc/resolv.conf") == (
        "1\nnameserver 169.254.169.254\n"
    )


TRY = """
import errno, json, socket, sys, threading
def tcp(host, port):
    try:
        socket.create_connection((host, port), 2).close()
        return 'connected'
    except OSError as error:
        return errno.errorcode.get(error.errno, 'timeout')
def udp(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        try:
            s.sendto(b'hello', (host, port))
            return s.recv(10).decode()
        except OSError as error:
            return errno.errorcode.get(error.errno, 'timeout')
found = {}
def attempt(what, kind, host, port):
    found[what] = {'tcp': tcp, 'udp': udp}[kind](host, port)
threads = [threading.Thread(target=attempt, args=each) for each in json.loads(sys.argv[1])]
[t.start() for t in threads]
[t.join() for t in threads]
print(json.dumps(found))
"""


def test_everything_else_of_this_machine_is_out_of_reach(daemon: Daemon, shell: Shell, gateway: str, app: str) -> None:
    """Programs of the host, over TCP and UDP, at each of its addresses; the API; an instance; its cloud's metadata."""
    daemon.deploy("neighbour", app, scaling={"minInstanceCount": 1})
    addresses = [gateway.replace(".0.1", f".0.{number}") for number in range(2, 24)]
    instances = [address for address in addresses if _listens(address)]
    assert len(instances) >= 2
    with socket.create_server(("0.0.0.0", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("0.0.0.0", 0))
        stop = threading.Event()
        threading.Thread(target=_echo, args=(udp, stop), daemon=True).start()
        own = _address_outside() or gateway
        tcp_port, udp_port = tcp.getsockname()[1], udp.getsockname()[1]
        tries = [
            ("router", "tcp", gateway, daemon.http_port),
            ("metadata", "tcp", "169.254.169.254", 80),
            ("names", "tcp", "169.254.169.254", 53),
            ("api", "tcp", gateway, daemon.api_port),
            ("ssh", "tcp", gateway, 22),
            ("program", "tcp", gateway, tcp_port),
            ("program by another address", "tcp", own, tcp_port),
            ("datagrams", "udp", gateway, udp_port),
            ("datagrams by another address", "udp", own, udp_port),
            ("metadata, another port", "tcp", "169.254.169.254", 8080),
            ("link-local", "tcp", "169.254.170.2", 80),
            *((address, "tcp", address, 8080) for address in addresses),
        ]
        shell.run(f"cat > /tmp/try.py <<'END'\n{TRY}\nEND\n")
        found: dict[str, Any] = json.loads(shell.run(f"python3 /tmp/try.py '{json.dumps(tries)}'"))
        stop.set()
    reached = {what for what, outcome in found.items() if outcome not in ("timeout", "EHOSTUNREACH", "ENETUNREACH")}
    assert reached - set(instances) == {"router", "metadata", "names", "api"}
    assert len(reached & set(instances)) == 1, "itself"
    assert shell.python("import socket; print(socket.has_ipv6 and [i for i in open('/proc/net/if_inet6')])") == "[]\n"


def _address_outside() -> str:
    """Of this machine, as others see it; empty: there are no others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def _listens(address: str) -> bool:
    try:
        socket.create_connection((address, 8080), 0.2).close()
    except OSError:
        return False
    return True


def _echo(server: socket.socket, stop: threading.Event) -> None:
    server.settimeout(0.1)
    while not stop.is_set():
        try:
            data, peer = server.recvfrom(100)
            server.sendto(data, peer)
        except (TimeoutError, OSError):
            continue


def test_no_socket_is_to_be_had_that_speaks_for_others(shell: Shell) -> None:
    script = (
        "import errno, socket\n"
        "def attempt(*what):\n"
        "    try: socket.socket(*what); return 'made'\n"
        "    except OSError as error: return errno.errorcode[error.errno]\n"
        "print(attempt(socket.AF_INET, socket.SOCK_RAW, 6), attempt(socket.AF_PACKET, socket.SOCK_RAW, 0))\n"
        "s = socket.socket()\n"
        "try: s.setsockopt(socket.SOL_IP, 19, 1); print('transparent')\n"
        "except OSError as error: print(errno.errorcode[error.errno])\n"
    )
    output = shell.python(script).split()
    assert len(output) == 3 and set(output) <= {"EPERM", "EACCES", "EAFNOSUPPORT"}
