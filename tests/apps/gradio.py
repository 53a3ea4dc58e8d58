"""The first example of Gradio's README, from PyPI: a queue, and answers that come in pieces, as events of a stream."""

from __future__ import annotations

import json

from tests.apps.trial import Trial

CALL = "/gradio_api/call"


def run(trial: Trial) -> None:
    trial.ask_version("python", "-c", "import gradio; print(gradio.__version__)")
    trial.deploy(scaling={"maxInstanceCount": 1}, container={"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}})
    with trial.check("its page, and what it says of itself"):
        assert b"gradio" in trial.get()[2]
        endpoints = json.loads(trial.get("/gradio_api/info")[2])["named_endpoints"]
        assert {"/predict", "/count"} <= set(endpoints), endpoints
    with trial.check("a function is called: put into its queue, and the answer is an event of a stream"):
        assert _events(trial, "predict", "Ann", 3) == [("complete", ["Hello, Ann!!!"])]
    with trial.check("one that yields: each piece is there when it is made, the stream lasts as long"):
        told = _events(trial, "count", 20)
        pieces = [data for kind, data in told if kind == "generating"]
        assert len(pieces) >= 15 and told[-1][0] == "complete", told
    with trial.check("a file is uploaded and fetched again"):
        [path] = json.loads(
            trial.curl("-F", "files=@-;filename=notes.txt", path="/gradio_api/upload", input=b"by heart")
        )
        assert trial.get(f"/gradio_api/file={path}")[2] == b"by heart"
    with trial.check("from zero and back"):
        trial.wakes("/gradio_api/info")
    with trial.check("requests a second"):
        trial.rate("/gradio_api/info")
    with trial.check("who hears no SIGTERM, like Python as first process, is ended by SIGKILL 10 s later"):
        assert 8 < trial.slowest_end() < 30


def _events(trial: Trial, function: str, *arguments: object) -> list[tuple[str, object]]:
    """All that is said of one call, kind and data, heartbeats left out."""
    made = json.loads(trial.curl("--json", json.dumps({"data": arguments}), path=f"{CALL}/{function}"))
    stream = trial.curl("-N", path=f"{CALL}/{function}/{made['event_id']}").decode()
    found = []
    for event in stream.strip().split("\n\n"):
        kind, data = (line.partition(": ")[2] for line in event.split("\n"))
        if kind != "heartbeat":
            found.append((kind, json.loads(data)))
    return found
