import pytest

from homerun.core.billing import BY_INSTANCE, BY_REQUEST, bill, billable


@pytest.mark.parametrize(("seconds", "billed"), [(0, 0), (0.001, 0.1), (0.1, 0.1), (0.10000000001, 0.1), (1.21, 1.3)])
def test_time_is_billed_in_steps_of_100_ms(seconds: float, billed: float) -> None:
    assert billable(seconds) == billed


def test_a_request_billed_service_pays_for_cpu_memory_and_requests() -> None:
    # 1,000 s of 2 vCPU and 1 GiB, a million requests: 0.048 + 0.0025 + 0.40.
    result = bill(1000, cpu=2, memory=1 << 30, requests=1_000_000, prices=BY_REQUEST)
    assert (result.vcpu_seconds, result.gib_seconds) == (2000, 1000)
    assert result.usd == pytest.approx(0.048 + 0.0025 + 0.40)


def test_a_job_pays_no_requests() -> None:
    assert bill(100, cpu=1, memory=512 << 20, requests=7, prices=BY_INSTANCE).usd == pytest.approx(0.0018 + 0.0001)
