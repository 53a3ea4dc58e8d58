from typing import Any

import click
import pytest

from homerun.cli.flags import (
    ContainerFlags,
    main_container,
    parse_duration,
    set_if_given,
    take_container_flags,
)
from homerun.cli.secret_flags import SecretFlags
from homerun.cli.volume_flags import VolumeFlags


@pytest.mark.parametrize("text,expected", [("300", "300s"), ("5m", "300s"), ("1h", "3600s"), ("0.5s", "0.5s")])
def test_durations(text: str, expected: str) -> None:
    assert parse_duration(text, "--timeout") == expected


@pytest.mark.parametrize("text", ["", "soon", "-1", "5d", "1e3"])
def test_what_is_no_duration_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter, match="300, 300s, 5m or 1h"):
        parse_duration(text, "--timeout")


def applied(before: dict[str, Any], **flags: Any) -> dict[str, Any]:
    ContainerFlags(**flags).apply(before, "image")
    return before


def test_flags_that_are_not_given_leave_what_is_there() -> None:
    before = {
        "image": "old",
        "args": ["a"],
        "env": [{"name": "A", "value": "1"}],
        "resources": {"limits": {"cpu": "1"}},
    }
    assert applied(dict(before)) == {**before, "image": "image"}


def test_one_limit_leaves_the_other() -> None:
    after = applied({"resources": {"limits": {"cpu": "2"}, "cpuIdle": True}}, memory="1Gi")
    assert after["resources"] == {"limits": {"cpu": "2", "memory": "1Gi"}, "cpuIdle": True}


def test_command_and_args_are_lists_and_empty_text_clears_them() -> None:
    after = applied({"args": ["x"]}, command="python,-m,app", args="")
    assert (after["command"], after["args"]) == (["python", "-m", "app"], [])


SECRET = {"name": "S", "valueSource": {"secretKeyRef": {"secret": "s", "version": "latest"}}}
ENV = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, SECRET]


@pytest.mark.parametrize(
    "flags,expected",
    [
        ({"update_env_vars": "B=3,C=4"}, {"A": "1", "B": "3", "C": "4", "S": None}),
        ({"set_env_vars": "C=4"}, {"C": "4", "S": None}),
        ({"remove_env_vars": "A,X"}, {"B": "2", "S": None}),
        ({"clear_env_vars": True}, {"S": None}),
        ({"env": ("B=a,b=c",)}, {"A": "1", "B": "a,b=c", "S": None}),
        ({"update_env_vars": "S=plain"}, {"A": "1", "B": "2", "S": "plain"}),
    ],
)
def test_environment_variables(flags: dict[str, Any], expected: dict[str, str | None]) -> None:
    after = applied({"env": [dict(entry) for entry in ENV]}, **flags)
    assert {entry["name"]: entry.get("value") for entry in after["env"]} == expected


def test_image_and_source_exclude_each_other() -> None:
    parts = {*VolumeFlags.__dataclass_fields__, *SecretFlags.__dataclass_fields__}
    names = ({*ContainerFlags.__dataclass_fields__} | parts) - {"volumes", "secrets"}
    given = dict.fromkeys(names) | {"image": "i", "source": "s", "port": 1}
    with pytest.raises(click.UsageError, match="not both"):
        take_container_flags(given)
    given = dict.fromkeys(names) | {"image": "i", "port": 1, "clear_secrets": True}
    taken = take_container_flags(given)
    assert (taken.image, taken.secrets) == ("i", SecretFlags(clear_secrets=True))
    assert given == {"port": 1}


def test_only_what_was_given_is_set() -> None:
    target = {"a": 1}
    set_if_given(target, {"a": None, "b": 0})
    assert target == {"a": 1, "b": 0}


def test_a_template_without_containers_gets_one() -> None:
    template: dict[str, Any] = {}
    main_container(template)["image"] = "x"
    assert template == {"containers": [{"image": "x"}]}
