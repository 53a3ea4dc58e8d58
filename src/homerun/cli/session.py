"""What every command that talks to homerun shares: where it is, which project and region, which form of output."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from homerun.cli.client import Client, Json

DEFAULT_API = "127.0.0.1:8787"
Command = TypeVar("Command", bound=Callable[..., Any])


class Session:
    """Asks the daemon for its project and region only when nobody has said which."""

    def __init__(
        self, api: str, project: str | None, region: str | None, format: str, token_file: str | None = None
    ) -> None:
        self.api, self.format, self.token_file = api, format, token_file
        self._project, self._region = project, region

    @cached_property
    def client(self) -> Client:
        from homerun.cli.client import Client

        return Client(self.api, self.token)

    @cached_property
    def token(self) -> str:
        """The access token to show, or empty. Raises CommandFailed when its file cannot be read."""
        from homerun.cli.errors import CommandFailed

        if self.token_file is None:
            return os.environ.get("HOMERUN_TOKEN", "").strip()
        try:
            text = Path(self.token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandFailed(f"cannot read the token in {self.token_file}: {error}") from error
        if not text.isascii() or not text.isprintable() or not text:
            raise CommandFailed(f"{self.token_file} holds no access token: homerun auth print-access-token prints one")
        return text

    @cached_property
    def info(self) -> Json:
        return self.client.get("/homerun/v1/info")

    @property
    def project(self) -> str:
        return self._project or str(self.info["project"])

    @property
    def region(self) -> str:
        return self._region or str(self.info["region"])

    def settle(self, project: str, region: str) -> tuple[str, str]:
        """The project and region of something that may name them itself; empty: it does not. Raises CommandFailed."""
        from homerun.cli.errors import CommandFailed

        for flag, given, own in (("--project", self._project, project), ("--region", self._region, region)):
            if given and own and given != own:
                raise CommandFailed(f"{flag} is {given}, but the file says {own}: leave out one of them")
        return project or self.project, region or self.region

    @property
    def json(self) -> bool:
        return self.format == "json"

    def name(self, *parts: str) -> str:
        """The resource name of something in the session's project and region: `name("services", "hello")`."""
        from homerun.cli.client import path

        return path("projects", self.project, "locations", self.region, *parts)

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()

    def flags(self) -> str:
        """What to add to a command that we suggest, so that it reaches the same place."""
        given = {"--api": self.api if self.api != DEFAULT_API else None}
        given |= {"--token-file": self.token_file, "--project": self._project, "--region": self._region}
        return "".join(f" {flag} {value}" for flag, value in given.items() if value)


_OPTIONS = [
    click.option("--api", default=DEFAULT_API, envvar="HOMERUN_API", metavar="HOST:PORT", show_default=True,
                 help="Where homerun's API is. Also: HOMERUN_API."),
    click.option("--token-file", metavar="FILE", type=click.Path(dir_okay=False),
                 help="File with an access token, where the API wants one. Also: HOMERUN_TOKEN, the token itself."),
    click.option("--project", envvar="CLOUDSDK_CORE_PROJECT", metavar="ID",
                 help="Project; by default homerun's own. Also: CLOUDSDK_CORE_PROJECT."),
    click.option("--region", envvar="CLOUDSDK_RUN_REGION", metavar="NAME",
                 help="Region; by default homerun's own. Also: CLOUDSDK_RUN_REGION."),
    click.option("--format", type=click.Choice(["table", "json"]), default="table", help="Form of the output."),
]  # fmt: skip


def session_options(command: Command) -> Command:
    """Adds the options above; the command gets a Session as its first argument instead of them."""

    def with_session(
        *args: Any, api: str, token_file: str | None, project: str | None, region: str | None, format: str, **rest: Any
    ) -> Any:
        session = Session(api, project, region, format, token_file)
        try:
            return command(session, *args, **rest)
        finally:
            session.close()

    decorated: Any = update_wrapper(with_session, command)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
