"""json-server on Node, from npm: a REST interface to a file, for nobody's eyes but the user nobody's."""

from __future__ import annotations

import json

from tests.apps.trial import Trial


def run(trial: Trial) -> None:
    trial.ask_version(
        "sh", "-c", "node /app/node_modules/json-server/lib/cli/bin.js --version; echo on; node --version"
    )
    trial.version = trial.version.replace(" v", " Node ")
    trial.deploy(port=8080, scaling={"maxInstanceCount": 1})
    with trial.check("GET, POST, PATCH, DELETE of a resource, and a file written for it"):
        assert json.loads(trial.get("/trips/2")[2]) == {"id": 2, "km": 30}
        made = json.loads(trial.curl("--json", '{"km": 7}', path="/trips"))
        assert made == {"km": 7, "id": 3}
        assert json.loads(trial.curl("-X", "PATCH", "--json", '{"km": 8}', path="/trips/3"))["km"] == 8
        assert trial.curl("-X", "DELETE", path="/trips/3") == b"{}"
        assert trial.get("/trips/3")[0] == 404
    with trial.check("filters in the query, encoded and not"):
        assert len(json.loads(trial.get("/trips?km_gte=20&_sort=km")[2])) == 1
        assert json.loads(trial.get("/trips?km=%31%32")[2]) == [{"id": 1, "km": 12}]
    with trial.check("what a browser asks before it does (OPTIONS, CORS)"):
        said = trial.curl("-i", "-X", "OPTIONS", "-H", "Origin: http://other.example", path="/trips").decode().lower()
        assert "access-control-allow-origin: http://other.example" in said, said
    with trial.check("colours in the log stay bytes of its lines"):
        trial.until_logged("stdout", "GET /trips/2")
    with trial.check("from zero and back"):
        trial.wakes("/trips")
    with trial.check("requests a second"):
        trial.rate("/trips/1")
    with trial.check("who hears no SIGTERM, like Node as first process, is ended by SIGKILL 10 s later"):
        assert 8 < trial.slowest_end() < 30
