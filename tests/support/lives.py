"""Whole lives of executions in virtual time, in which anything may be killed at any moment.

python -m tests.support.lives --lives 20000 --first 0     prints the seed of what goes wrong, and how to see it again

A world has three parts: the machine (memory), what was recorded (durable), and the engine (which survives our crashes,
but not the machine's). What must hold, whatever happens:

- an attempt is started at most once, and none of a task whose success was recorded;
- no more run at a time than the parallelism says, as the engine sees it, and none is tried more often than it may be;
- nothing starts once the execution is cancelled, or one of its tasks is out of retries;
- an attempt that was told to end is no success, whatever its exit code, and whoever is told of that;
- an attempt that ran ends with its real exit code or counts as lost, and none is stopped before its time is over;
- what was recorded as the end of a task stays its end;
- the counters add up after each step, and every execution comes to an end: cancelled only if somebody cancelled it.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections import Counter

from homerun.core.execution import Command, Execution, Result, Start, Stop
from homerun.core.task import Outcome, Task, TaskState

LOST = -1
TIMEOUT = 50
_WHAT = ["start", "start", "end", "end", "record", "record", "crash", "reboot", "tick", "cancel", "stop", "refuse"]
_WHAT += ["unstarted", "postponed"]


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
        self.told: dict[tuple[int, int], float] = {}
        """When the engine told an attempt to end, which it writes down before it does."""
        self.codes: dict[tuple[int, int], int] = {}
        """How each attempt really ended."""
        self.ended: set[tuple[int, int]] = set()
        self.started: set[tuple[int, int]] = set()
        self.flying: set[tuple[int, int]] = set()
        """The machine has said start, and the engine has not heard of it yet."""
        self.impossible = False
        """No attempt can be started on this machine, from now on."""
        self.now = 0.0
        self.machine = self.rebuild()

    def say(self, what: str) -> str:
        return f"seed {self.seed}: {what} (python -m tests.support.lives --lives 1 --first {self.seed})"

    def rebuild(self) -> Execution:
        """What a new process makes of what it finds."""
        self.ended.clear()
        self.flying.clear()
        tasks = [copy.deepcopy(self.recorded[index]) for index in range(self.count)]
        machine = Execution(tasks, parallelism=self.parallelism, max_retries=self.retries, timeout=TIMEOUT)
        self.machine = machine
        for (index, attempt), code in sorted(self.engine.items()):
            machine.adopt(index, attempt, self.now)
            if (index, attempt) in self.told:
                again = machine.told_to_stop(index, attempt, self.told[index, attempt])
                assert all(isinstance(command, Stop) for command in again), self.say("a stop became something else")
            if code is not None:
                self.exited(index, attempt, code)
        for task in machine.tasks:
            if task.running is not None and (task.index, task.running.number) not in self.engine:
                machine.forgotten(task.index, task.running.number, self.now)
        machine.reunited()
        if self.impossible:
            machine.impossible("too large", self.now)
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
                self.check_start(command)
                self.flying.add(key)
                continue
            self.land()
            if self.engine[key] is None:
                self.told.setdefault(key, self.now)
                if self.rng.random() < 0.7:
                    self.end(key, self.rng.choice([0, 143]))  # a good handler of SIGTERM ends with 0

    def check_start(self, start: Start) -> None:
        task = self.machine.tasks[start.index]
        state = self.recorded[start.index].state
        assert state is not TaskState.SUCCEEDED, self.say(f"task {start.index} was repeated after success")
        assert task.failures <= self.retries, self.say(f"task {start.index} is tried too often")
        assert not self.wanted, self.say(f"task {start.index} starts after the execution was cancelled")
        assert self.machine.failed_task is None, self.say(f"task {start.index} starts after the execution has failed")
        running = len(self.flying) + sum(code is None for code in self.engine.values())
        assert running < (self.parallelism or self.count), self.say("more run than the parallelism says")

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
        taken = self.machine.take_changed(self.rng.randint(1, self.count))
        for index in taken:
            before, task = self.recorded[index].state, self.machine.tasks[index]
            assert task.state is before or not before.terminal, self.say(
                f"task {index} was {before} and is {task.state}"
            )
            self.recorded[index] = copy.deepcopy(task)
        for key in [key for key in self.ended if key[0] in taken]:
            del self.engine[key]
            self.ended.discard(key)

    def refuse(self, *, passing: bool) -> None:
        """The engine cannot start an attempt."""
        if not self.flying:
            return
        index, attempt = key = self.rng.choice(sorted(self.flying))
        self.flying.discard(key)
        if passing:
            self.machine.postponed(index, attempt)
        else:
            self.obey(self.machine.unstarted(index, attempt, "the image is gone", self.now))

    def tick(self) -> None:
        commands = self.machine.tick(self.now)
        for command in commands:
            age = self.now - self.machine.tasks[command.index].attempts[command.attempt].started
            assert age >= TIMEOUT - 1e-6, self.say(f"{command} after {age} s")
        self.obey(commands)

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
            self.tick()
        elif what in ("unstarted", "postponed"):
            self.refuse(passing=what == "postponed")
        elif what == "crash":
            self.rebuild()
        elif what == "reboot" and rare:
            lost = dict.fromkeys(running, LOST)
            self.engine.update(lost)
            self.codes.update(lost)
            self.rebuild()
        elif what == "stop" and rare:
            self.obey(machine.interrupt(self.now))
            while machine.changed and rng.random() < 0.9:  # or it is killed before all is written
                self.record()
            self.rebuild()
        elif what == "cancel" and rare and rng.random() < 0.2:
            self.wanted = True
            self.obey(machine.cancel(self.now))
        elif what == "refuse" and rare and rng.random() < 0.1:
            self.impossible = True
            self.rebuild()

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
            ok = outcome is Outcome.EXITED and code == 0
            assert not (ok and (index, number) in self.told), self.say(f"{index}/{number} was told to end: no success")
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
    assert machine.result is not Result.CANCELLED or world.wanted, world.say("nobody has cancelled it")
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
