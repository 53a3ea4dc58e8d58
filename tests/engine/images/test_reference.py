"""References as people write them."""

from __future__ import annotations

import pytest

from homerun.engine.images.reference import Reference, repository
from homerun.lib.errors import Invalid

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("nginx", "docker://docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker://docker.io/library/nginx:1.27"),
        ("grafana/grafana", "docker://docker.io/grafana/grafana:latest"),
        ("docker.io/nginx", "docker://docker.io/library/nginx:latest"),
        ("us-docker.pkg.dev/cloudrun/container/hello", "docker://us-docker.pkg.dev/cloudrun/container/hello:latest"),
        ("localhost:5000/a", "docker://localhost:5000/a:latest"),
        ("10.0.0.1:5000/a/b:v1", "docker://10.0.0.1:5000/a/b:v1"),
        (f"nginx@{DIGEST}", f"docker://docker.io/library/nginx@{DIGEST}"),
        (f"nginx:1.27@{DIGEST}", f"docker://docker.io/library/nginx@{DIGEST}"),
        ("docker://nginx", "docker://docker.io/library/nginx:latest"),
        ("localhost/hello", "containers-storage:localhost/hello:latest"),
        ("localhost/hello:a1", "containers-storage:localhost/hello:a1"),
        (f"localhost/hello@{DIGEST}", f"containers-storage:localhost/hello@{DIGEST}"),
        ("containers-storage:nginx", "containers-storage:docker.io/library/nginx:latest"),
        ("docker-daemon:hello:v1", "docker-daemon:docker.io/library/hello:v1"),
        ("oci-archive:/a/b.tar", "oci-archive:/a/b.tar"),
        (f"oci-archive:/a/b.tar@{DIGEST}", "oci-archive:/a/b.tar"),
        ("docker-archive:/a/b.tar:x/y", "docker-archive:/a/b.tar:x/y"),
        ("oci:/a/b:v1", "oci:/a/b:v1"),
        ("dir:/a/b", "dir:/a/b"),
    ],
)
def test_a_reference_is_read_as_docker_and_podman_read_it(text: str, source: str) -> None:
    assert Reference.parse(text).source == source


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("a b", "spaces"),
        ("a\nb", "control characters"),
        ("https://nginx", "Leave out the scheme: nginx"),
        ("Nginx", "'Nginx' in its name"),
        ("a//b", "an empty part"),
        ("a/b/", "an empty part"),
        ("../etc/passwd", "registry '..'"),
        ("nginx:", "the tag ''"),
        ("nginx:a/b:c", "registry 'nginx:a'"),
        ("nginx:" + "t" * 129, "up to 128"),
        ("a" * 300, "too long"),
        ("nginx@sha256:12", "64 lowercase hex digits"),
        (f"nginx@{DIGEST}@{DIGEST}", "64 lowercase hex digits"),
        ("-x.y/z", "registry '-x.y'"),
        ("docker:nginx", "Use docker://nginx"),
        ("oci-archive:a.tar", "must be absolute"),
        ("docker-daemon:hello", "Use docker-daemon:hello:latest"),
    ],
)
def test_a_malformed_reference_is_refused_with_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(Invalid, match="The image reference") as caught:
        Reference.parse(text)
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", "nginx"),
        ("nginx:1.27", "nginx"),
        ("docker://a.b:5000/c/d:v1", "docker://a.b:5000/c/d"),
        ("localhost:5000/c", "localhost:5000/c"),
        (f"localhost/hello:a@{DIGEST}", "localhost/hello"),
        ("oci-archive:/a/b.tar:v1", "oci-archive:/a/b.tar"),
        ("oci-archive:/b.tar", "oci-archive:/b.tar"),
        ("docker-daemon:hello:v1", "docker-daemon:hello"),
    ],
)
def test_the_repository_is_the_reference_without_tag_and_digest(text: str, expected: str) -> None:
    assert repository(text) == expected


@pytest.mark.parametrize("text", ["nginx:1", "localhost/x:y", "oci-archive:/a.tar:t", "docker-daemon:a:b", "dir:/a"])
def test_a_pinned_reference_is_itself_a_reference_with_that_digest(text: str) -> None:
    assert Reference.parse(f"{repository(text)}@{DIGEST}").digest == DIGEST


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "127.0.0.1", "[::1]:5000"])
def test_registries_on_loopback_may_speak_plain_http(host: str) -> None:
    assert Reference.parse(f"{'docker://' if ':' not in host else ''}{host}/a").insecure


@pytest.mark.parametrize("text", ["nginx", "localhost.example.org/a", "127.0.0.1.example.org/a", "10.0.0.1:5000/a"])
def test_other_registries_may_not(text: str) -> None:
    assert not Reference.parse(text).insecure
