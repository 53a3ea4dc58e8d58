"""Who may start a task next: each rule by itself, then random worlds."""

import random

from homerun.core.admission import GIB, Admission, Size

ROOM = Size(cpu=8, memory=8 * GIB)
SMALL = Size(cpu=1, memory=GIB // 2)
NOBODY = Size()


def admission(**needs: Size) -> Admission:
    made = Admission(ROOM)
    for key, need in needs.items():
        made.add(key, need)
    return made


def started(made: Admission, waiting: list[str], others: Size = NOBODY, now: float = 0) -> list[str]:
    """All that may start now."""
    found = []
    while (key := made.next(waiting, others, now)) is not None:
        made.take(key)
        found.append(key)
    return found


def test_one_execution_has_the_whole_machine() -> None:
    assert started(admission(a=SMALL), ["a"]) == ["a"] * 8


def test_memory_is_set_aside_for_what_a_task_may_use() -> None:
    assert started(admission(a=Size(1, 3 * GIB)), ["a"]) == ["a"] * 2


def test_executions_take_turns_and_the_oldest_is_first() -> None:
    assert started(admission(a=SMALL, b=SMALL), ["a", "b"]) == ["a", "b"] * 4


def test_where_one_task_fills_the_machine_executions_take_turns_as_well() -> None:
    made = admission(a=Size(8, GIB), b=Size(8, GIB))
    order = []
    for _ in range(4):
        [key] = started(made, ["a", "b"])
        made.give(key)
        order.append(key)
    assert order == ["a", "b", "a", "b"]


def test_a_new_execution_gets_what_an_old_one_gives_back() -> None:
    made = admission(a=SMALL)
    started(made, ["a"])
    made.add("b", SMALL)
    for _ in range(4):
        made.give("a")
        assert started(made, ["a", "b"]) == ["b"]
    made.give("a")
    assert started(made, ["a", "b"]) == ["a"]


def test_an_execution_of_large_tasks_runs_fewer_of_them() -> None:
    made = admission(large=Size(4, 2 * GIB), small=SMALL)
    assert sorted(started(made, ["large", "small"])) == ["large"] + ["small"] * 4


def test_a_large_task_is_waited_for_by_small_ones() -> None:
    made = admission(small=SMALL)
    started(made, ["small"])
    made.add("large", Size(1, 6 * GIB))
    for _ in range(3):
        made.give("small")
        assert made.next(["small", "large"], NOBODY, 0) is None
    made.give("small")
    assert started(made, ["small", "large"])[0] == "large"


def test_one_that_has_tasks_and_does_not_fit_is_passed() -> None:
    made = admission(large=Size(1, 5 * GIB), small=SMALL)
    assert sorted(started(made, ["large", "small"])) == ["large"] + ["small"] * 6


def test_a_task_that_wants_more_cpu_than_there_is_runs_alone() -> None:
    made = admission(a=Size(32, GIB))
    assert made.refusal(Size(32, GIB)) == ""
    assert started(made, ["a"]) == ["a"]


def test_what_can_never_fit_is_refused_with_the_remedy() -> None:
    made = admission()
    assert made.refusal(SMALL) == ""
    assert made.refusal(Size(1, 16 * GIB)) == (
        "it may use 16.0 GiB of memory, and tasks may have 8.0 GiB here all together. Give the job less with "
        "--memory, or raise --task-memory of `homerun up`"
    )


def test_tasks_have_what_services_leave_and_never_less_than_half() -> None:
    assert len(started(admission(a=SMALL), ["a"], others=Size(2, GIB))) == 6
    assert len(started(admission(a=SMALL), ["a"], others=Size(0, 7 * GIB))) == 8
    assert len(started(admission(a=SMALL), ["a"], others=Size(100, 100 * GIB))) == 4


def test_whatever_services_hold_one_task_runs() -> None:
    assert started(admission(a=Size(1, 7 * GIB)), ["a"], others=Size(8, 8 * GIB)) == ["a"]


def test_a_delayed_execution_waits_until_nobody_else_does_or_its_time_has_come() -> None:
    made = Admission(ROOM)
    made.add("late", SMALL, delayed=100)
    made.add("now", Size(8, GIB))
    assert started(made, ["late", "now"]) == ["now"]
    assert made.wake(["late", "now"], 0) == 100
    made.give("now")
    assert made.next(["late", "now"], NOBODY, 100) == "late"
    assert made.wake(["late", "now"], 100) is None
    assert made.next(["late"], NOBODY, 1) == "late"


def test_an_execution_that_has_ended_is_forgotten() -> None:
    made = admission(a=SMALL, b=SMALL)
    made.take("a")
    made.give("a")
    made.forget("a")
    made.forget("a")
    assert repr(made) == "<Admission: 0 tasks of 1 executions>"


def test_random_worlds_never_hold_too_much_and_never_stand_still() -> None:
    for seed in range(50):
        rng = random.Random(seed)
        made, running = Admission(ROOM), []
        needs = {f"e{n}": Size(rng.choice([1, 2, 4, 8]), rng.randint(1, 16) * GIB // 2) for n in range(5)}
        left = {key: rng.randint(1, 20) for key in needs}
        for key, need in needs.items():
            made.add(key, need)
        while any(left.values()) or running:
            others = Size(rng.random() * 10, int(rng.random() * 10 * GIB))
            while (key := made.next([k for k in needs if left[k]], others, 0)) is not None:
                made.take(key)
                left[key] -= 1
                running.append(key)
            assert running, f"seed {seed}: nobody runs and nobody may"
            assert sum(needs[key].memory for key in running) <= ROOM.memory, f"seed {seed}"
            assert sum(min(needs[key].cpu, ROOM.cpu) for key in running) <= ROOM.cpu, f"seed {seed}"
            made.give(running.pop(rng.randrange(len(running))))


def test_in_random_worlds_no_delayed_execution_begins_before_others_have_begun_all_of_theirs() -> None:
    for seed in range(50):
        rng = random.Random(seed)
        made, running, now = Admission(ROOM), [], 0.0
        left = {f"e{n}": rng.randint(1, 20) for n in range(6)}
        delayed = {key: rng.random() * 60 for key in left if rng.random() < 0.5}
        for key in left:
            made.add(key, Size(rng.choice([1, 2, 4]), rng.randint(1, 8) * GIB // 2), delayed.get(key))
        while any(left.values()) or running:
            waiting = [key for key in left if left[key]]
            while (key := made.next(waiting, Size(), now)) is not None:
                if (until := delayed.pop(key, None)) is not None and now < until:
                    prompt = [each for each in waiting if delayed.get(each, 0.0) <= now and each != key]
                    assert not prompt, f"seed {seed}: {key} begins at {now}, before {prompt}"
                made.take(key)
                left[key] -= 1
                running.append(key)
                waiting = [key for key in left if left[key]]
            assert running, f"seed {seed}: nobody runs and nobody may"
            made.give(running.pop(rng.randrange(len(running))))
            now += rng.random() * 3
