"""What instances may reach: the world through NAT, and of this host the doors (doors.py); neither anything else of it,
nor each other, nor a cloud's metadata server.

One nft table per state folder. The host may open connections to instances (that is how requests come in): only packets
that belong to such a connection may come back. Link-local is dropped because a cloud's metadata server lives there.
What is behind a door listens on the bridge's address: whoever is not on the bridge does not get to that either, though
the kernel would take what comes for one of its addresses from everywhere.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from homerun.engine.base import EngineUnavailable
from homerun.engine.oci.doors import Passage

_RULES = """
table inet {table}
delete table inet {table}
table inet {table} {{
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
{entrances}  }}
  chain input {{
    type filter hook input priority -10; policy accept;
    iifname "{bridge}" ct state established,related accept
{admissions}    iifname "{bridge}" drop
    iifname != {{ "{bridge}", "lo" }} ip daddr {gateway} drop
  }}
  chain forward {{
    type filter hook forward priority -10; policy accept;
    iifname "{bridge}" oifname "{bridge}" drop
    iifname "{bridge}" ip saddr != {subnet} drop
    iifname "{bridge}" ip daddr 169.254.0.0/16 drop
    iifname "{bridge}" meta nfproto ipv6 drop
    iifname != "{bridge}" oifname "{bridge}" ct state established,related accept
    iifname != "{bridge}" oifname "{bridge}" drop
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {subnet} oifname != "{bridge}" masquerade
  }}
}}
"""


_ENTRANCE = 'iifname "{0}" ip daddr {1.address} {1.protocol} dport {1.port} dnat ip to {1.host}:{1.inner}'
_ADMISSION = 'iifname "{0}" ip daddr {1.host} {1.protocol} dport {1.inner} accept'


def rules(table: str, bridge: str, subnet: str, gateway: str, passages: Iterable[Passage] = ()) -> str:
    """Replaces the table as a whole, in one transaction."""
    known = list(passages)
    return _RULES.format(
        table=table,
        bridge=bridge,
        subnet=subnet,
        gateway=gateway,
        entrances=_lines(_ENTRANCE, bridge, known),
        admissions=_lines(_ADMISSION, bridge, known),
    )


def _lines(form: str, bridge: str, passages: Iterable[Passage]) -> str:
    return "".join(f"    {form.format(bridge, passage)}\n" for passage in passages)


def install(table: str, bridge: str, subnet: str, gateway: str, passages: Iterable[Passage] = ()) -> None:
    known = list(passages)
    _nft(rules(table, bridge, subnet, gateway, known))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    if any(ip_address(passage.host).is_loopback for passage in known):
        # From the bridge, and of it only what has come through a door: the rules drop the rest.
        Path(f"/proc/sys/net/ipv4/conf/{bridge}/route_localnet").write_text("1")


def remove(table: str) -> None:
    _nft(f"table inet {table}\ndelete table inet {table}\n")


def _nft(script: str) -> None:
    try:
        subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True, capture_output=True)
    except FileNotFoundError:
        raise EngineUnavailable("nft is not installed: apt-get install nftables") from None
    except subprocess.CalledProcessError as error:
        raise EngineUnavailable(f"nft refused the rules for instances: {error.stderr.strip()}") from None
