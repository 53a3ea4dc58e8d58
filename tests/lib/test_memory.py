"""What /proc/meminfo says."""

from homerun.lib.memory import Memory, memory


def test_total_and_available_in_bytes_and_as_a_share() -> None:
    text = "MemTotal:       8000 kB\nMemFree:          10 kB\nMemAvailable:   2000 kB\nHugePages_Total:       0\n"
    found = Memory.parse(text)
    assert found == Memory(8000 << 10, 2000 << 10)
    assert found.free == 0.25


def test_this_machine_has_some() -> None:
    assert 0 < memory().available <= memory().total
