"""What there is to know, and the two ways of writing it down."""

import json

from homerun.apis.metadata.tree import MADE, Identity, as_json, as_text, find, listing, tree
from homerun.engine.base import InstanceState, Phase
from homerun.model import labels
from homerun.model.project import Projects

PROJECTS = Projects("homerun", "100000000001")
ROBOT = "robot@p.iam.gserviceaccount.com"
WHO = Identity("i1", "homerun", "100000000001", "europe-west1", ROBOT)


def state(**labels: str) -> InstanceState:
    return InstanceState("i1", labels, Phase.READY, 0)


def test_whoever_has_an_owner_has_an_identity() -> None:
    for kind, collection in ((labels.SERVICE, "services"), (labels.JOB, "jobs"), (labels.WORKER_POOL, "workerPools")):
        found = Identity.of(
            state(**{kind: f"projects/homerun/locations/europe-west1/{collection}/x", labels.ACCOUNT: ROBOT}), PROJECTS
        )
        assert found == WHO


def test_one_that_was_started_before_accounts_were_known_has_the_default_one() -> None:
    found = Identity.of(state(service="projects/other/locations/l/services/x"), PROJECTS)
    assert found is not None
    assert found.account == f"{PROJECTS.number_of('other')}-compute@developer.gserviceaccount.com"
    assert found.number == PROJECTS.number_of("other")


def test_what_belongs_to_nothing_has_none() -> None:
    assert Identity.of(state(), PROJECTS) is None


def test_folders_files_and_what_is_neither() -> None:
    root = tree(WHO)
    assert find(root, ["instance", "region"]) == "projects/100000000001/regions/europe-west1"
    assert find(root, ["instance", "zone"]) == "projects/100000000001/zones/europe-west1-1"
    assert find(root, ["project", "numeric-project-id"]) == 100000000001
    assert find(root, ["instance", "service-accounts", ROBOT, "email"]) == ROBOT
    assert find(root, ["instance", "service-accounts", "default", "token"]) is MADE
    assert find(root, ["instance", "region", "more"]) is None
    assert find(root, ["project", "attributes"]) is None
    accounts = find(root, ["instance", "service-accounts"])
    assert isinstance(accounts, dict) and listing(accounts) == f"default/\n{ROBOT}/\n"


def test_json_has_googles_names_and_no_tokens() -> None:
    written = json.loads(as_json(tree(WHO)))
    assert written["project"] == {"numericProjectId": 100000000001, "projectId": "homerun"}
    accounts = written["instance"]["serviceAccounts"]
    assert sorted(accounts) == ["default", ROBOT]
    assert sorted(accounts["default"]) == ["aliases", "email", "scopes"]
    assert as_json("text") == '"text"'


def test_text_has_a_line_for_each_value() -> None:
    assert as_text({"a-b": {"c": 1, "token": MADE}, "d": ["x", "y"]}) == "a-b/c 1\nd x\nd y\n"
    assert as_text(["x", "y"]) == "x\ny"
    assert as_text(7) == "7"
