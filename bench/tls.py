"""What TLS costs the router, beside HAProxy and nginx in the same run: CPU of a request more than without TLS, CPU of a
new connection with its handshake and one request, memory of an idle connection.

    python -m bench.tls [--rounds 5] [--seconds 1] [--new 500] [--idle 10000]          writes bench/results/tls.json
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.idle_connections import ask, idle_memory, open_connection
from bench.launch import Programs
from bench.proxies import HTTP1, HTTPS, Field, Proxy
from bench.support import machine, spread, table, write_results
from bench.workloads import Bodies

_SIZES = {"": 0, ", 10 kB": 10_000}
_CONNECTIONS = 32
_MODES = {"without": HTTP1, "with TLS": HTTPS}


@dataclass(slots=True)
class Figures:
    """Of one proxy."""

    request_us: dict[str, list[float]] = field(default_factory=dict)
    """By size and mode; a figure for each round."""
    new_us: list[float] = field(default_factory=list)
    idle_kb: dict[str, float] = field(default_factory=dict)


def request(proxy: Proxy, size: int, protocol: str, seconds: int) -> float:
    """CPU µs of one, on connections that are kept."""
    before = proxy.cpu()
    loaded = Bodies("tls", size, protocol=protocol).load(proxy, _CONNECTIONS, seconds)
    return (proxy.cpu() - before) / loaded.requests * 1e6


def come_anew(proxy: Proxy, number: int) -> float:
    """CPU µs of a connection that shakes hands in full and asks once."""
    before = proxy.cpu()
    for _ in range(number):
        with open_connection(proxy, HTTPS) as connection:
            ask(connection)
    return (proxy.cpu() - before) / number * 1e6


def measure(proxies: Sequence[Proxy], options: argparse.Namespace) -> dict[str, Figures]:
    found = {proxy.name: Figures() for proxy in proxies}
    for proxy in proxies if options.idle else ():
        # First, and the small ones before the large: what is left over would be used again, and not counted.
        for mode, protocol in _MODES.items():
            found[proxy.name].idle_kb[mode] = idle_memory(proxy, options.idle, protocol)
    for _ in range(options.rounds):
        for proxy in proxies:
            figures = found[proxy.name]
            figures.new_us.append(come_anew(proxy, options.new))
            for what, size in _SIZES.items():
                for mode, protocol in _MODES.items():
                    taken = request(proxy, size, protocol, options.seconds)
                    figures.request_us.setdefault(mode + what, []).append(taken)
    return found


def report(found: dict[str, Figures]) -> str:
    modes = [mode + what for what in _SIZES for mode in _MODES]
    header = [
        "proxy",
        *(f"CPU µs/request {mode}" for mode in modes),
        "CPU µs/handshake",
        *map("kB idle {}".format, _MODES),
    ]
    rows = [
        [
            name,
            *(spread(figures.request_us[mode]) for mode in modes),
            spread(figures.new_us, 0),
            *(f"{figures.idle_kb[mode]:.1f}" if figures.idle_kb else "-" for mode in _MODES),
        ]
        for name, figures in found.items()
    ]
    return table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--new", type=int, default=500, help="new connections in each round")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections; 0: that is not measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Programs() as programs:
        found = measure(Field(programs, Path(folder)).secure(), options)
    print(report(found))
    write_results("tls", {"machine": machine(), **{name: asdict(figures) for name, figures in found.items()}})


if __name__ == "__main__":
    main()
