"""What instances may reach: the world through NAT; neither this host, nor each other, nor a cloud's metadata server.

One nft table per state folder. The host may open connections to instances (that is how requests come in): only packets
that belong to such a connection may come back. Link-local is dropped because a cloud's metadata server lives there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from homerun.engine.base import EngineUnavailable

_RULES = """
table inet {table}
delete table inet {table}
table inet {table} {{
  chain input {{
    type filter hook input priority -10; policy accept;
    iifname "{bridge}" ct state established,related accept
    iifname "{bridge}" drop
  }}
  chain forward {{
    type filter hook forward priority -10; policy accept;
    iifname "{bridge}" oifname "{bridge}" drop
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


def rules(table: str, bridge: str, subnet: str) -> str:
    """Replaces the table as a whole, in one transaction."""
    return _RULES.format(table=table, bridge=bridge, subnet=subnet)


def install(table: str, bridge: str, subnet: str) -> None:
    _nft(rules(table, bridge, subnet))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def remove(table: str) -> None:
    _nft(f"table inet {table}\ndelete table inet {table}\n")


def _nft(script: str) -> None:
    try:
        subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True, capture_output=True)
    except FileNotFoundError:
        raise EngineUnavailable("nft is not installed: apt-get install nftables") from None
    except subprocess.CalledProcessError as error:
        raise EngineUnavailable(f"nft refused the rules for instances: {error.stderr.strip()}") from None
