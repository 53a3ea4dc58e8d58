from pathlib import Path

import pytest

from homerun.daemon.options import parse, split_address, unparse
from homerun.lib.errors import Invalid
from homerun.settings import Settings


def test_without_options_the_defaults_hold() -> None:
    assert parse([]) == Settings()


def test_what_is_unparsed_parses_to_the_same() -> None:
    settings = Settings(
        state=Path("/x y"),
        idle_timeout=3,
        project="p",
        routers=3,
        max_tasks=7,
        https="127.0.0.1:443",
        retry_idempotent=True,
        allow_host_path=(Path("/usr"), Path("/var/tmp")),
    )
    assert parse(unparse(settings)) == settings


def test_a_folder_for_containers_is_what_its_links_lead_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = parse([f"--allow-host-path={tmp_path}/link", "--allow-host-path", "/usr"]).allow_host_path
    assert found == (tmp_path / "real", Path("/usr"))


def test_both_spellings_work() -> None:
    assert parse(["--api", "127.0.0.1:1", "--grace=2.5"]) == Settings(api="127.0.0.1:1", grace=2.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nonsense", "1"], "unknown option --nonsense"),
        (["--api"], "--api needs a value"),
        (["--allow-host-path", "/no/such"], "--allow-host-path /no/such: there is no such folder"),
        (["--api", "8787"], "'8787' is no HOST:PORT"),
        (["--http", "127.0.0.1:99999"], "is no HOST:PORT"),
        (["--idle-timeout", "soon"], "--idle-timeout must be a number, not 'soon'"),
        (["--certificate", "a.crt"], "--certificate needs --key"),
        (["--key", "a.key"], "--key needs --certificate"),
        (["--certificate", "a.crt", "--key", "a.key"], "--certificate needs --https HOST:PORT"),
        (["--redirect-https"], "--redirect-https needs --https HOST:PORT"),
        (["--acme", "a@example.com"], "--acme needs --https HOST:PORT"),
        (
            ["--acme", "me", "--https", "0.0.0.0:443"],
            "--acme needs an e-mail address for the account, and 'me' is none",
        ),
        (["--acme-directory", "pebble"], "--acme-directory needs an https:// URL"),
        (["--https", "8443"], "'8443' is no HOST:PORT"),
        (["--redirect-https=perhaps"], "--redirect-https is true or false, not 'perhaps'"),
        (["--retry-idempotent=maybe"], "--retry-idempotent is true or false, not 'maybe'"),
        (["--queue-limit", "1.5"], "--queue-limit must be a number"),
        (["--criu", "criu", "--user-namespaces"], "--criu and --user-namespaces exclude each other"),
        (["--grace", "-1"], "--grace must not be negative"),
        (["--routers", "0"], "--routers must be from 1 to 64, and 0 is not"),
        (["--routers=65"], "--routers must be from 1 to 64, and 65 is not"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        parse(arguments)


def test_a_flag_may_stand_alone() -> None:
    assert parse(["--redirect-https", "--https", "127.0.0.1:1"]) == Settings(https="127.0.0.1:1", redirect_https=True)


def test_files_are_found_from_any_folder() -> None:
    settings = parse(["--certificate", "a.crt", "--key", "a.key", "--https=127.0.0.1:1"])
    assert (settings.certificate, settings.key) == (str(Path.cwd() / "a.crt"), str(Path.cwd() / "a.key"))


def test_addresses_may_be_ipv6() -> None:
    assert split_address("[::1]:80") == ("::1", 80)
