"""The verbs, and what becomes of an exception that none of them expected."""

from __future__ import annotations

import importlib
import os
import sys

import click

from homerun import __version__

VERBS = {
    "up": ("homerun.cli.up:up", "Run homerun in the foreground; Ctrl-C stops everything."),
    "down": ("homerun.cli.down:down", "Stop the homerun that runs, and all its instances."),
    "doctor": ("homerun.cli.doctor:doctor", "Say what this machine has, lacks, and how to get it."),
    "env": ("homerun.cli.env:env", "Print the exports that point gcloud and client libraries here."),
    "deploy": ("homerun.cli.deploy:deploy", "Deploy a service from an image or a source folder."),
    "services": ("homerun.cli.services:services", "List, describe, delete services; move their traffic."),
    "jobs": ("homerun.cli.jobs:jobs", "Deploy and execute jobs; follow their executions."),
    "worker-pools": ("homerun.cli.worker_pools:worker_pools", "Deploy, scale and describe worker pools."),
    "buckets": ("homerun.cli.buckets:buckets", "Make and list buckets: folders to mount as Cloud Storage volumes."),
    "secrets": ("homerun.cli.secrets:secrets", "Create secrets, add and read versions, say who may read them."),
    "schedules": ("homerun.cli.schedules:schedules", "Run jobs and call services at set times."),
    "auth": ("homerun.cli.auth:auth", "Print tokens: to call private services, and to use the API."),
    "trust": ("homerun.cli.trust:trust", "Have this machine believe homerun's certificates for *.localhost."),
    "bill": ("homerun.cli.bill:bill", "Show what everything would have cost on Cloud Run, by service, day, month, …"),
    "logs": ("homerun.cli.logs:logs", "Print the log of a service, job, execution, worker pool, schedule or project."),
}
"""Verb -> where it is and its line in the help, which must not cost an import."""


class Verbs(click.Group):
    """Imports a verb's file when that verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(f"There is no command {args[0]!r}. The commands are: {', '.join(VERBS)}.")
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="homerun")
def cli() -> None:
    """Cloud Run that you own: services, jobs, worker pools from any container, on this machine, behind Google's APIs.

    \b
    Examples:
      homerun up                                 start it (another terminal goes on)
      homerun deploy hello --source examples/hello
      homerun jobs execute ingest --wait
      eval "$(homerun env)" && gcloud run services list

    Exit codes: 0 it worked, 1 it failed, 2 wrong usage, 3 homerun is not running. HOMERUN_DEBUG=1 shows tracebacks.
    """


def run() -> None:
    """The console script. A traceback is for those who ask for it."""
    if os.environ.get("HOMERUN_DEBUG"):
        cli()
    try:
        cli()
    except Exception as error:  # the last resort: whatever it is, one line
        text = f"{type(error).__name__}: {error}"
        click.echo(f"{click.style('Error:', fg='red')} {text} (HOMERUN_DEBUG=1 shows where)", err=True)
        sys.exit(1)
