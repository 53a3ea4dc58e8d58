"""What lets a request in: the service of its host, who may call it, and a revision that can take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homerun.router import errors
from homerun.router.errors import Refusal
from homerun.router.routes import Elsewhere, Misdirected

if TYPE_CHECKING:
    from homerun.router.exchange import Exchange
    from homerun.router.server import Router

_LONG_HEAD = 1 << 11
"""Bytes of a head that are too few for too many headers."""


def admit(router: Router, exchange: Exchange) -> None:
    """It is this request's turn: its activator gets it, or its client an answer. Raises Misdirected if it is another
    router's: nothing has been done then."""
    head, client = exchange.head, exchange.client
    route = router.routes.find(head.host)
    if route is None:
        client.refuse(exchange, _unknown(exchange))
        return
    gate = route.gate
    if gate is not None:
        if isinstance(gate, Elsewhere):
            raise Misdirected(gate.owner)
        checked = gate.check(head, client.origin, router.passports, router.clock.now())
        if isinstance(checked, Refusal):
            exchange.refused_by = route.any_revision
            client.refuse(exchange, checked)
            return
        exchange.head = head = checked
    revision = route.pick()
    activator = router.activators.get(revision) if revision is not None else None
    if activator is None:
        client.refuse(exchange, errors.not_ready(route.service.rpartition("/")[2]))
        return
    if activator.h2c and head.upgrade and exchange.stream is not None:
        client.refuse(exchange, errors.NO_WEBSOCKETS)
        return
    exchange.activator = activator
    encoded = exchange.encoded = head.encode(exchange, client.origin, router.trace, activator.h2c)
    if len(encoded) > _LONG_HEAD and (refusal := _weigh(router, exchange)) is not None:
        client.refuse(exchange, refusal)
        return
    client.allow(exchange, activator.timeout)
    activator.submit(exchange, exchange.started)


def _unknown(exchange: Exchange) -> Refusal:
    host = exchange.head.host
    if host and not exchange.head.well_formed_host():
        return errors.bad_request("its Host is no host name")
    return errors.unknown_host(host.decode("latin-1"))


def _weigh(router: Router, exchange: Exchange) -> Refusal | None:
    """Of one with a long head: whether it is too long, or has too many headers."""
    options = router.options
    if len(exchange.encoded) > options.head_limit:
        return errors.head_too_large(options.head_limit)
    if len(exchange.head.lines) > 4 * options.header_count:
        return errors.too_many_headers(options.header_count)
    return None
