"""Whether everything is as it should be: while it runs, and when all is quiet at the end."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.chaos.ledger import Ledger
from bench.chaos.town import SECRETS, TASKS, Town
from bench.support import memory_mib
from homerun.engine.oci.layout import Layout
from homerun.lib.timestamps import from_rfc3339
from tests.support.calamity import leftovers, links, litter
from tests.support.daemon import LOCATION

_PAGE = 1000
MORE_DESCRIPTORS = 12
"""That a process may have at the end, beside those of network namespaces: connections that are kept for a while."""


def entries(town: Town, filter: str) -> Iterator[dict[str, Any]]:
    body: dict[str, Any] = {"resourceNames": ["projects/homerun"], "filter": filter, "pageSize": _PAGE}
    while True:
        page = town.daemon.call("POST", "/v2/entries:list", body)
        yield from page.get("entries", ())
        if "nextPageToken" not in page:
            return
        body["pageToken"] = page["nextPageToken"]


def fields(ledger: Ledger, found: Iterator[dict[str, Any]], pattern: str, epoch: float) -> Iterator[tuple[str, ...]]:
    """What each entry says. One that is torn may only be where lines may be lost."""
    for entry in found:
        if match := re.fullmatch(pattern, entry["textPayload"]):
            yield (*match.groups(), entry["timestamp"], entry["labels"].get("instanceId", ""))
            continue
        moment = from_rfc3339(entry["timestamp"]) - epoch
        if any(fault.covers(moment) for fault in ledger.faults):
            ledger.counts["torn lines that may be"] += 1
        else:
            ledger.problem(f"a line is torn: {entry['textPayload'][:200]!r}")


def check_requests(ledger: Ledger) -> None:
    for request in ledger.unexcused()[:50]:
        ledger.problem(f"no fault excuses {request.id}: {request.outcome} {request.detail}")
    ledger.counts["requests"] = len(ledger.requests)
    for outcome, number in Counter(request.outcome for request in ledger.requests).items():
        ledger.counts[f"requests {outcome}"] = number


def check_lines(town: Town, ledger: Ledger, epoch: float) -> None:
    """Each request that was answered has said so once; no other one twice; and nobody screamed."""
    found = entries(town, 'textPayload:"did "')
    said: dict[str, list[str]] = defaultdict(list)
    for id, time, instance in fields(ledger, found, r"did ([a-z]+-\d+)", epoch):
        said[id].append(f"{time} of {instance[:8]}")
    for id, where in said.items():
        ledger.counts["requests that were sent once more"] += len(set(where)) - 1
        if len(where) > len(set(where)):
            request = next((request for request in ledger.requests if request.id == id), None)
            ledger.problem(f"the line of {id} is there more than once: {', '.join(where)} ({request})")
    ledger.counts["lines of requests"] = sum(map(len, said.values()))
    lost = [r for r in ledger.requests if r.outcome == "ok" and r.id not in said]
    for request in lost:
        if any(fault.covers(request.began) or fault.covers(request.ended) for fault in ledger.faults):
            ledger.counts["lines lost that may be"] += 1
        else:
            ledger.problem(f"the line of {request.id} is lost")
    for entry in entries(town, 'textPayload:"SCREAM"'):
        ledger.problem(f"a container screamed: {entry['textPayload']}")


def check_rows(town: Town, ledger: Ledger, epoch: float) -> None:
    """Of each writer the numbers are without a gap, each there once. `epoch`: wall clock at zero of the monotonic."""
    rows: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for nonce, number, time, _ in fields(ledger, entries(town, 'textPayload:"row "'), r"row (\w+) (\d+)", epoch):
        rows[nonce].append((int(number), from_rfc3339(time) - epoch))
    for nonce, found in rows.items():
        found.sort()
        ledger.counts["numbered lines"] += len(found)
        numbers = [number for number, _ in found]
        if len(set(numbers)) < len(numbers):
            ledger.problem(f"of {nonce} {len(numbers) - len(set(numbers))} lines are there twice")
        last, at = -1, found[0][1]
        for number, moment in found:
            if number > last + 1:
                if any(f.forgets and f.began - 2 <= moment and at <= (f.ended + 2) for f in ledger.faults):
                    ledger.counts["numbered lines lost that may be"] += number - last - 1
                else:
                    ledger.problem(f"of {nonce} the lines {last + 1} to {number - 1} are lost")
            last, at = number, moment


_NOTE = re.compile(r"run\.(.+)\.(\d+)\.(\d+)")


def check_tasks(town: Town, ledger: Ledger) -> None:
    """Each task has one success that was seen, nothing ran after it, and the counters say so."""
    ran: dict[tuple[str, int], list[int]] = defaultdict(list)
    for path in town.notes.iterdir():
        if match := _NOTE.fullmatch(path.name):
            ran[(match[1], int(match[2]))].append(int(match[3]))
    listed = town.daemon.call("GET", f"/v2/{LOCATION}/jobs/work/executions?pageSize=1000").get("executions", ())
    for execution in listed:
        name, id = execution["name"], execution["name"].rpartition("/")[2]
        ledger.counts["executions"] += 1
        if execution.get("succeededCount") != TASKS or "completionTime" not in execution:
            counters = {key: value for key, value in execution.items() if key.endswith("Count")}
            ledger.problem(f"{id} has not succeeded: {counters} {execution.get('conditions')}")
        explained = town.daemon.call("GET", f"/homerun/v1/{name}:explain")
        for task in explained["tasks"]:
            ledger.counts["task attempts"] += len(task["attempts"])
            good = [each["attempt"] for each in task["attempts"] if each.get("code") == 0]
            later = [number for number in ran[(id, task["index"])] if good and number > good[0]]
            if later:
                ledger.problem(f"task {task['index']} of {id} ran again after it had succeeded: attempts {later}")


def check_writes(town: Town, ledger: Ledger) -> None:
    """What was acknowledged is there."""
    found, token = set(), ""
    while True:
        page = town.daemon.call("GET", f"{SECRETS}?pageSize=1000&pageToken={token}")
        found.update(secret["name"].rpartition("/")[2] for secret in page.get("secrets", ()))
        if not (token := page.get("nextPageToken", "")):
            break
    ledger.counts["writes acknowledged"] = len(ledger.acknowledged)
    if lost := ledger.acknowledged - found:
        ledger.problem(f"{len(lost)} writes were acknowledged and are lost: {sorted(lost)[:5]}")


def descriptors(pid: int) -> Counter[str]:
    """Open ones by what they are: `net`, `socket`, `pipe`, or the path of a file."""
    found: Counter[str] = Counter()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        found[target.partition(":[")[0]] += 1
    return found


def measure(town: Town) -> dict[str, dict[str, float]]:
    """Descriptors (without those of network namespaces) and MiB of each process."""
    found = {}
    for role, pid in town.daemon.children().items():
        opened = descriptors(pid)
        own = opened.total() - opened["net"]
        found[role] = {"descriptors": own, "networks": opened["net"], "mib": round(memory_mib(pid), 1)}
    return found


def check_leaks(town: Town, ledger: Ledger, before: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """With nothing deployed any more."""
    after = measure(town)
    for role, now in after.items():
        grown = now["descriptors"] - before[role]["descriptors"]
        if grown > MORE_DESCRIPTORS:
            ledger.problem(f"{role} has {grown:.0f} descriptors more than at the beginning")
    ports = len(links(Layout(town.state.absolute()).tag)) - 1
    if ports > after["control"]["networks"]:
        ledger.problem(f"there are {ports} network namespaces, of which control holds {after['control']['networks']}")
    for what in litter(town.state):
        ledger.problem(f"in the state folder is left: {what}")
    return after


def check_end(town: Town, ledger: Ledger) -> None:
    """After it was stopped."""
    for what in leftovers(town.state):
        ledger.problem(f"on the host is left: {what}")
