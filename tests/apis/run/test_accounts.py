"""Who may choose the account whose tokens a container gets."""

from __future__ import annotations

from typing import Any

import pytest

from homerun.apis.run.accounts import check_act_as
from homerun.lib.errors import PermissionDenied
from homerun.model.identity import OWNER
from tests.support.identity import ROBOT

OTHER = "other@p.iam.gserviceaccount.com"


def service(account: str) -> dict[str, Any]:
    return {"template": {"serviceAccount": account}}


def job(account: str) -> dict[str, Any]:
    return {"template": {"template": {"serviceAccount": account}}}


@pytest.mark.parametrize("body", [service, job])
def test_others_keep_the_account_or_take_their_own(body: Any) -> None:
    check_act_as(body("a@x"), body(OTHER), OWNER)
    check_act_as(body(OTHER), body(OTHER), ROBOT)
    check_act_as(body(OTHER), body(ROBOT), ROBOT)
    with pytest.raises(PermissionDenied, match=rf"'iam.serviceaccounts.actAs' denied on service account {OTHER}"):
        check_act_as(body("a@x"), body(OTHER), ROBOT)
