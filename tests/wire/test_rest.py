"""Paths to methods."""

import pytest

from homerun.wire.rest import Router

LOCATION = "v2/projects/{p}/locations/{l}"


@pytest.fixture
def router() -> Router[str]:
    router: Router[str] = Router()
    router.add("GET", f"{LOCATION}/services", "list")
    router.add("POST", f"{LOCATION}/services", "create")
    router.add("GET", f"{LOCATION}/services/{{s}}", "get")
    router.add("POST", f"{LOCATION}/services/{{s}}:setIamPolicy", "set")
    router.add("GET", f"{LOCATION}/{{other}}:export", "export")
    router.add("POST", "v2/entries:list", "entries")
    return router


@pytest.mark.parametrize(
    ("method", "path", "target", "variables"),
    [
        ("GET", "/v2/projects/a/locations/b/services", "list", {"p": "a", "l": "b"}),
        ("POST", "/v2/projects/a/locations/b/services", "create", {"p": "a", "l": "b"}),
        ("GET", "/v2/projects/a/locations/b/services/c", "get", {"p": "a", "l": "b", "s": "c"}),
        ("GET", "/v2/projects/a/locations/b/services/c%20d", "get", {"p": "a", "l": "b", "s": "c d"}),
        ("POST", "/v2/projects/a/locations/b/services/c:setIamPolicy", "set", {"p": "a", "l": "b", "s": "c"}),
        ("POST", "/v2/projects/a/locations/b/services/c%3AsetIamPolicy", "set", {"p": "a", "l": "b", "s": "c"}),
        ("GET", "/v2/projects/a/locations/b/x:export", "export", {"p": "a", "l": "b", "other": "x"}),
        ("POST", "/v2/entries:list", "entries", {}),
    ],
)
def test_a_request_means_its_method(
    router: Router[str], method: str, path: str, target: str, variables: dict[str, str]
) -> None:
    match = router.match(method, path)
    assert match is not None
    assert (match.target, match.variables) == (target, variables)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2",
        "/v2/projects//locations/b/services",
        "/v2/projects/a/locations/b/services/c/d",
        "/v2/projects/a/locations/b/services/c:unknown",
        "/v2/projects/a/locations/b/services:setIamPolicy",
        "/v2/projects/a/locations/b/services/",
    ],
)
def test_other_paths_mean_nothing(router: Router[str], path: str) -> None:
    assert router.match("GET", path) is None
    assert router.methods(path) == []


def test_a_path_knows_its_methods(router: Router[str]) -> None:
    assert router.match("DELETE", "/v2/projects/a/locations/b/services") is None
    assert router.methods("/v2/projects/a/locations/b/services") == ["GET", "POST"]


def test_no_name_has_a_slash_however_it_is_written(router: Router[str]) -> None:
    assert router.match("GET", "/v2/projects/a/locations/b/services/c%2Frevisions%2Fd") is None
