"""`homerun up`: become the daemon."""

from __future__ import annotations

import click

from homerun.cli.daemon import become

OPTIONS = {
    "state": ("DIR", "/var/lib/homerun", "Folder that holds everything: database, images, instances, logs."),
    "api": ("HOST:PORT", "127.0.0.1:8787", "Where the Admin API listens."),
    "http": ("HOST:PORT", "127.0.0.1:8080", "Where services take requests."),
    "https": ("HOST:PORT", "nowhere", "Where services take requests over TLS."),
    "certificate": ("FILE", "a local CA's", "Certificate for TLS (PEM, with its chain); needs --key."),
    "key": ("FILE", "none", "Private key of --certificate."),
    "redirect_https": ("", "off", "Redirect requests over plain HTTP to --https."),
    "acme": ("EMAIL", "off", "Get certificates for mapped domains by ACME; agrees to the server's terms."),
    "acme_directory": ("URL", "https://acme-v02.api.letsencrypt.org/directory", "The ACME server's directory."),
    "secrets_key": ("FILE", "secrets.key in --state", "Key that secrets are encrypted with; made if there is none."),
    "project": ("ID", "homerun", "Project id for `homerun env`; every other one works as well."),
    "project_number": ("NUMBER", "100000000001", "Project number, in the URLs of services."),
    "region": ("NAME", "us-central1", "Region for `homerun env`; every other one works as well."),
    "idle_timeout": ("SECONDS", "300", "At most so long without a request an instance is kept."),
    "standby": ("N", "32", "Revisions, the last used ones, whose next instance is made ahead; 0: none."),
    "criu": ("FILE", "none", "CRIU: slow starts go on from a checkpoint of an earlier one (docs/starts.md)."),
    "routers": ("N", "1", "Router processes; more pay with several busy services and as many CPUs."),
    "max_tasks": ("N", "4 for each CPU", "Tasks of one CPU at the same time; one of two CPUs counts as two."),
    "task_memory": ("MIB", "nine tenths of it", "Memory that tasks may have together, by their limits."),
    "runtime": ("NAME|PATH", "the first that works", "OCI runtime: crun, runc or a path."),
    "log_size": ("MIB", "1024", "Of log entries of each project; the oldest go."),
    "log_days": ("DAYS", "30", "For which log entries are kept."),
    "root_disk": ("GIB", "0", "What a container writes goes to disk, so much at most; 0: to memory, within its limit."),
    "user_namespaces": ("", "off", "Root in a container is nobody on this machine."),
    "grace": ("SECONDS", "10", "Between SIGTERM and SIGKILL."),
    "request_limit": ("MIB", "32", "Largest body of an HTTP/1 request; 0: no limit."),
    "response_limit": ("MIB", "0", "Largest HTTP/1 answer that is not streamed; 0: no limit."),
    "queue_limit": ("N", "10000", "Requests that may wait for instances of one revision; the next one gets 429."),
    "queue_wait": ("SECONDS", "10", "A request waits so long for an instance, or 3.5 average starts; then 429."),
    "max_connections": ("N", "by the limit of open files", "Clients connected at a time; the next one gets 503."),
    "retry_idempotent": ("", "off", "Send a GET whose instance broke off to another one, once."),
    "allow_host_path": ("DIR", "none", "Folder that containers may mount (bucket=host:DIR); repeatable."),
}
"""Every setting of the daemon: its kind of value, its default and what it is. Checked against settings.py by a test."""
_REPEATED = {"allow_host_path"}


def _options(command: click.Command) -> click.Command:
    for name, (metavar, default, text) in OPTIONS.items():
        flag = "--" + name.replace("_", "-")
        text = f"{text}  [default: {default}]"
        if metavar:
            command.params.append(click.Option([flag], metavar=metavar, multiple=name in _REPEATED, help=text))
        else:
            command.params.append(click.Option([flag], flag_value="true", is_flag=True, default=None, help=text))
    return command


@_options
@click.command(short_help="Run homerun in the foreground; Ctrl-C stops everything.")
def up(**given: str | tuple[str, ...] | None) -> None:
    """Run homerun in the foreground. One Ctrl-C stops it and all instances cleanly; the next `up` finds all that was
    deployed, and goes on with unfinished executions.

    Needs root and an OCI runtime: `homerun doctor` says what is there.

    \b
    Examples:
      sudo homerun up
      sudo homerun up --state ~/homerun --http 0.0.0.0:80 --idle-timeout 30
    """
    arguments = []
    for name, value in given.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, tuple):
            arguments += [word for each in value for word in (flag, each)]
        elif value is not None:
            arguments += [flag, value] if OPTIONS[name][0] else [flag]
    become("up", arguments)
