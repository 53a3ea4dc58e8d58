from typing import Any

import click
import pytest

from homerun.cli.flags import ContainerFlags
from homerun.cli.job_template import NONCE
from homerun.cli.worker_pool_template import PoolFlags, instance_splits, wanted

OLD: dict[str, Any] = {
    "latestReadyRevision": "x/queue-00001-abc",
    "scaling": {"manualInstanceCount": 2},
    "template": {"revision": "queue-named", "containers": [{"image": "old"}]},
}


def pool(
    existing: dict[str, Any] | None = None,
    image: str = "",
    *,
    instances: int | None = None,
    suffix: str | None = None,
    held: bool = False,
    **container: Any,
) -> dict[str, Any]:
    return wanted("queue", existing, ContainerFlags(**container), image, PoolFlags(instances, None, None, suffix, held))


def test_a_new_pool_holds_what_was_given_and_no_more() -> None:
    made = pool(None, "i", instances=3)
    assert made["template"].pop("labels")[NONCE]
    assert made == {
        "client": "homerun",
        "template": {"containers": [{"image": "i"}]},
        "scaling": {"manualInstanceCount": 3},
    }


def test_a_number_alone_is_no_new_template() -> None:
    made = pool(OLD, instances=0)
    assert made["template"] == OLD["template"]
    assert made["scaling"] == {"manualInstanceCount": 0}


def test_another_template_is_not_asked_for_by_the_old_one_s_name() -> None:
    assert "revision" not in pool(OLD, memory="1Gi")["template"]
    assert pool(OLD, suffix="b")["template"]["revision"] == "queue-b"


def test_without_promotion_the_instances_stay_by_name() -> None:
    assert pool(OLD, "i", held=True)["instanceSplits"] == [{"revision": "queue-00001-abc", "percent": 100}]
    with pytest.raises(click.UsageError, match="already runs"):
        pool(None, "i", held=True)


def test_the_split_is_changed_as_traffic_is() -> None:
    assert instance_splits(OLD, None) == [{"percent": 100}]
    assert instance_splits(OLD, "queue-b=30") == [{"revision": "queue-b", "percent": 30}, {"percent": 70}]
