"""Documents are stored under the id of a project; whoever names one may use its number."""

from __future__ import annotations

from homerun.model.project import Projects
from homerun.store.base import Store


async def project_id(store: Store, projects: Projects, project: str) -> str:
    """The id of `project`, an id or a number; of a number that nobody knows, itself."""
    if project == projects.number:
        return projects.id
    if not project.isdigit():
        return project
    known = await store.get("Project", f"projects/{project}")
    return str(known.body["projectId"]) if known is not None else project
