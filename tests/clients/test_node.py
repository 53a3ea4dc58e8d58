"""Google's Node client, unmodified, over gRPC. npm installs it into a cache folder outside the tree, once."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.server import Server

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.skipif(
        not (shutil.which("node") and shutil.which("npm")), reason="node and npm are not installed: no test of Node"
    ),
]

PACKAGE = "@google-cloud/run@3.3.0"
SCRIPT = Path(__file__).with_name("run_v2.js")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
(DOCUMENTED,) = re.findall(r"```js\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder() -> Path:
    """A folder in which the package can be required."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "homerun-tests"
    wanted = cache / re.sub(r"\W+", "-", PACKAGE).strip("-")
    if not wanted.exists():
        cache.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=cache))
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"--prefix={made}", PACKAGE]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install {PACKAGE} within 100 s: no test of Node")
        if done.returncode:
            pytest.skip(f"npm cannot install {PACKAGE}, no test of Node: {done.stderr.strip()[-300:]}")
        made.rename(wanted)
    return wanted


def node(folder: Path, *arguments: str) -> str:
    """What it prints. Without looking for a metadata server, which Google's library does on any machine."""
    environment = {**os.environ, "METADATA_SERVER_DETECTION": "none", "NODE_PATH": str(folder / "node_modules")}
    done = subprocess.run(
        ["node", *arguments], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_code_on_the_page_runs(folder: Path, server: Server) -> None:
    host, port = server.address.split(":")
    code = DOCUMENTED.replace("'127.0.0.1'", repr(host)).replace("8787", port)
    assert node(folder, "-e", code) == "[]\n"


def test_a_token_goes_with_each_call(folder: Path, guarded: Server) -> None:
    host, port = guarded.address.split(":")
    code = DOCUMENTED.replace("'127.0.0.1'", repr(host)).replace("8787", port)
    options = f"{{ otherArgs: {{ headers: {{ authorization: 'Bearer {guarded.token()}' }} }} }}"
    assert node(folder, "-e", code.replace("({ parent })", f"({{ parent }}, {options})")) == "[]\n"
    with pytest.raises(AssertionError, match="needs an access token"):
        node(folder, "-e", code)


def test_services_and_jobs_from_create_to_delete(folder: Path, server: Server) -> None:
    said = json.loads(node(folder, str(SCRIPT), server.address))
    assert said["uri"] == "http://hello-100000000001.us-central1.run.localhost:8080"
    assert said["state"] == "CONDITION_SUCCEEDED"
    assert said["services"] == ["projects/homerun/locations/us-central1/services/hello"]
    assert said["labels"] == {"team": "a"}
    assert said["wrong"] == [6, "ALREADY_EXISTS"]
    assert said["fields"] == ["template.containers[0].image"]
    assert said["locations"] == ["us-central1"]
    assert said["succeeded"] == 2
    assert len(said["executions"]) == 1
    assert said["left"] == []
    assert said["gone"] == 5
