from homerun.lib.clock import SystemClock


def test_the_system_clock_tells_wall_time_and_never_runs_backwards() -> None:
    clock = SystemClock()
    assert clock.now() > 1_700_000_000
    assert clock.mono() <= clock.mono()
