"""`homerun schedules`: what is called when, under the names of gcloud scheduler jobs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import click

from homerun.cli import access
from homerun.cli.client import Json, path
from homerun.cli.lookup import confirm
from homerun.cli.output import ago, last, print_json, table
from homerun.cli.schedule_flags import (
    TOKENS,
    change_options,
    changed_pairs,
    http_options,
    pubsub_options,
    resets,
    schedule_option,
    topic_option,
    uri_option,
    wanted,
)
from homerun.cli.session import Session, session_options
from homerun.lib.clock import SystemClock

_SHOWN = 1000
"""Characters of a body."""


@click.group(short_help="Run jobs and call services at set times.")
def schedules() -> None:
    """Schedules: a URL that is called at set times. In gcloud and in the API their name is Cloud Scheduler jobs.

    \b
    Examples:
      homerun jobs schedule report "0 7 * * MON-FRI" --time-zone Europe/Berlin
      homerun schedules create http poll --schedule "*/5 * * * *" --uri https://example.com/poll
      homerun schedules run poll && homerun logs poll --schedule
    """


@schedules.group()
def create() -> None:
    """Create a schedule; it is an error if there is one of that name."""


@create.command("http")
@click.argument("schedule_id", metavar="SCHEDULE")
@schedule_option(required=True)
@uri_option(required=True)
@http_options
@session_options
def create_http(session: Session, schedule_id: str, **given: Any) -> None:
    """Create a schedule that calls a URL: of a service, of the API, or of anything else.

    \b
    Examples:
      homerun schedules create http poll --schedule "*/5 * * * *" --uri https://example.com/poll --http-method GET
      homerun schedules create http sync --schedule "every monday 09:00" --time-zone Europe/Berlin \\
        --uri http://sync-100000000001.us-central1.run.localhost:8080/all \\
        --oidc-service-account-email robot@homerun.iam.gserviceaccount.com
    """
    body, _ = wanted(given)
    made = post(session, schedule_id, body)
    tell(session, made, f"Created schedule {schedule_id}: {_coming(made)}.")


@create.command("pubsub")
@click.argument("schedule_id", metavar="SCHEDULE")
@schedule_option(required=True)
@topic_option(required=True)
@pubsub_options
@session_options
def create_pubsub(session: Session, schedule_id: str, **given: Any) -> None:
    """Create a schedule that publishes a message.

    Pub/Sub is not part of homerun yet: the schedule is stored, and its attempts fail with UNIMPLEMENTED.

    \b
    Examples:
      homerun schedules create pubsub news --schedule "every 5 minutes" --topic news --message-body hello
      homerun schedules create pubsub news --schedule "0 * * * *" --topic projects/homerun/topics/news \\
        --attributes kind=hourly
    """
    body, _ = wanted(_with_topic(session, given), "pubsubTarget")
    made = post(session, schedule_id, body)
    tell(
        session, made, f"Created schedule {schedule_id}: {_coming(made)}. Until homerun has Pub/Sub, its attempts fail."
    )


@schedules.group()
def update() -> None:
    """Change a schedule. Flags that are not given leave what is there."""


@update.command("http")
@click.argument("schedule_id", metavar="SCHEDULE")
@schedule_option(required=False)
@uri_option(required=False)
@http_options
@change_options("headers")
@click.option("--clear-message-body", is_flag=True, help="Without a body.")
@click.option("--clear-auth-token", is_flag=True, help="Without a token.")
@session_options
def update_http(
    session: Session, schedule_id: str, clear_message_body: bool, clear_auth_token: bool, **given: Any
) -> None:
    """Change a schedule that calls a URL.

    \b
    Examples:
      homerun schedules update http poll --schedule "*/10 * * * *"
      homerun schedules update http poll --max-retry-attempts 3 --min-backoff 10s
      homerun schedules update http poll --update-headers X-Version=2 --clear-time-zone
    """
    cleared = [*(["httpTarget.body"] if clear_message_body else []), *(TOKENS if clear_auth_token else [])]
    _change(session, schedule_id, given, "httpTarget", "headers", cleared)


@update.command("pubsub")
@click.argument("schedule_id", metavar="SCHEDULE")
@schedule_option(required=False)
@topic_option(required=False)
@pubsub_options
@change_options("attributes")
@session_options
def update_pubsub(session: Session, schedule_id: str, **given: Any) -> None:
    """Change a schedule that publishes a message.

    \b
    Examples:
      homerun schedules update pubsub news --message-body "good morning"
      homerun schedules update pubsub news --update-attributes kind=daily --schedule "0 7 * * *"
    """
    _change(session, schedule_id, _with_topic(session, given), "pubsubTarget", "attributes", [])


def _change(session: Session, id: str, given: dict[str, Any], target: str, pairs: str, cleared: Sequence[str]) -> None:
    cleared = [*cleared, *resets(given)]
    updated, removed, clear = (given.pop(f"{verb}_pairs") for verb in ("update", "remove", "clear"))
    if clear:
        cleared.append(f"{target}.{pairs}")
    elif updated is not None or removed is not None:
        before = session.client.get(url(session, id)).get(target, {}).get(pairs, {})
        given[pairs] = changed_pairs(before, updated, removed, f"--update-{pairs}")
    body, mask = wanted(given, target, cleared=cleared)
    if not mask:
        raise click.UsageError("Nothing to change: give a flag, such as --schedule.")
    made = session.client.patch(url(session, id), body, updateMask=mask)
    tell(session, made, f"Changed schedule {id}: {_coming(made)}.")


def _with_topic(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    """A topic without its project is one of the session's."""
    topic = given.get("topic")
    return {**given, "topic": f"projects/{session.project}/topics/{topic}"} if topic and "/" not in topic else given


@schedules.command("list")
@session_options
def list_schedules(session: Session) -> None:
    """List the schedules of a project and region.

    \b
    Example:
      homerun schedules list
    """
    found = list(session.client.pages(url(session), "jobs"))
    if session.json:
        print_json(found)
        return
    now = SystemClock().now()
    rows = [
        (last(each["name"]), f"{each['schedule']} ({each['timeZone']})", each["state"].lower(),
         each.get("scheduleTime", "-")[:19].replace("T", " "), ago(each.get("lastAttemptTime"), now),
         _result(each), _target(each))
        for each in found
    ]  # fmt: skip
    click.echo(table(("SCHEDULE", "WHEN", "STATE", "NEXT (UTC)", "LAST", "RESULT", "TARGET"), rows))


@schedules.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@session_options
def describe(session: Session, schedule_id: str) -> None:
    """Show a schedule: what it calls, when it does so next, and what became of its last attempt.

    \b
    Example:
      homerun schedules describe poll
    """
    found = session.client.get(url(session, schedule_id))
    if session.json:
        print_json(found)
        return
    click.echo(f"{click.style(schedule_id, bold=True)}  {_target(found)}")
    if found.get("description"):
        click.echo(found["description"])
    click.echo(table(("", ""), [(f"  {name}", value) for name, value in _facts(found) if value]).partition("\n")[2])


@schedules.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@session_options
def pause(session: Session, schedule_id: str) -> None:
    """Make no attempts until it is resumed. What is missed meanwhile is not made up for.

    \b
    Example:
      homerun schedules pause poll
    """
    made = session.client.post(f"{url(session, schedule_id)}:pause", {})
    tell(session, made, f"Paused schedule {schedule_id}.")


@schedules.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@session_options
def resume(session: Session, schedule_id: str) -> None:
    """Go on after a pause.

    \b
    Example:
      homerun schedules resume poll
    """
    made = session.client.post(f"{url(session, schedule_id)}:resume", {})
    tell(session, made, f"Resumed schedule {schedule_id}: {_coming(made)}.")


@schedules.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@session_options
def run(session: Session, schedule_id: str) -> None:
    """Attempt now, paused or not; the schedule stays as it is.

    \b
    Example:
      homerun schedules run poll
    """
    made = session.client.post(f"{url(session, schedule_id)}:run", {})
    tell(
        session,
        made,
        f"An attempt was asked for. What becomes of it: homerun logs {schedule_id} --schedule{session.flags()}",
    )


@schedules.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@click.option("--yes", "--quiet", "-y", "yes", is_flag=True, help="Do not ask.")
@session_options
def delete(session: Session, schedule_id: str, yes: bool) -> None:
    """Delete a schedule. An attempt that is under way goes on.

    \b
    Example:
      homerun schedules delete poll --yes
    """
    session.client.get(url(session, schedule_id))
    confirm(f"Delete schedule {schedule_id}?", yes)
    session.client.delete(url(session, schedule_id))
    click.echo(f"Deleted schedule {schedule_id}.", err=True)


@click.command("schedule")
@click.argument("job")
@click.argument("when")
@click.option("--time-zone", metavar="ZONE", help="Of the tz database, such as Europe/Berlin. Default: UTC.")
@click.option("--name", metavar="SCHEDULE", help="Of the schedule. Default: that of the job.")
@click.option("--service-account", metavar="EMAIL", help="Who runs the job. Default: the project's default account.")
@session_options
def schedule_job(
    session: Session, job: str, when: str, time_zone: str | None, name: str | None, service_account: str | None
) -> None:
    """Execute JOB at set times: "*/5 * * * *", "every monday 09:00". Lets the account that runs it do so.

    \b
    Examples:
      homerun jobs schedule report "0 7 * * MON-FRI" --time-zone Europe/Berlin
      homerun jobs schedule ingest "every 6 hours" --name ingest-often
    """
    resource = session.name("jobs", job)
    session.client.get(f"/v2/{resource}")
    account = service_account or f"{session.info['projectNumber']}-compute@developer.gserviceaccount.com"
    id = name or job
    body, _ = wanted(
        {
            "schedule": when,
            "time_zone": time_zone,
            "description": f"Executes job {job}",
            "uri": f"https://{session.region}-run.googleapis.com/v2/{resource}:run",
            "oauth_service_account_email": account,
        }
    )
    made = post(session, id, body)
    access.grant(session, f"/v2/{resource}", f"serviceAccount:{account}", access.INVOKER)
    tell(session, made, f"Created schedule {id}: {_coming(made)}. Now: homerun schedules run {id}{session.flags()}")


def url(session: Session, *schedule: str) -> str:
    return f"/v1/{session.name('jobs', *schedule)}"


def post(session: Session, id: str, body: Json) -> Json:
    name = path("projects", session.project, "locations", session.region, "jobs", id)
    return session.client.post(url(session), {"name": name, **body})


def tell(session: Session, made: Json, text: str) -> None:
    print_json(made) if session.json else click.echo(text, err=True)


def _coming(schedule: Json) -> str:
    when = schedule.get("scheduleTime")
    return f"next at {when[:19].replace('T', ' ')} UTC" if when else "paused"


def _result(schedule: Json) -> str:
    """Of its last attempt."""
    if "status" not in schedule:
        return "-"
    status = schedule["status"]
    return f"failed ({status['code']})" if status.get("code") else "ok"


def _target(schedule: Json) -> str:
    if (http := schedule.get("httpTarget")) is not None:
        return f"{http['httpMethod']} {http['uri']}"
    return f"Pub/Sub {schedule['pubsubTarget']['topicName']}"


def _facts(schedule: Json) -> list[tuple[str, str]]:
    http, message, retry, status = (
        schedule.get(key, {}) for key in ("httpTarget", "pubsubTarget", "retryConfig", "status")
    )
    sent = base64.b64decode(http.get("body") or message.get("data") or "")
    now, body = SystemClock().now(), sent[:_SHOWN].decode(errors="replace")
    tokens = [
        f"{kind} of {http[key]['serviceAccountEmail']}"
        for key, kind in (("oidcToken", "ID token"), ("oauthToken", "access token"))
        if key in http
    ]
    last_attempt = f"{ago(schedule['lastAttemptTime'], now)}: " if "lastAttemptTime" in schedule else ""
    return [
        ("schedule", f"{schedule['schedule']} ({schedule['timeZone']})"),
        ("state", schedule["state"].lower()),
        ("next", schedule.get("scheduleTime", "")),
        ("last attempt", last_attempt + (status.get("message") or _result(schedule))),
        ("headers", ", ".join(f"{name}: {value}" for name, value in http.get("headers", {}).items())),
        ("attributes", ", ".join(f"{name}={value}" for name, value in message.get("attributes", {}).items())),
        ("body", body),
        ("token", ", ".join(tokens)),
        ("deadline", schedule.get("attemptDeadline", "")),
        (
            "retries",
            f"{retry.get('retryCount', 0)}, after {retry['minBackoffDuration']} to {retry['maxBackoffDuration']}",
        ),
    ]
