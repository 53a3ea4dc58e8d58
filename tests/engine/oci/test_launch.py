"""What a container is started with."""

import pytest

from homerun.engine.base import Image
from homerun.engine.oci import launch
from homerun.engine.oci.launch import command, environment
from homerun.lib.errors import Invalid

IMAGE = Image("r", "sha256:1", entrypoint=("/entry", "-e"), cmd=("cmd",))


@pytest.mark.parametrize(
    ("entrypoint", "args", "expected"),
    [
        ((), (), ["/entry", "-e", "cmd"]),
        ((), ("a", "b"), ["/entry", "-e", "a", "b"]),
        (("/own",), (), ["/own"]),
        (("/own",), ("a",), ["/own", "a"]),
    ],
)
def test_command_and_arguments_replace_the_images(
    entrypoint: tuple[str, ...], args: tuple[str, ...], expected: list[str]
) -> None:
    assert command(IMAGE, entrypoint, args) == expected


@pytest.mark.parametrize("image", [Image("r", "sha256:1"), Image("r", "sha256:1", cmd=("",))])
def test_nothing_to_run(image: Image) -> None:
    with pytest.raises(Invalid, match="neither ENTRYPOINT nor CMD"):
        command(image, (), ())


def test_variables_of_the_image_then_of_the_caller() -> None:
    env = environment(["A=image", "B=x=y", "broken"], {"A": "caller", "PORT": "8080"}, "/home/ann")
    assert env["A"] == "caller" and env["B"] == "x=y" and env["PORT"] == "8080"
    assert env["HOME"] == "/home/ann" and env["PATH"].startswith("/usr/local/sbin:")
    assert environment(["PATH=/opt", "HOME=/x"], {}, "/root") == {"PATH": "/opt", "HOME": "/x"}


def test_name_servers_of_the_host_alone_are_left_out() -> None:
    text = "# comment\n\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 10.0.0.2\nnameserver\nsearch example.com\n"
    kept = "# comment\n\nnameserver 10.0.0.2\nnameserver\nsearch example.com\n"
    assert launch._with_name_server(text, "") == kept
    alone = "nameserver 10.9.9.9\n# comment\n\nnameserver\nsearch example.com\n"
    assert launch._with_name_server(text, "10.9.9.9") == alone


def test_the_hosts_own_resolv_conf_can_be_read() -> None:
    assert "127.0.0.53" not in launch.resolvers()
