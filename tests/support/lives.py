"""Whole lives of executions in virtual time, in which anything may be killed at any moment.

python -m tests.support.lives --lives 20000 --first 0     prints the seed of what goes wrong, and how to see it again

A world has three parts: the machine (memory), what was recorded (durable), and the engine (which survives our crashes,
but not the machine's). What must hold, whatever happens: an attempt is started at most once, a task whose success was
recorded is never started again, an attempt that ran ends with its real exit code or counts as lost, the counters add
up, and every execution comes to an end.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections import Counter

from homerun.core.execution import Command, Execution, Result, Start
from homerun.core.task import Outcome, Task, TaskState

LOST = -1
_WHAT = ["start", "start", "end", "end", "record", "record", "crash", "reboot", "tick", "cancel", "stop", "refuse"]


class World:
    def __init__(self, seed: int) -> None:
        self.seed, self.rng = seed, random.Random(seed)
        rng = self.rng
        self.count, self.retries, self.parallelism = rng.randint(1, 12), rng.randint(0, 4), rng.randint(0, 4)
        self.recorded = {index: Task(index) for index in range(self.count)}
        self.wanted = False
        """Its cancellation is recorded."""
        self.engine: dict[tuple[int, int], int | None] = {}
        """(task, attempt) -> None while it runs, its exit code, or LOST by a reboot; until it is removed."""
        self.codes: dict[tuple[int, int], int] = {}
        """How each attempt really ended."""
        self.ended: set[tuple[int, int]] = set()
        self.started: set[tuple[int, int]] = set()
        self.flying: set[tuple[int, int]] = set()
        """The machine has said start, and the engine has not heard of it yet."""
        self.now = 0.0
        self.machine = self.rebuild()

    def say(self, what: str) -> str:
        return f"seed {self.seed}: {what} (python -m tests.support.lives --lives 1 --first {self.seed})"

    def rebuild(self) -> Execution:
        """What a new process makes of what it finds."""
        self.ended.clear()
        self.flying.clear()
        tasks = [copy.deepcopy(self.recorded[index]) for index in range(self.count)]
        machine = Execution(tasks, parallelism=self.parallelism, max_retries=self.retries, timeout=50)
        self.machine = machine
        for (index, attempt), code in sorted(self.engine.items()):
            machine.adopt(index, attempt, self.now)
            if code is not None:
                self.exited(index, attempt, code)
        for task in machine.tasks:
            if task.running is not None and (task.index, task.running.number) not in self.engine:
                machine.forgotten(task.index, task.running.number, self.now)
        if self.wanted:
            self.obey(machine.cancel(self.now))
        return machine

    def exited(self, index: int, attempt: int, code: int) -> None:
        self.ended.add((index, attempt))
        self.machine.changed.add(index)
        self.obey(self.machine.exited(index, attempt, self.now, code=None if code == LOST else code, signal=None))

    def obey(self, commands: list[Command]) -> None:
        for command in commands:
            key = command.index, command.attempt
            if isinstance(command, Start):
                state = self.recorded[command.index].state
                assert state is not TaskState.SUCCEEDED, self.say(f"task {command.index} was repeated after success")
                self.flying.add(key)
                continue
            self.land()
            if self.engine[key] is None:
                self.end(key, self.rng.choice([0, 143]))  # a good handler of SIGTERM ends with 0

    def land(self) -> None:
        for key in self.flying:
            assert key not in self.started, self.say(f"attempt {key} was started twice")
            self.started.add(key)
            self.engine[key] = None
        self.flying.clear()

    def end(self, key: tuple[int, int], code: int) -> None:
        self.engine[key] = self.codes[key] = code
        self.exited(*key, code)

    def record(self) -> None:
        """A batch becomes durable, and only then the engine forgets."""
        for index in self.machine.changed:
            self.recorded[index] = copy.deepcopy(self.machine.tasks[index])
        self.machine.changed.clear()
        for key in self.ended:
            del self.engine[key]
        self.ended.clear()

    def step(self) -> None:
        rng, machine = self.rng, self.machine
        self.now += rng.random() * 5
        if rng.random() < 0.7:
            self.land()
        what = rng.choice(_WHAT)
        rare = rng.random() < 0.1
        running = sorted(key for key, code in self.engine.items() if code is None)
        if what == "start":
            self.obey(machine.start(rng.randint(1, 3), self.now))
        elif what == "end" and running:
            self.end(rng.choice(running), rng.choice([0, 0, 1]))
        elif what == "record":
            self.record()
        elif what == "tick":
            self.obey(machine.tick(self.now))
        elif what == "crash":
            self.rebuild()
        elif what == "reboot" and rare:
            lost = dict.fromkeys(running, LOST)
            self.engine.update(lost)
            self.codes.update(lost)
            self.rebuild()
        elif what == "stop" and rare:
            self.obey(machine.interrupt(self.now))
            self.record()
            self.rebuild()
        elif what == "cancel" and rare and rng.random() < 0.2:
            self.wanted = True
            self.obey(machine.cancel(self.now))
        elif what == "refuse" and rare and rng.random() < 0.1:
            machine.impossible("too large", self.now)

    def check(self) -> None:
        machine = self.machine
        states = Counter(task.state for task in machine.tasks)
        assert all(machine.count(state) == states[state] for state in TaskState), self.say("the counters do not add up")
        assert machine.count(TaskState.RUNNING) <= (self.parallelism or self.count), self.say("too many run")
        assert machine.retried == sum(task.retried > 0 for task in machine.tasks), self.say("wrong number of retries")
        for task in machine.tasks:
            assert task.failures <= self.retries + 1, self.say(f"task {task.index} was tried too often")
            for attempt in task.attempts:
                self.check_attempt(task.index, attempt.number, attempt.outcome, attempt.code)

    def check_attempt(self, index: int, number: int, outcome: Outcome | None, code: int | None) -> None:
        if outcome in (None, Outcome.UNSTARTED):
            return
        real = self.codes.get((index, number))
        if real is None:
            assert outcome is Outcome.INTERRUPTED, self.say(f"{index}/{number} is {outcome} and never ran")
        elif real == LOST:
            assert code is None, self.say(f"{index}/{number} was lost and has exit code {code}")
        else:
            assert code == real, self.say(f"{index}/{number} ended with {real}, and is said to with {code}")


def live(seed: int) -> World:
    """One life, to its end. Raises AssertionError."""
    world = World(seed)
    for _ in range(4000):
        if world.machine.ended and not world.machine.changed:
            break
        world.step()
        world.check()
    machine = world.machine
    assert machine.ended, world.say("it never ended")
    assert all(task.state.terminal for task in machine.tasks), world.say("a task was forgotten")
    succeeded = all(task.state is TaskState.SUCCEEDED for task in machine.tasks)
    assert (machine.result is Result.SUCCEEDED) == succeeded, world.say(f"its result is {machine.result}")
    return world


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lives", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=int(time.time()) * 1000, help="the first seed; by default another")
    options = parser.parse_args()
    print(f"seeds {options.first} to {options.first + options.lives - 1}")
    results: Counter[Result] = Counter()
    attempts = 0
    for seed in range(options.first, options.first + options.lives):
        world = live(seed)
        results[world.machine.result] += 1
        attempts += len(world.started)
    ends = ", ".join(f"{number} {result}" for result, number in results.most_common())
    print(f"{options.lives} lives, {attempts} attempts: {ends}; nothing was lost, nothing was run again")


if __name__ == "__main__":
    main()
