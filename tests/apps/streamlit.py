"""Streamlit's own demonstration, from PyPI: all that its pages do goes over a WebSocket that lasts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.apps.trial import Trial


def run(trial: Trial) -> None:
    trial.ask_version("python", "-c", "import streamlit; print(streamlit.__version__)")
    trial.deploy(scaling={"maxInstanceCount": 1}, container={"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}})
    with trial.check("its page, its scripts, its own health check"):
        assert b"<title>Streamlit</title>" in trial.get()[2]
        assert trial.get("/_stcore/health")[2] == b"ok"
    with trial.check("a session over a WebSocket: the script runs and its elements come"):
        found = _session(trial, "")
        assert "Select a demo from the sidebar" in str(found["text"]), found
    with trial.check("another page of it, in another session: a chart drawn step by step, over some seconds"):
        found = _session(trial, "plotting_demo")
        assert int(str(found["deltas"])) > 50, found
    with trial.check("no instance goes while a session is open, and none stays after"):
        trial.ends_in_time()
    with trial.check("from zero and back"):
        trial.wakes("/_stcore/health")
    with trial.check("requests a second"):
        trial.rate("/_stcore/health")
    with trial.check("ends in time"):
        trial.ends_in_time()


def _session(trial: Trial, page: str) -> dict[str, object]:
    """What a browser would have shown: texts of the elements, and how many came."""
    site = trial.images.site(trial.name)
    command = [
        sys.executable,
        "-P",
        str(Path(__file__).with_name("streamlit_session.py")),
        trial.daemon.host(trial.name),
        page,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={"PYTHONPATH": str(site)})
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, object] = json.loads(done.stdout)
    return found
