"""Who may call a service: its IAM policy, read, changed and written back."""

from __future__ import annotations

from homerun.cli.errors import ApiError
from homerun.cli.flags import Json
from homerun.cli.session import Session

INVOKER, ALL = "roles/run.invoker", "allUsers"
_ATTEMPTS = 5


def open_to_all(session: Session, service: str, open: bool) -> None:
    """Let everybody call it, or only those who are named. Again, when somebody else changes the policy meanwhile."""
    url = f"/v2/{session.name('services', service)}"
    for attempt in range(_ATTEMPTS):
        policy = session.client.get(f"{url}:getIamPolicy")
        changed = with_all(policy, open)
        if changed == policy:
            return
        try:
            session.client.post(f"{url}:setIamPolicy", {"policy": changed})
            return
        except ApiError as error:
            if error.status != "ABORTED" or attempt + 1 == _ATTEMPTS:
                raise


def with_all(policy: Json, open: bool) -> Json:
    """`policy` with everybody among the invokers, or without. Its etag stays: that of what was read."""
    bindings = [{**binding, "members": list(binding.get("members", ()))} for binding in policy.get("bindings", ())]
    if open and not any(b["role"] == INVOKER and ALL in b["members"] for b in bindings):
        bindings.append({"role": INVOKER, "members": [ALL]})
    if not open:
        # Any role may be how they got in.
        for binding in bindings:
            binding["members"] = [member for member in binding["members"] if member != ALL]
    return {**policy, "bindings": bindings} if bindings or "bindings" in policy else policy
