"""Aliases of secrets (contract §13.1)."""

import pytest

from homerun.apis.run_v1.secrets import aliases_for, format_aliases, parse_aliases

S1, S2 = "projects/1/secrets/s", "projects/2/secrets/s"


def spec(*names: str) -> dict[str, object]:
    env = [{"name": "X", "valueSource": {"secretKeyRef": {"secret": name}}} for name in names[1:]]
    return {"containers": [{"env": env}], "volumes": [{"secret": {"secret": names[0]}}, {"emptyDir": {}}]}


def test_both_ways() -> None:
    assert parse_aliases(f"a:{S1}, b:{S2},") == {"a": S1, "b": S2}
    assert format_aliases({"b": S2, "a": S1}) == f"a:{S1},b:{S2}"


@pytest.mark.parametrize("text", ["a", "a:b", ":projects/1/secrets/s"])
def test_what_is_no_alias_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a list of alias:projects/PROJECT/secrets/SECRET"):
        parse_aliases(text)


def test_a_secret_of_another_project_gets_an_alias_of_its_own() -> None:
    assert aliases_for(spec("own"), {}) == {}
    assert aliases_for(spec(S1, "own", S1), {}) == {"s": S1}
    assert aliases_for(spec(S1, S2), {}) == {"s": S2, "s-2": S1} or aliases_for(spec(S1, S2), {}) == {
        "s": S1,
        "s-2": S2,
    }
    assert aliases_for(spec(S1, "s"), {}) == {"s-2": S1}, "s is a secret of this project"


def test_a_known_alias_is_used_again_as_long_as_it_is_needed() -> None:
    assert aliases_for(spec(S1), {"mine": S1, "gone": S2}) == {"mine": S1}
    assert aliases_for(spec(S1, S2), {"s": S1}) == {"s": S1, "s-2": S2}


def test_secrets_of_sandboxes_count() -> None:
    template = {"env": [{"name": "X", "valueSource": {"secretKeyRef": {"secret": S1}}}]}
    assert aliases_for({"sandboxes": {"templates": [template]}}, {}) == {"s": S1}
