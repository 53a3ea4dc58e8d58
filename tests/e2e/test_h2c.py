"""gRPC to real containers whose port is named h2c, through two routers, with TLS and without."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from homerun.core.ownership import owner
from tests.e2e.test_tls import SecureDaemon
from tests.support import grpc_server
from tests.support.daemon import LOCATION
from tests.support.images import make_image

pytestmark = pytest.mark.host
SERVICES = ("red", "white")
_LEFT_OUT = frozenset(
    ("test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "pydoc_data", "distutils")
)


def python_layer() -> dict[str, bytes]:
    """Python, its standard library, grpcio, and the libraries that they are linked with."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    spec = importlib.util.find_spec("grpc")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    program = Path(sys.executable).resolve()
    files = {f"/usr/bin/{program.name}": program.read_bytes(), "/server.py": Path(grpc_server.__file__).read_bytes()}
    for folder, target in ((stdlib, Path(str(stdlib))), (package, Path("/packages/grpc"))):
        for path in folder.rglob("*"):
            parts = path.relative_to(folder).parts
            if path.is_file() and _LEFT_OUT.isdisjoint(parts) and not parts[0].startswith("config-"):
                files[str(target.joinpath(*parts))] = path.read_bytes()
    files["/packages/typing_extensions.py"] = (package.parent / "typing_extensions.py").read_bytes()
    for binary in (program, next((package / "_cython").glob("*.so"))):
        said = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
        for word in said.split():
            if word.startswith("/"):
                files[word] = Path(word).read_bytes()
    return files


@pytest.fixture(scope="module")
def server(folder: Path) -> str:
    program = Path(sys.executable).resolve().name
    command = [f"/usr/bin/{program}", "-u", "/server.py"]
    path = make_image(folder / "grpc.tar", [python_layer()], cmd=command, env=["PYTHONPATH=/packages"], compress=False)
    return f"oci-archive:{path}"


@pytest.fixture(scope="module")
def several(folder: Path, server: str) -> Iterator[SecureDaemon]:
    with SecureDaemon(folder / "grpc", routers=2, redirect_https="false") as daemon:
        for name in SERVICES:
            daemon.deploy(
                name,
                server,
                container={
                    "ports": [{"name": "h2c", "containerPort": 50051}],
                    "startupProbe": {"grpc": {"service": "test.Echo"}, "periodSeconds": 60, "timeoutSeconds": 60},
                    "livenessProbe": {"grpc": {}, "periodSeconds": 30, "timeoutSeconds": 30},
                },
                maxInstanceRequestConcurrency=1,
            )
        yield daemon


def test_probes_ask_over_grpc(several: SecureDaemon) -> None:
    passed = {f"{probe} GRPC probe succeeded after 1 attempt" for probe in ("STARTUP", "LIVENESS")}
    several.until(lambda: passed <= {said.partition(" for ")[0] for said in several.said(SERVICES[0])})


def channel(daemon: SecureDaemon, service: str) -> grpc.Channel:
    options = [("grpc.default_authority", daemon.host(service)), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(f"127.0.0.1:{daemon.http_port}", options=options)


def call(channel: grpc.Channel, method: str, kind: str = "unary_unary") -> Any:
    return getattr(channel, kind)(f"/test.Echo/{method}")


def test_calls_wake_services_whichever_router_they_belong_to(several: SecureDaemon) -> None:
    assert {owner(f"{LOCATION}/services/{name}", 2) for name in SERVICES} == {0, 1}
    for service in SERVICES:
        with channel(several, service) as to:
            answer, made = call(to, "Unary").with_call(b"", timeout=60, metadata=(("x-mine", "1"),))
            assert b"('x-mine', '1')" in answer
            assert b"x-forwarded-for" in answer
            assert dict(made.trailing_metadata()) == {"x-trailing": "last"}


def test_both_directions_stream(several: SecureDaemon) -> None:
    with channel(several, "red") as to:
        said = list(call(to, "Talk", "stream_stream")(iter([b"a", b"b"]), timeout=60))
    assert said == [b"you said a", b"you said b"]


def test_calls_of_one_connection_get_an_instance_each(several: SecureDaemon) -> None:
    with channel(several, "white") as to:
        wait = call(to, "Wait")
        with futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: wait(b"300", timeout=60), range(6)))
    assert len(answers) == 6
    assert all(answer.startswith(b"white-") for answer in answers)


def test_calls_over_tls(several: SecureDaemon) -> None:
    several.curl("red")  # writes the authority's certificate beside the state
    authority = (several.state.parent / "ca.pem").read_bytes()
    name = several.host("red").partition(":")[0]
    options = [("grpc.ssl_target_name_override", name), ("grpc.default_authority", name)]
    with grpc.secure_channel(
        f"127.0.0.1:{several.https_port}", grpc.ssl_channel_credentials(authority), options=options
    ) as to:
        assert b"('x-forwarded-proto', 'https')" in call(to, "Unary")(b"", timeout=60)
