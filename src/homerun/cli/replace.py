"""`homerun services replace FILE`, and of jobs and worker pools: a file in Knative's YAML is what there shall be.

What the file does not say is as if it had never been said. It goes to the v1 API as it is; `describe` of gcloud prints
such a file (`--format export`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TextIO

import click

from homerun.cli.client import Json
from homerun.cli.errors import CommandFailed
from homerun.cli.lookup import existing
from homerun.cli.output import print_json
from homerun.cli.progress import Progress
from homerun.cli.rollout import follow
from homerun.cli.session import Session, session_options
from homerun.cli.waiting import ticks

LOCATION = "cloud.googleapis.com/location"
_OPERATION = "run.googleapis.com/operation-id"


@dataclass(frozen=True, slots=True)
class Kind:
    """`collection` of v2; that of v1 is in lower case."""

    name: str
    api: str
    collection: str
    command: str

    @property
    def words(self) -> str:
        return self.command.removesuffix("s").replace("-", " ")


SERVICE = Kind("Service", "serving.knative.dev/v1", "services", "services")
JOB = Kind("Job", "run.googleapis.com/v1", "jobs", "jobs")
WORKER_POOL = Kind("WorkerPool", "run.googleapis.com/v1", "workerPools", "worker-pools")


def replace_command(kind: Kind) -> click.Command:
    """Its help is for this kind."""

    @click.command(
        "replace",
        short_help=f"Create or replace a {kind.words} by what a YAML file says.",
        help=f"""Create the {kind.words} that FILE describes in Knative's YAML, or replace the one of that name. - reads
        from stdin.

        What the file does not say gets its default, whatever it was before. The region is that of the label
        {LOCATION}, or --region.

        \b
        Examples:
          homerun {kind.command} replace {kind.command.removesuffix("s")}.yaml
          gcloud run {kind.command} describe NAME --format export | homerun {kind.command} replace -
        """,
    )
    @click.argument("file", type=click.File("r", encoding="utf-8"))
    @click.option("--dry-run", is_flag=True, help="Only say whether it would be taken.")
    @session_options
    def replace(session: Session, file: TextIO, dry_run: bool) -> None:
        _replace(session, kind, read(file, kind), dry_run=dry_run)

    return replace


def read(file: TextIO, kind: Kind) -> Json:
    """The document, with a name. Raises CommandFailed."""
    import yaml  # most commands do without

    class Loader(yaml.SafeLoader):
        """2026-12-01 is a text, as in JSON."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - as in the class that it is taken from
            first: [(tag, pattern) for tag, pattern in known if not tag.endswith(":timestamp")]
            for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    where = "stdin" if file.name == "<stdin>" else file.name
    try:
        found = list(yaml.load_all(file, Loader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{where} is no YAML: {' '.join(str(error).split())}") from None
    documents = [each for each in found if each is not None]
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise CommandFailed(f"{where} must hold one document, a {kind.name}, and has {len(documents)}")
    document: dict[str, Any] = documents[0]
    said = (document.get("apiVersion"), document.get("kind"))
    if said != (kind.api, kind.name):
        raise CommandFailed(
            f"{where} must begin with apiVersion: {kind.api} and kind: {kind.name}, and has {said[0]} and {said[1]}"
        )
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise CommandFailed(f"metadata.name in {where} must say what the {kind.words} is called")
    return document


def _replace(session: Session, kind: Kind, document: Json, *, dry_run: bool) -> None:
    metadata = document["metadata"]
    name, labels = metadata["name"], metadata.get("labels") or {}
    project, region = session.settle(str(metadata.get("namespace") or ""), str(labels.get(LOCATION) or ""))
    resource = f"projects/{project}/locations/{region}/{kind.collection}/{name}"
    with Progress() as progress:
        before = existing(session, resource)
        doing = "Checking" if dry_run else "Creating" if before is None else "Replacing"
        progress.stage(f"{doing} {kind.words} {name}")
        written = _send(session, kind, document, project, region, new=before is None, dry_run=dry_run)
        if dry_run:
            settled = written
        else:
            settled = _settle(session, kind, resource, written, progress, before or {})
    if session.json:
        print_json(settled)
    elif dry_run:
        click.echo(f"{kind.name} {name} would be taken.", err=True)
    else:
        click.echo(settled.get("uri") or name)


def _send(session: Session, kind: Kind, document: Json, project: str, region: str, *, new: bool, dry_run: bool) -> Json:
    base = f"/apis/{kind.api}/namespaces/{project}/{kind.collection.lower()}"
    query = {"dryRun": "all"} if dry_run else {}
    method, url = ("POST", base) if new else ("PUT", f"{base}/{document['metadata']['name']}")
    # In v1 the region is a part of the host's name.
    return session.client.call(method, url, document, query, host=f"{region}-run.googleapis.com")


def _settle(session: Session, kind: Kind, name: str, written: Json, progress: Progress, before: Json) -> Json:
    id = written["metadata"].get("annotations", {}).get(_OPERATION)
    if id is None:
        return _reconciled(session, name, progress)
    operation = {"name": f"{name.rpartition(f'/{kind.collection}/')[0]}/operations/{id}", "done": False}
    return follow(session, name, operation, progress, before=before.get("latestCreatedRevision", ""))


def _reconciled(session: Session, name: str, progress: Progress) -> Json:
    """A job has no operation in v1: it is looked at until it is ready. Raises CommandFailed if it never will be."""
    for _ in ticks():
        job = session.client.get(f"/v2/{name}")
        condition = job.get("terminalCondition") or {}
        if condition.get("state") == "CONDITION_FAILED":
            raise CommandFailed(condition.get("message", f"{name} is not ready"))
        if not job.get("reconciling"):
            return job
        progress.update("")
    raise AssertionError("ticks never end")
