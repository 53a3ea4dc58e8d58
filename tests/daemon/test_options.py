from pathlib import Path

import pytest

from homerun.daemon.options import parse, split_address, unparse
from homerun.lib.errors import Invalid
from homerun.settings import Settings


def test_without_options_the_defaults_hold() -> None:
    assert parse([]) == Settings()


def test_what_is_unparsed_parses_to_the_same() -> None:
    settings = Settings(state=Path("/x y"), idle_timeout=3, project="p", max_tasks=7)
    assert parse(unparse(settings)) == settings


def test_both_spellings_work() -> None:
    assert parse(["--api", "127.0.0.1:1", "--grace=2.5"]) == Settings(api="127.0.0.1:1", grace=2.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nonsense", "1"], "unknown option --nonsense"),
        (["--api"], "--api needs a value"),
        (["--api", "8787"], "'8787' is no HOST:PORT"),
        (["--http", "127.0.0.1:99999"], "is no HOST:PORT"),
        (["--idle-timeout", "soon"], "--idle-timeout must be a number, not 'soon'"),
        (["--grace", "-1"], "--grace must not be negative"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        parse(arguments)


def test_addresses_may_be_ipv6() -> None:
    assert split_address("[::1]:80") == ("::1", 80)
