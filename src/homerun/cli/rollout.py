"""Follow a service or worker pool until a change of it has settled, stage by stage."""

from __future__ import annotations

from homerun.cli.client import Client, Json
from homerun.cli.errors import ApiError, Interrupted
from homerun.cli.output import last
from homerun.cli.progress import Progress
from homerun.cli.session import Session
from homerun.cli.waiting import finish


def follow(session: Session, name: str, operation: Json, progress: Progress, *, before: str | None = None) -> Json:
    """The resource when it is ready. Raises ApiError with the reason when it does not become so.

    `before`: the latest revision before the change, if the change makes a new one.
    """
    client = session.client

    def watch() -> None:
        progress.stage(_stage(client, name, before))

    try:
        finish(client, operation, watch)
    except KeyboardInterrupt:
        again = f"homerun {'worker-pools' if _is_pool(name) else 'services'} describe {last(name)}{session.flags()}"
        raise Interrupted(f"The deployment of {last(name)} goes on. Come back to it:\n  {again}") from None
    return client.get(f"/v2/{name}")


def _stage(client: Client, name: str, before: str | None) -> str:
    try:
        service = client.get(f"/v2/{name}")
        created = service.get("latestCreatedRevision")
        if not created or created == before:
            return "Creating the revision"
        if created == service.get("latestReadyRevision"):
            return stage_of(service, None, _settling(name))
        revision = created if created.startswith("projects/") else f"{name}/revisions/{created}"
        return stage_of(service, client.get(f"/v2/{revision}"), _settling(name))
    except ApiError as error:
        if not error.not_found:
            raise
        return "Creating the revision"


def _is_pool(name: str) -> bool:
    return "/workerPools/" in name


def _settling(name: str) -> str:
    """The last stage: what the new revision is for."""
    return "Handing over the instances" if _is_pool(name) else "Routing traffic"


def stage_of(service: Json, revision: Json | None, settling: str = "Routing traffic") -> str:
    """What is being done, from the conditions. `revision`: the one being made, if it is not ready yet."""
    if revision is None:
        return settling if service.get("latestCreatedRevision") else "Creating the revision"
    succeeded = {c["type"] for c in revision.get("conditions", ()) if c.get("state") == "CONDITION_SUCCEEDED"}
    if "Ready" in succeeded:
        return settling
    if "ContainerReady" in succeeded or "ResourcesAvailable" in succeeded:
        return "Starting the container"
    return "Importing the image"
