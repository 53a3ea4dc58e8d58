"""The flags of `homerun jobs deploy|create`, and the v2 Job that they make."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from homerun.cli.flags import (
    ContainerFlags,
    Json,
    container_options,
    main_container,
    parse_duration,
    set_if_given,
)
from homerun.lib import ids

Command = TypeVar("Command", bound=Callable[..., Any])

OVERLAP = "homerun-overlap"
"""The annotation of a job's overlap policy."""
NONCE = "homerun-nonce"
"""A label that makes naming an image again a change: its tag may have moved."""


@dataclass(frozen=True, slots=True)
class JobFlags:
    """As given on the command line; None leaves what is there."""

    tasks: int | None
    parallelism: int | None
    max_retries: int | None
    task_timeout: str | None
    overlap: str | None
    delay_execution: bool | None


_OPTIONS = [
    click.option("--tasks", type=click.IntRange(1, 10_000), help="Tasks of one execution."),
    click.option("--parallelism", type=click.IntRange(0), help="Tasks at the same time; 0: as many as fit."),
    click.option("--max-retries", type=click.IntRange(0, 10), help="Retries of each task."),
    click.option("--task-timeout", metavar="TIME", help="Longest that one attempt may take: 600, 10m, 1h."),
    click.option(
        "--overlap",
        type=click.Choice(["allow", "forbid", "replace"]),
        help="What a run does while another one is not over: go beside it, be refused, or take its place.",
    ),
    click.option(
        "--delay-execution/--no-delay-execution",
        default=None,
        help="Executions give way to others, for at most 12 hours.",
    ),
]


def job_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return container_options(command)


def wanted(existing: Json | None, container: ContainerFlags, image: str, flags: JobFlags) -> Json:
    """What is there, changed by the flags. Pure but for the nonce."""
    body: Json = copy.deepcopy(existing or {})
    body["client"] = "homerun"
    execution: Json = body.setdefault("template", {})
    task: Json = execution.setdefault("template", {})
    main = main_container(task)
    container.apply(main, image or main.get("image", ""))
    container.volumes.apply(task, main)
    container.secrets.apply(task, main)
    if image:
        execution.setdefault("labels", {})[NONCE] = ids.suffix(10)
    set_if_given(execution, {"taskCount": flags.tasks, "parallelism": flags.parallelism})
    set_if_given(execution, {"delayExecution": flags.delay_execution})
    set_if_given(task, {"maxRetries": flags.max_retries})
    if flags.overlap is not None:
        body.setdefault("annotations", {})[OVERLAP] = flags.overlap
    if flags.task_timeout is not None:
        task["timeout"] = parse_duration(flags.task_timeout, "--task-timeout")
    return body
