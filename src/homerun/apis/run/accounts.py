"""Whose tokens containers get: who may choose that.

A container gets the tokens of its service account, so whoever deploys one has all that the account may do. The owner
may give a container any account. Others, who may change it, keep to the one that the owner chose, or take their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homerun.lib.errors import PermissionDenied
from homerun.model.identity import OWNER


def check_act_as(before: Mapping[str, Any], after: Mapping[str, Any], author: str) -> None:
    """Both are complete v2 bodies. Raises PermissionDenied, in IAM's words."""
    account = _account(after)
    if author != OWNER and account not in (_account(before), author):
        raise PermissionDenied(
            f"Permission 'iam.serviceaccounts.actAs' denied on service account {account} (or it may not exist): "
            f"only {OWNER} may choose another than {_account(before)} here."
        )


def _account(body: Mapping[str, Any]) -> str:
    """A job's template has the template of its tasks."""
    template = body.get("template", {})
    return str(template.get("template", template).get("serviceAccount", ""))
