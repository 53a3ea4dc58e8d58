"""Sealed payloads: nothing to be read in them, and nothing to be changed or swapped."""

import pytest

from homerun.lib.errors import FailedPrecondition, Internal
from homerun.wire.sealing import Sealer


def sealer(*keys: bytes) -> Sealer:
    return Sealer.load(b"".join(keys) or Sealer.generate(), "keys.txt")


def test_what_is_sealed_opens_as_what_it_was_sealed_as() -> None:
    made = sealer()
    sealed = made.seal(b"hunter2", "projects/p/secrets/s/versions/1")
    assert b"hunter2" not in sealed
    assert sealed != made.seal(b"hunter2", "projects/p/secrets/s/versions/1")
    assert made.open(sealed, "projects/p/secrets/s/versions/1") == b"hunter2"
    with pytest.raises(Internal, match=r"payload of projects/p/secrets/s/versions/2 is damaged"):
        made.open(sealed, "projects/p/secrets/s/versions/2")


@pytest.mark.parametrize("place", [-1, 12, 30])
def test_a_changed_bit_is_noticed(place: int) -> None:
    made = sealer()
    sealed = bytearray(made.seal(b"hunter2", "s"))
    sealed[place] ^= 1
    with pytest.raises(Internal, match="damaged"):
        made.open(bytes(sealed), "s")


def test_a_new_key_in_front_seals_and_the_old_one_still_opens() -> None:
    old, new = Sealer.generate(), Sealer.generate()
    sealed = sealer(old).seal(b"hunter2", "s")
    both = sealer(b"# since May\n", new, b"\n", old)
    assert not both.current(sealed)
    assert both.current(both.seal(both.open(sealed, "s"), "s"))
    with pytest.raises(FailedPrecondition, match=r"not in keys.txt: put the file back .*--secrets-key"):
        sealer(new).open(sealed, "s")


@pytest.mark.parametrize("sealed", [b"", b"hunter2", b"hrs1"])
def test_what_nobody_sealed_is_no_payload(sealed: bytes) -> None:
    with pytest.raises(FailedPrecondition):
        sealer().open(sealed, "s")


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"not base64!\n", b"c2hvcnQ=\n"])
def test_a_file_without_good_keys_says_what_would_be_one(content: bytes) -> None:
    with pytest.raises(FailedPrecondition, match="openssl rand -base64 32"):
        Sealer.load(content, "keys.txt")


def test_keys_are_not_shown() -> None:
    key = Sealer.generate()
    assert key.strip().decode() not in repr(sealer(key))
