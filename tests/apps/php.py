"""nginx and PHP-FPM under supervisord in one container, as many images have it: five processes, two users, one log."""

from __future__ import annotations

import json

from tests.apps.trial import Trial

PAGE = "/index.php"


def run(trial: Trial) -> None:
    trial.ask_version("sh", "-c", "php-fpm8.2 -v | sed -n '1s/PHP \\([^ ]*\\).*/\\1/p'")
    # nginx listens before PHP does; only a probe that asks PHP knows when both are there.
    probe = {"httpGet": {"path": PAGE}, "periodSeconds": 1, "failureThreshold": 120}
    trial.deploy(scaling={"maxInstanceCount": 1}, container={"startupProbe": probe})
    with trial.check("a script runs as www-data, through a Unix socket, and knows where it is"):
        said = json.loads(trial.get(PAGE)[2])
        assert (said["service"], said["host"]) == ("php", trial.daemon.host("php")), said
        assert said["user"] not in (0, None), said
    with trial.check("a session in a file: its cookie finds it again"):
        _, headers, body = trial.get(PAGE)
        first = json.loads(body)["n"]
        again = json.loads(trial.get(PAGE, Cookie=headers["Set-Cookie"].partition(";")[0])[2])["n"]
        assert again == first + 1, (first, again)
    with trial.check("a body of 900 kB arrives in the script"):
        assert json.loads(trial.curl("--data-binary", "@-", path=PAGE, input=b"x" * 900_000))["length"] == 900_000
    with trial.check(
        "what the script writes to stderr, and nginx's own log, arrive through the pipes of their masters"
    ):
        trial.until_logged("", "asked for /")
        trial.until_logged("stdout", '"POST /index.php HTTP/1.1" 200')
    with trial.check("from zero and back"):
        trial.wakes(PAGE)
    with trial.check("requests a second"):
        trial.rate(PAGE)
    with trial.check("ends in time: supervisord ends both"):
        trial.ends_in_time()
