"""Functions of Cloud Logging's query language, as far as they can be answered here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from homerun.wire.filter_nodes import Comparison, InNet, Node, Path, Search, words

_QUERY = re.compile(r"`([^`]*)`|([^`\s]+)")


def log_id(arguments: Sequence[Path]) -> Node:
    """`log_id("run.googleapis.com/stdout")`: the log of that name, whatever the project."""
    if len(arguments) != 1:
        raise ValueError('write log_id("run.googleapis.com/stdout")')
    return Comparison(("logName",), "=~", f"/logs/{re.escape(quote('.'.join(arguments[0]), safe=''))}$")


def search(arguments: Sequence[Path]) -> Node:
    """`SEARCH("words")`, `SEARCH(field, "words")`: all of them, in any order; between backquotes, a phrase."""
    if len(arguments) not in (1, 2):
        raise ValueError('write SEARCH("words") or SEARCH(field, "words")')
    path, query = arguments[0] if len(arguments) == 2 else (), ".".join(arguments[-1])
    phrases = [words(match[1] or match[2] or "") for match in _QUERY.finditer(query)]
    return Search(path, tuple(phrase for phrase in phrases if phrase))


def ip_in_net(arguments: Sequence[Path]) -> Node:
    """`ip_in_net(httpRequest.remoteIp, "10.0.0.0/8")`"""
    if len(arguments) != 2:
        raise ValueError('write ip_in_net(field, "10.0.0.0/8")')
    return InNet(arguments[0], ipaddress.ip_network(".".join(arguments[1]), strict=False))


FUNCTIONS: Mapping[str, Callable[[Sequence[Path]], Node]] = {
    "log_id": log_id,
    "search": search,
    "ip_in_net": ip_in_net,
}
"""By lower case name; each takes its arguments as paths and raises ValueError for wrong ones."""

ABSENT = {
    "sample": "all log entries are read: leave sample() out, and ask for fewer with the page size",
    "source": "logs are those of projects only: name them in resourceNames",
    "cast": "values are compared as what they are: leave cast() out",
    "regexp_extract": "compare the whole field with =~",
}
"""Why there is no such function, and what to do instead."""
