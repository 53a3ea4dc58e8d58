"""Traces as the languages write them, between lines that have nothing to do with them."""

import pytest

from homerun.core.stack_traces import LONGEST, MOST_CHARACTERS, MOST_LINES, QUIET, StackTraces

PYTHON = """Traceback (most recent call last):
  File "/app/main.py", line 3, in <module>
    f()
    ^^^
  File "/app/main.py", line 2, in f
    return 1 / 0
           ~~^~~
ZeroDivisionError: division by zero"""
PYTHON_CHAINED = (
    PYTHON
    + """

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 5, in <module>
    raise KeyboardInterrupt
KeyboardInterrupt"""
)
PYTHON_GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "/app/x.py", line 1, in <module>
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: a
    +------------------------------------"""
JAVA = """Exception in thread "main" java.lang.IllegalStateException: no database
\tat com.example.App.start(App.java:12)
\tat com.example.App.main(App.java:7)
\tSuppressed: java.io.IOException: close
\t\tat com.example.App.close(App.java:20)
\t\t... 2 more
Caused by: java.net.ConnectException: refused
\tat java.base/sun.nio.ch.Net.pollConnect(Native Method)
\t... 3 common frames omitted"""
JAVA_LOGGED = """2026-12-01 12:00:00 ERROR [main] c.e.App - com.example.NotFoundException: gone
\tat com.example.App.find(App.java:12)"""
GO = """panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.get(...)
\t/app/main.go:8
main.main()
\t/app/main.go:12 +0x1d
created by main.start in goroutine 7
\t/app/main.go:20 +0x45
exit status 2"""
GO_SIGNAL = """panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x47b6b6]

goroutine 1 [running]:
main.(*server).handle(0x0, {0x4b2e20, 0xc00001c0a8})
\t/app/main.go:8 +0x16"""
NODE = """/app/index.js:3
    throw new Error("no")
    ^

Error: no
    at f (/app/index.js:3:11)
    at Object.<anonymous> (/app/index.js:6:1) {
  code: 'ENO',
  [cause]: 7
}

Node.js v18.19.0"""
NODE_LOGGED = """TypeError: x is not a function
    at f (/app/index.js:3:11)
    at async handler (/app/server.js:9:3)"""
TRACES = [PYTHON, PYTHON_CHAINED, PYTHON_GROUP, JAVA, JAVA_LOGGED, GO, GO_SIGNAL, NODE, NODE_LOGGED]


def grouped(*lines: str, ended: bool = True) -> list[str]:
    traces: StackTraces[str] = StackTraces()
    for line in lines:
        traces.feed("stderr", line, line, 0)
    return ["\n".join(group) for group in traces.take(0, ended=ended)]


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.splitlines()[0][:30])
def test_a_trace_is_one_group_and_what_is_around_it_is_not_of_it(trace: str) -> None:
    assert grouped("listening on 8080", *trace.splitlines(), "GET / 200", "bye") == [
        "listening on 8080",
        trace,
        "GET / 200",
        "bye",
    ]


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.splitlines()[0][:30])
def test_the_same_trace_twice_is_two_groups_or_one_that_has_both(trace: str) -> None:
    assert "\n".join(grouped(*trace.splitlines(), *trace.splitlines())) == f"{trace}\n{trace}"


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "    indented",
        "at noon",
        "an Error occurred, says the log",
        "goroutines: 7",
        '{"message":"ValueError: x"}',
        "/healthz",
    ],
)
def test_ordinary_lines_stay_alone(line: str) -> None:
    assert grouped(line, line) == [line, line]


def test_streams_are_told_apart_and_order_is_kept() -> None:
    traces: StackTraces[str] = StackTraces()
    for number, line in enumerate(JAVA.splitlines()):
        traces.feed("stderr", line, line, 0)
        traces.feed("stdout", f"out {number}", f"out {number}", 0)
    assert traces.take(0) == []
    first, *others = traces.take(QUIET)
    assert "\n".join(first) == JAVA
    assert others == [[f"out {number}"] for number in range(len(JAVA.splitlines()))]


def test_what_may_begin_a_trace_is_held_for_a_moment_only() -> None:
    traces: StackTraces[str] = StackTraces()
    traces.feed("stderr", "before", "before", 5)
    assert traces.due is None
    traces.feed("stderr", "ValueError: x", "ValueError: x", 5)
    assert traces.take(5) == [["before"]]
    assert traces.due == 5 + QUIET
    assert traces.take(5.1) == []
    assert traces.take(5 + QUIET) == [["ValueError: x"]]
    assert traces.due is None


def test_a_trace_that_goes_on_and_on_is_cut_by_time_lines_and_size() -> None:
    traces: StackTraces[str] = StackTraces()
    now = 0.0
    while now < LONGEST:
        traces.feed("stderr", "java.lang.Error: x" if not now else "\tat a.b(c)", "", now)
        assert traces.take(now) == []
        now += 0.1
    assert len(traces.take(now)) == 1

    frames = ["java.lang.Error: x", *["\tat a.b(c)"] * (2 * MOST_LINES)]
    assert max(group.count("\n") + 1 for group in grouped(*frames)) == MOST_LINES
    long = ["java.lang.Error: x", *["\tat " + "a" * 1000] * 300]
    assert max(map(len, grouped(*long))) <= MOST_CHARACTERS


@pytest.mark.parametrize(
    "text", ["Error: A." * 100_000, "panic: " + "(" * 250_000, ": A" * 100_000 + "Exception", "$." * 100_000]
)
def test_no_line_takes_long(text: str) -> None:
    # Each would take minutes if its whole length were matched.
    grouped(*["panic: x", text] * 10)
    grouped("Traceback (most recent call last):", text, "goroutine 1 [running]:", text)


def test_when_the_clock_is_set_back_nothing_is_held_until_it_is_where_it_was() -> None:
    traces: StackTraces[str] = StackTraces()
    traces.feed("stderr", "Traceback (most recent call last):", "first", 5000)
    assert traces.take(5000 - LONGEST / 2) == [], "whoever looks may be a moment behind"
    assert traces.take(1400) == [["first"]]
