"""How many random examples a test takes."""

from hypothesis import settings


def examples(often: int) -> int:
    """`often`, and in proportion fewer in the quick run of the fast tier (tests/conftest.py)."""
    usual, now = settings.get_profile("homerun").max_examples, settings.default
    if now is None or now.max_examples >= usual:
        return often
    return max(4, often * now.max_examples // usual)
