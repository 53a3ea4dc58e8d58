"""PostgreSQL as the sidecar of a job, its files in a bucket; the main container dumps it into another bucket."""

from __future__ import annotations

import time

from tests.apps.trial import Trial
from tests.support.daemon import ApiError

ROWS = 20_000
LOAD = (
    "create table trips (id serial primary key, zone text, fare numeric);"
    f" insert into trips (zone, fare) select 'zone-' || i % 20, i from generate_series(1, {ROWS}) i;"
    " create index on trips (zone); analyze trips"
)
PARALLEL = (
    "set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set min_parallel_table_scan_size = 0;"
    " select count(*), sum(fare) from trips"
)
DUMP = "pg_dump -h localhost -U postgres --format=custom --file=/backup/trips.dump postgres"
RESTORE = (
    "createdb -h db -U postgres again && pg_restore -h db -U postgres -d again /backup/trips.dump"
    " && psql -h db -U postgres -At -c 'select count(*), sum(fare) from trips' again"
)
READY = "until pg_isready -q -h db; do sleep 0.1; done; "
"""It listens before it takes queries."""
PROBE = {"tcpSocket": {"port": 5432}, "periodSeconds": 1, "failureThreshold": 60}


def run(trial: Trial) -> None:
    trial.ask_version("sh", "-c", "postgres --version | sed 's/.*) \\([^ ]*\\).*/\\1/'")
    backup = trial.bucket("backup")
    data = trial.bucket("pgdata")

    def job(name: str, script: str) -> list[str]:
        mounts = [{"name": "pgdata", "mountPath": "/var/lib/data"}]
        database = {"name": "db", "image": trial.image(), "startupProbe": PROBE, "volumeMounts": mounts}
        database["resources"] = {"limits": {"cpu": "1", "memory": "512Mi"}}
        main = {
            "name": "main",
            "image": trial.image(),
            "command": ["sh", "-c"],
            "args": [READY + script],
            "dependsOn": ["db"],
        }
        main["volumeMounts"] = [{"name": "backup", "mountPath": "/backup"}]
        volumes = [{"name": each, "gcs": {"bucket": each}} for each in ("pgdata", "backup")]
        trial.job(name, containers=[main, database], volumes=volumes)
        return trial.said_by_job(name)

    with trial.check("a cluster is made in a bucket by the user postgres, with the rights that it insists on"):
        job("postgres-load", f'psql -h db -U postgres -c "{LOAD}"')
        assert (data / "pgdata").stat().st_mode & 0o777 == 0o700 and (data / "pgdata").stat().st_uid != 0
    with trial.check("another execution finds the rows; a query in parallel uses shared memory (/dev/shm)"):
        said = job("postgres-query", f'psql -h db -U postgres -At -c "{PARALLEL}"')
        assert f"{ROWS}|{ROWS * (ROWS + 1) // 2}" in said, said
    with trial.check("it ended as it should each time: no recovery at the next start"):
        said = trial.said_by_job("postgres-query")
        assert any("database system is shut down" in line for line in said), said
        assert not any("automatic recovery in progress" in line for line in said), said
    began = time.monotonic()
    with trial.check("a dump into a bucket"):
        job("postgres-dump", DUMP)
        assert (backup / "trips.dump").read_bytes()[:5] == b"PGDMP"
    trial.figure = f"{time.monotonic() - began:.1f} s"
    with trial.check("the dump restores, into another database, to the same rows"):
        assert f"{ROWS}|{ROWS * (ROWS + 1) // 2}" in job("postgres-restore", RESTORE)
    with trial.check("a query that fails fails the job, with its message"):
        try:
            job("postgres-wrong", "psql -h db -U postgres -c 'select * from nothing'")
        except ApiError as error:
            said = trial.said_by_job("postgres-wrong")
            assert any("does not exist" in line for line in said), (error, said)
        else:
            raise AssertionError("the job succeeded")
