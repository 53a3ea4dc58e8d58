"""Limits of the platform that are no rules of a field: what holds here, beside what holds there (contract §1, §3)."""

from __future__ import annotations

from dataclasses import dataclass

from homerun.model import limits


@dataclass(frozen=True, slots=True)
class Fact:
    """`here`: homerun's; empty where it is the same."""

    what: str
    there: str
    source: str
    here: str = ""


_MIB = limits.MIB
FACTS = (
    Fact("services, jobs and worker pools of a project in a location", "1,000 of each", "§3", "no limit"),
    Fact("revisions of a service", f"{limits.REVISIONS:,}; the oldest without traffic go", "§3"),
    Fact("running executions of a project in a location", f"{limits.RUNNING_EXECUTIONS:,}", "§3"),
    Fact("completed executions of a job", f"{limits.COMPLETED_EXECUTIONS:,}; the oldest go", "§3"),
    Fact("tasks of an execution", f"{limits.TASK_COUNT.high:,.0f}", "§3"),
    Fact("tasks at a time", "by region, CPU and memory", "§3", "`--max-tasks`"),
    Fact("id of a service or worker pool", f"a DNS label of at most {limits.SERVICE_ID}", "§3"),
    Fact("id of a job", f"a DNS label of at most {limits.JOB_ID}", "§3"),
    Fact("body of an API request", "", "", f"{limits.REQUEST_BODY // _MIB} MiB"),
    Fact("page of a list", "", "", f"{limits.DEFAULT_PAGE}, at most {limits.MAX_PAGE:,}"),
    Fact("API requests", "3,000 reads and 180 writes a minute", "§3", "no limit"),
    Fact("HTTP/1 request to a service", "32 MiB", "§3", "`--request-limit`, 32 MiB"),
    Fact("HTTP/1 answer of a service", "32 MiB unless it is streamed", "§3", "`--response-limit`, no limit"),
    Fact("head of an HTTP/1 request or answer", "", "", "64 KiB; of a request at most 500 headers"),
    Fact("requests that wait for an instance", "", "", "`--queue-limit`, 10,000 for a revision"),
    Fact("time that they wait", "10 seconds, or 3.5 average starts", "§2.2", "`--queue-wait`, the same"),
    Fact("clients connected at a time", "", "", "`--max-connections`, by the limit of open files"),
    Fact("file descriptors of an instance", "25,000", "§1.5"),
    Fact("grace between SIGTERM and SIGKILL", "10 seconds", "§1.7", "`--grace`, 10 seconds"),
    Fact("an idle instance is kept", "at most 15 minutes", "§1.7", "`--idle-timeout`"),
)

NOT_ENFORCED = (
    "Launch stages: a preview field needs no `launchStage`, and the stage is handed back as it was sent. The real "
    "platform refuses preview fields in GA, and hands back the least stable stage that is needed.",
    "Second generation: at least 512 MiB of memory. Here there is one kind of sandbox, and less is fine.",
    "Less than 1 CPU: only with CPU that is idle outside of requests, and only in the first generation.",
    "Quotas of projects and regions.",
)
"""Rules of the real platform that only its own machines are the reason for."""
