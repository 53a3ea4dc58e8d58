"""What the user calls an image: a name in a registry, an archive, or an image of the host's own podman or Docker.

Bare names are read as Docker reads them (`nginx` is docker.io/library/nginx:latest), but for one: the registry
`localhost` without a port means the host's containers-storage, which is where podman and buildah put what they build.
`@sha256:…` behind any reference pins it; for archives and folders that is our own spelling, which lets a pinned
reference name what we have imported already.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from homerun.lib.errors import Invalid

_PATHS = ("oci-archive", "docker-archive", "oci", "dir")
_NAMES = ("docker", "containers-storage", "docker-daemon")
TRANSPORTS = (*_NAMES, *_PATHS)

_TRANSPORT = re.compile(rf"({'|'.join(TRANSPORTS)}):")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?")


def repository(reference: str) -> str:
    """The reference without tag and digest: `docker://a.b:5000/c/d:v1` -> `docker://a.b:5000/c/d`. Never fails."""
    name = reference.partition("@")[0]
    match = _TRANSPORT.match(name)
    start = match.end() if match else 0
    head, slash, tail = name[start:].rpartition("/")
    return name[:start] + head + slash + tail.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Reference:
    """`name` is complete (with the registry) for names, an absolute path for archives and folders."""

    text: str
    transport: str
    name: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises Invalid, saying what is wrong and what would be right."""
        if not text or " " in text or not text.isprintable():
            raise _wrong(text, "is empty or contains spaces or control characters", "Use e.g. nginx:1.27")
        if text.startswith(("https://", "http://")):
            raise _wrong(text, "is a URL", f"Leave out the scheme: {text.partition('://')[2]}")
        match = _TRANSPORT.match(text)
        transport, rest = (match[1], text[match.end() :]) if match else ("", text)
        rest, digest = _split_digest(text, rest)
        if transport in _PATHS:
            return cls(text, transport, *_split_path(text, rest), digest)
        if transport == "docker":
            if not rest.startswith("//"):
                raise _wrong(text, "lacks the slashes after docker:", f"Use docker://{rest}")
            rest = rest[2:]
        name, tag = _split_name(text, rest)
        if not transport:
            transport = "containers-storage" if name.startswith("localhost/") else "docker"
        if transport == "docker-daemon" and not (tag or digest):
            raise _wrong(text, "names no tag", f"Use {text}:latest")
        return cls(text, transport, name, tag or ("" if digest else "latest"), digest)

    @property
    def source(self) -> str:
        """The same in skopeo's words. A digest says more than a tag, and skopeo takes only one of them."""
        if self.transport in _PATHS:
            return f"{self.transport}:{self.name}" + (f":{self.tag}" if self.tag else "")
        suffix = f"@{self.digest}" if self.digest else f":{self.tag}"
        return f"{self.transport}:{'//' if self.transport == 'docker' else ''}{self.name}{suffix}"

    @property
    def insecure(self) -> bool:
        """Registries on this machine's loopback may speak plain HTTP, as with Docker."""
        return self.transport == "docker" and _LOOPBACK.fullmatch(self.name.partition("/")[0]) is not None


def _split_digest(text: str, rest: str) -> tuple[str, str]:
    rest, at, digest = rest.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _wrong(text, f"has the digest {digest!r}", "A digest is sha256: and 64 lowercase hex digits")
    return rest, digest


def _split_path(text: str, rest: str) -> tuple[str, str]:
    path, _, tag = rest.partition(":")
    if not path.startswith("/"):
        raise _wrong(text, f"has the path {path!r}", "The path must be absolute: it is read by the daemon")
    return path, tag


def _split_name(text: str, rest: str) -> tuple[str, str]:
    first, slash, _ = rest.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host = first if has_host else "docker.io"
    path, colon, tag = (rest[len(first) + 1 :] if has_host else rest).partition(":")
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    if not _HOST.fullmatch(host):
        raise _wrong(text, f"has the registry {host!r}", "A registry is HOST or HOST:PORT")
    if colon and not _TAG.fullmatch(tag):
        raise _wrong(text, f"has the tag {tag!r}", "A tag has up to 128 letters, digits, '_', '.' and '-'")
    for component in path.split("/"):
        if not _COMPONENT.fullmatch(component):
            raise _wrong(
                text,
                f"has {component!r} in its name" if component else "has an empty part in its name",
                "Names have lowercase letters and digits, with '.', '_' or '-' between them",
            )
    if len(host) + len(path) >= 255:
        raise _wrong(text, "is too long", "A name has up to 255 characters")
    return f"{host}/{path}", tag


def _wrong(text: str, problem: str, remedy: str) -> Invalid:
    return Invalid(f"The image reference {text!r} {problem}. {remedy}.")
