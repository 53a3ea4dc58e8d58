"""The shapes are typed dictionaries: what can be wrong with them is a key that is no camelCase JSON."""

from typing import is_typeddict

import pytest

from homerun.apis.homerun import insight

SHAPES = [value for value in vars(insight).values() if is_typeddict(value) and value.__module__ == insight.__name__]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.__name__)
def test_keys_are_written_as_googles_json_writes_them(shape: type) -> None:
    assert all("_" not in key and key[0].islower() for key in shape.__annotations__)
