from __future__ import annotations

from pathlib import Path

import pytest

from homerun.apis.identity.issuer import Issuer
from homerun.daemon import keys
from homerun.lib.clock import SystemClock
from homerun.lib.errors import FailedPrecondition, Invalid, NotFound
from homerun.model.identity import OWNER
from homerun.settings import Settings


def test_keys_are_made_at_the_first_start_and_stay(tmp_path: Path) -> None:
    made = keys.open_keys(tmp_path)
    assert keys.open_keys(tmp_path).jwks() == made.jwks()
    assert (tmp_path / "identity.json").stat().st_mode & 0o777 == 0o600


def test_the_local_authority_is_made_at_the_first_need_and_stays(tmp_path: Path) -> None:
    made = keys.open_authority(tmp_path)
    assert keys.open_authority(tmp_path).name == made.name
    folder = keys.certificate_folder(tmp_path)
    assert (folder.stat().st_mode & 0o777, (folder / "local-ca.pem").stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_damaged_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "identity.json").write_text("{")
    with pytest.raises(FailedPrecondition, match=r"identity\.json"):
        keys.open_keys(tmp_path)
    assert (tmp_path / "identity.json").read_text() == "{"


def test_who_may_read_the_state_folder_gets_a_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    issuer = Issuer(keys.open_keys(tmp_path), "http://x")
    assert keys.run(["--state", str(tmp_path), "--lifetime", "7200"]) == 0
    now = SystemClock().now()
    assert issuer.bearer(capsys.readouterr().out.strip(), now + 7000) == OWNER
    with pytest.raises(Invalid, match="lifetime"):
        keys.owner_token(tmp_path, 366 * 24 * 3600)


def test_where_no_homerun_was_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="state folder of a homerun that was started"):
        keys.owner_token(tmp_path, 60)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ("127.0.0.1:8787", "http://127.0.0.1:8787"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::1]:8787", "http://[::1]:8787"),
        ("[::]:8787", "http://127.0.0.1:8787"),
        ("box.example:1", "http://box.example:1"),
    ],
)
def test_the_issuer_is_where_the_api_is(api: str, url: str) -> None:
    assert keys.issuer_url(Settings(api=api)) == url


def test_the_certificate_is_made_at_the_first_start_and_stays(tmp_path: Path) -> None:
    made = keys.open_certificate(tmp_path)
    assert keys.open_certificate(tmp_path) == made
    assert (tmp_path / "tls.pem").stat().st_mode & 0o777 == 0o600


async def test_the_key_of_secrets_is_made_at_the_first_start_and_stays(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    id = await keys.open_vault(settings).put(b"hunter2", "s")
    assert (tmp_path / "secrets.key").stat().st_mode & 0o777 == 0o600
    vault = keys.open_vault(settings)
    await vault.open({id: "s"})
    assert await vault.get(id, "s") == b"hunter2"


async def test_the_key_of_secrets_may_lie_elsewhere(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    settings = Settings(state=state, secrets_key=str(tmp_path / "usb" / "key"))
    with pytest.raises(FailedPrecondition, match=r"cannot use .*usb/key .*--secrets-key"):
        keys.open_vault(settings)
    (tmp_path / "usb").mkdir()
    await keys.open_vault(settings).put(b"hunter2", "s")
    assert {path.name for path in state.iterdir()} == {"secrets"}


async def test_without_their_key_secrets_are_not_given_a_new_one(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    await keys.open_vault(settings).put(b"hunter2", "s")
    (tmp_path / "secrets.key").rename(tmp_path / "elsewhere")
    with pytest.raises(FailedPrecondition, match=r"is not at .*secrets\.key: put the file back"):
        keys.open_vault(settings)
    assert not (tmp_path / "secrets.key").exists()
    (tmp_path / "secrets.key").write_text("nonsense")
    with pytest.raises(FailedPrecondition, match="holds no keys that can be read"):
        keys.open_vault(settings)
