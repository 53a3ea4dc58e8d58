"""The answers that the platform itself gives (contract §1.12). The body says what happened and what helps."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {413: "Content Too Large"}
_TROUBLESHOOTING = "https://cloud.google.com/run/docs/troubleshooting#malformed-response-or-connection-error"


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    body: str
    retry_after: int = 0
    allow: str = ""
    challenge: str = ""
    location: str = ""
    text: str = ""
    """For the request log, in the platform's own words (contract §1.12); what is in the body is for the client."""

    @property
    def logged(self) -> str:
        """What the request log says of it."""
        return self.text or ("" if self.body.startswith("<") else self.body)

    @property
    def content(self) -> bytes:
        return (self.body + "\n").encode()

    def fields(self) -> list[tuple[str, str]]:
        """The headers that say something of the answer, not of the connection."""
        kind = "html" if self.body.startswith("<") else "plain"
        fields = [("Content-Type", f"text/{kind}; charset=utf-8"), ("Content-Length", str(len(self.content)))]
        if self.retry_after:
            fields.append(("Retry-After", str(self.retry_after)))
        if self.allow:
            fields.append(("Allow", self.allow))
        if self.location:
            fields.append(("Location", self.location))
        if self.challenge:
            fields.append(("WWW-Authenticate", self.challenge))
        return fields

    def encode(self, *, head_only: bool, keep_alive: bool) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {_REASONS[self.status]}"]
        lines += [f"{name}: {value}" for name, value in self.fields()]
        lines.append("Connection: keep-alive" if keep_alive else "Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (b"" if head_only else self.content)


BAD_GATEWAY_TEXT = (
    "The request failed because either the HTTP response was malformed or connection to the instance had an error. "
    f"Additional troubleshooting documentation can be found at: {_TROUBLESHOOTING}"
)
NO_INSTANCE_TEXT = "The request was aborted because there was no available instance."
NOT_STARTED_TEXT = "The request failed because the instance could not start successfully"
TIMEOUT_TEXT = (
    "The request has been terminated because it has reached the maximum request timeout. To change this limit, see "
    "https://cloud.google.com/run/docs/configuring/request-timeout"
)
NO_INSTANCE = Refusal(429, "Rate exceeded.", retry_after=1, text=NO_INSTANCE_TEXT)
QUEUE_FULL = NO_INSTANCE
DISABLED = Refusal(503, "Service disabled: it is scaled by hand, and has no instances for this revision.")
TIMEOUT = Refusal(504, "upstream request timeout", text=TIMEOUT_TEXT)
HEADER_TIMEOUT = Refusal(408, "The head of the request did not arrive in time.")
METHOD = Refusal(405, "CONNECT is not supported: send requests with a path.", allow="GET, HEAD, POST, PUT, DELETE")
NO_WEBSOCKETS = Refusal(501, "The container speaks HTTP/2, to which no WebSocket can be opened: name its port http1.")
EXPECTATION = Refusal(417, "The only expectation that is supported is 100-continue.")
TOO_MANY_CONNECTIONS = Refusal(503, "There are too many connections: try again in a moment.", retry_after=1)
PLAIN_ON_TLS = Refusal(400, "This port speaks HTTPS, and the request came without TLS: use https:// in the URL.")
MISDIRECTED = Refusal(421, "This connection carries requests of another host: open a new one for this host.")
OWNER_AWAY = Refusal(503, "The router that this service belongs to is being started again.", retry_after=1)
VERSION = Refusal(505, "HTTP/1.1 and HTTP/1.0 are spoken here.")


def _forbidden(status: int, reason: str, challenge: str = "") -> Refusal:
    """HTML, as people meet it in browsers. The same words go to the log."""
    title = _REASONS[status]
    return Refusal(
        status,
        f"<!DOCTYPE html><html><head><title>{status} {title}</title></head><body><h1>Error: {title}</h1>"
        f"<h2>Your client does not have permission to get this URL from this server.</h2><p>{html.escape(reason)}</p>"
        "</body></html>",
        challenge=challenge,
        text=reason,
    )


UNAUTHENTICATED = _forbidden(
    403,
    "The request was not authenticated. Either allow unauthenticated invocations or set the proper Authorization "
    "header.",
)


def bad_token(reason: str) -> Refusal:
    return _forbidden(401, f"The access token could not be verified: {reason}.", 'Bearer error="invalid_token"')


def not_permitted(who: str, service: str) -> Refusal:
    return _forbidden(
        403,
        f"The request was not authorized to invoke this service: {who} has no role with run.routes.invoke on "
        f"{service}, such as roles/run.invoker.",
    )


def moved_to(url: str) -> Refusal:
    return Refusal(302, f"Requests are taken over HTTPS: {url}", location=url)


def bad_request(reason: str) -> Refusal:
    return Refusal(400, f"The request is malformed: {reason}.")


def head_too_large(limit: int) -> Refusal:
    return Refusal(431, f"The head of the request is larger than the limit of {limit} bytes.")


def too_many_headers(limit: int) -> Refusal:
    return Refusal(431, f"The request has more than {limit} headers.")


def answer_too_large(length: int, limit: int) -> Refusal:
    """Contract §1.12."""
    return Refusal(
        500,
        f"The answer of the container has {length} bytes, more than the limit of {limit} for HTTP/1: stream it in "
        "chunks, without Content-Length, or raise --response-limit.",
    )


@lru_cache(16)
def body_too_large(limit: int) -> Refusal:
    return Refusal(413, f"The body of the request is larger than the limit of {limit} bytes for HTTP/1.")


def unsupported_encoding(value: str) -> Refusal:
    return Refusal(501, f"Transfer-Encoding {value!r} is not supported: only chunked is.")


def unknown_host(host: str) -> Refusal:
    """HTML, as people meet it in browsers."""
    name = html.escape(host) or "(none)"
    return Refusal(
        404,
        "<!DOCTYPE html><html><head><title>404 Page not found</title></head><body><h1>Error: Page not found</h1>"
        f"<p>No service answers to the host name <code>{name}</code>. "
        "Names of services are listed by <code>homerun services list</code>.</p></body></html>",
    )


def blocked(host: str) -> Refusal:
    """By the service's ingress: for those who are outside there is no such service."""
    return replace(unknown_host(host), text="The request was blocked by the ingress setting of the service.")


def not_ready(service: str) -> Refusal:
    return Refusal(503, f"Service {service} has no revision that is ready to serve yet.", retry_after=1)


def revision_gone(revision: str) -> Refusal:
    return Refusal(503, f"Revision {revision} was deleted while the request waited for an instance.", retry_after=1)


def not_started(cause: str) -> Refusal:
    return Refusal(503, f"{NOT_STARTED_TEXT}: {cause}", text=NOT_STARTED_TEXT)


OUT_OF_MEMORY_TEXT = (
    "While handling this request, the container instance was found to be using too much memory and was terminated. "
    "This is likely to cause a new container instance to be used for the next request to this revision. If you see "
    "this message frequently, you may have a memory leak in your code or may need more memory. Consider creating a "
    "new revision with more memory."
)


def out_of_memory(cause: str) -> Refusal:
    return Refusal(500, f"{OUT_OF_MEMORY_TEXT}\nCause: {cause}", text=OUT_OF_MEMORY_TEXT)


def instance_error(cause: str) -> Refusal:
    return Refusal(503, f"{BAD_GATEWAY_TEXT}\nCause: {cause}.", text=BAD_GATEWAY_TEXT)
