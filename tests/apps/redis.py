"""Redis in a sidecar, with its data in a bucket, behind Webdis, which speaks HTTP and looks for it on localhost."""

from __future__ import annotations

import json

from tests.apps.trial import Trial

PROBE = {"tcpSocket": {"port": 6379}, "periodSeconds": 1, "failureThreshold": 60}


def run(trial: Trial) -> None:
    trial.ask_version("sh", "-c", "redis-server --version | sed 's/.*v=\\([^ ]*\\).*/\\1/'")
    folder = trial.bucket("redis")
    web = {"name": "web", "image": trial.image("webdis"), "ports": [{"containerPort": 7379}], "dependsOn": ["redis"]}
    redis = {
        "name": "redis",
        "image": trial.image(),
        "startupProbe": PROBE,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    trial.daemon.deploy(
        trial.name,
        "",
        containers=[web, redis],
        volumes=[{"name": "data", "gcs": {"bucket": "redis"}}],
        scaling={"maxInstanceCount": 1},
    )
    with trial.check("commands as paths, answers as JSON"):
        assert json.loads(trial.get("/SET/hello/world")[2]) == {"SET": [True, "OK"]}
        assert json.loads(trial.get("/GET/hello")[2]) == {"GET": "world"}
        assert json.loads(trial.get("/INCRBY/count/41")[2]) == {"INCRBY": 41}
    with trial.check("a value of 8 MiB in the body of a PUT"):
        value = b"v" * (8 << 20)
        trial.curl("-X", "PUT", "--data-binary", "@-", path="/SET/large", input=value)
        assert json.loads(trial.get("/STRLEN/large")[2]) == {"STRLEN": len(value)}
    with trial.check("its log says which container it is from"):
        entry = trial.until_logged("stdout", "Ready to accept connections")
        assert entry["labels"]["container_name"] == "redis", entry["labels"]
    with trial.check("both end in time: Redis saves and says good-bye"):
        trial.ends_in_time()
        trial.until_logged("stdout", "Redis is now ready to exit, bye bye")
    with trial.check("what was written is there from zero and back, in files of the user redis"):
        trial.wakes("/GET/hello", lambda body: json.loads(body) == {"GET": "world"})
        assert json.loads(trial.get("/INCR/count")[2]) == {"INCR": 42}
        assert (folder / "appendonlydir").stat().st_uid != 0
    with trial.check("requests a second"):
        trial.rate("/GET/hello")
