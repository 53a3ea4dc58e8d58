"""What the bill needs to know of an instance, as its label has it."""

from homerun.core.billed import Billed
from homerun.core.billing import GIB, Rate, Size

SERVICE = "projects/p/locations/l/services/hello"


def test_a_label_says_it_all() -> None:
    billed = Billed(f"{SERVICE}/revisions/hello-00001-abc", Rate.REQUEST, Size(1000, GIB // 2))
    assert billed.owner == SERVICE
    assert billed.label == "request 1000 536870912"
    assert Billed.parse(billed.revision, billed.label) == billed
