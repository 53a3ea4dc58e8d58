"""KeyedQueue: serial per key, parallel across keys, one run for many requests."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homerun.aio.keyed import KeyedQueue
from tests.support.examples import examples
from tests.support.loops import run_virtual

pytestmark = pytest.mark.looptime


class Work:
    """Takes one second per run, notes when runs start, fails as often as told."""

    def __init__(self) -> None:
        self.started: list[tuple[float, str]] = []
        self.running: Counter[str] = Counter()
        self.most_at_once = 0
        self.fail: Counter[str] = Counter()
        self.errors: list[tuple[str, str, float]] = []

    async def __call__(self, key: str) -> None:
        self.started.append((asyncio.get_running_loop().time(), key))
        self.running[key] += 1
        assert self.running[key] == 1, f"two runs of {key} at once"
        self.most_at_once = max(self.most_at_once, self.running.total())
        try:
            await asyncio.sleep(1)
        finally:
            self.running[key] -= 1
        if self.fail[key]:
            self.fail[key] -= 1
            raise ValueError(f"{key} failed")

    def failed(self, key: str, error: BaseException, delay: float) -> None:
        self.errors.append((key, str(error), delay))


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def queue(work: Work) -> AsyncIterator[KeyedQueue[str]]:
    queue = KeyedQueue(work, workers=2, backoff=lambda n: 10.0 * 2 ** (n - 1), on_error=work.failed, name="test")
    yield queue
    await queue.close()


async def test_keys_run_in_parallel_up_to_the_number_of_workers(queue: KeyedQueue[str], work: Work) -> None:
    for key in "abcde":
        queue.add(key)
    await queue.idle()
    assert work.started == [(0, "a"), (0, "b"), (1, "c"), (1, "d"), (2, "e")]
    assert work.most_at_once == 2


async def test_a_key_in_line_is_in_line_once(queue: KeyedQueue[str], work: Work) -> None:
    for key in "abccccab":
        queue.add(key)
    await queue.idle()
    assert work.started == [(0, "a"), (0, "b"), (1, "c")]


async def test_a_key_asked_for_while_it_runs_runs_once_more(queue: KeyedQueue[str], work: Work) -> None:
    queue.add("a")
    await asyncio.sleep(0.5)
    queue.add("a")
    queue.add("a")
    await queue.idle()
    assert work.started == [(0, "a"), (1, "a")]


async def test_the_earliest_of_several_delays_wins(queue: KeyedQueue[str], work: Work) -> None:
    for seconds in (50, 20, 70):
        queue.add_after("a", seconds)
    await asyncio.sleep(100)
    assert work.started == [(20, "a")]


async def test_a_run_answers_the_delays_asked_for_before_it(queue: KeyedQueue[str], work: Work) -> None:
    queue.add_after("a", 5)
    queue.add("a")
    await asyncio.sleep(100)
    assert work.started == [(0, "a")]


async def test_a_delay_asked_for_during_a_run_counts_from_then(queue: KeyedQueue[str], work: Work) -> None:
    queue.add("a")
    await asyncio.sleep(0.5)
    queue.add_after("a", 7)
    await asyncio.sleep(100)
    assert work.started == [(0, "a"), (7.5, "a")]


async def test_no_delay_is_at_once(queue: KeyedQueue[str], work: Work) -> None:
    queue.add_after("a", 0)
    queue.add_after("b", -3)
    await queue.idle()
    assert work.started == [(0, "a"), (0, "b")]


async def test_failures_back_off_until_one_success(queue: KeyedQueue[str], work: Work) -> None:
    work.fail["a"] = 3
    queue.add("a")
    await asyncio.sleep(60)
    assert queue.failures("a") == 3
    await asyncio.sleep(60)
    assert [at for at, _ in work.started] == [0, 11, 32, 73]
    assert work.errors == [("a", "a failed", 10), ("a", "a failed", 20), ("a", "a failed", 40)]
    assert queue.failures("a") == 0
    work.fail["a"] = 1
    queue.add("a")
    await asyncio.sleep(60)
    assert work.errors[-1] == ("a", "a failed", 10)


async def test_news_does_not_wait_for_the_backoff(queue: KeyedQueue[str], work: Work) -> None:
    work.fail["a"] = 1
    queue.add("a")
    await asyncio.sleep(3)
    queue.add("a")
    await asyncio.sleep(100)
    assert [at for at, _ in work.started] == [0, 3]


async def test_a_failed_run_that_was_asked_for_meanwhile_runs_again_at_once(queue: KeyedQueue[str], work: Work) -> None:
    work.fail["a"] = 1
    queue.add("a")
    await asyncio.sleep(0.5)
    queue.add("a")
    await asyncio.sleep(100)
    assert [at for at, _ in work.started] == [0, 1]


async def test_a_cancelled_dependency_is_a_failure_like_any_other() -> None:
    runs: list[float] = []

    async def work(key: str) -> None:
        runs.append(asyncio.get_running_loop().time())
        if len(runs) == 1:
            raise asyncio.CancelledError

    queue = KeyedQueue(work, backoff=lambda _: 3, on_error=lambda *_: None)
    queue.add("a")
    await asyncio.sleep(10)
    assert runs == [0, 3]
    await queue.close()


async def test_a_crash_of_on_error_does_not_stop_the_line(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    async def work(key: str) -> None:
        if key == "bad":
            raise ValueError("bad")
        done.append(key)

    def on_error(key: str, error: BaseException, delay: float) -> None:
        raise OSError("log disk is full")

    queue = KeyedQueue(work, workers=1, on_error=on_error, name="q")
    for key in ("bad", "good"):
        queue.add(key)
    await queue.idle()
    assert done == ["good"]
    await queue.close()
    assert "task q worker crashed" in caplog.text


async def test_failures_are_logged_by_default(caplog: pytest.LogCaptureFixture) -> None:
    async def work(key: str) -> None:
        raise ValueError("out of cheese")

    queue = KeyedQueue(work, name="services")
    queue.add("hello")
    await queue.idle()
    await queue.close()
    assert "services: work on hello failed, next try in 1 s" in caplog.text
    assert "out of cheese" in caplog.text


async def test_close_cancels_work_and_forgets_the_rest(queue: KeyedQueue[str], work: Work) -> None:
    for key in "abc":
        queue.add(key)
    queue.add_after("d", 5)
    await asyncio.sleep(0.5)
    await queue.close()
    queue.add("e")
    queue.add_after("f", 1)
    await asyncio.sleep(100)
    assert work.started == [(0, "a"), (0, "b")]
    assert work.errors == []
    assert work.running.total() == 0
    assert repr(queue) == "<KeyedQueue test: 0 in line, 0 running, 0 timed, 0 failing>"


async def test_idle_means_no_tasks_and_no_timers(queue: KeyedQueue[str], work: Work) -> None:
    queue.add("a")
    await queue.idle()
    await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if task.get_name() == "test worker"]
    await asyncio.sleep(86_400)
    assert work.started == [(0, "a")]


async def test_a_key_added_the_moment_the_last_worker_leaves_is_not_stuck() -> None:
    ran: list[str] = []

    async def work(key: str) -> None:
        ran.append(key)

    queue = KeyedQueue(work, workers=1)
    queue.add("a")
    while not ran:
        await asyncio.sleep(0)
    for key in "bcd":
        queue.add(key)
        await queue.idle()
    assert ran == ["a", "b", "c", "d"]
    await queue.close()


def test_a_queue_without_workers_is_refused() -> None:
    async def work(key: str) -> None: ...

    with pytest.raises(ValueError, match="workers is 0"):
        KeyedQueue(work, workers=0)


Step = tuple[float, str, float]


@settings(max_examples=examples(60), deadline=None)
@given(
    steps=st.lists(st.tuples(st.floats(0, 3), st.sampled_from("abcd"), st.sampled_from([0.0, 0.25, 1.0, 4.0]))),
    failing=st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
    workers=st.integers(1, 3),
)
def test_every_request_is_answered_by_a_run_that_starts_after_it(
    steps: list[Step], failing: dict[str, int], workers: int
) -> None:
    async def scenario() -> None:
        work = Work()
        work.fail.update(failing)
        queue = KeyedQueue(work, workers=workers, backoff=lambda _: 2.0, on_error=work.failed)
        asked: dict[str, float] = {}
        for pause, key, delay in steps:
            await asyncio.sleep(pause)
            queue.add_after(key, delay)
            asked[key] = asyncio.get_running_loop().time()
        await asyncio.sleep(1000)
        assert work.most_at_once <= workers
        for key, at in asked.items():
            assert max(start for start, ran in work.started if ran == key) >= at
            assert queue.failures(key) == 0
        await queue.close()

    run_virtual(scenario())
