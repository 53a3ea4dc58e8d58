"""HTTP as the API port speaks it: uvicorn's, with a word to those who take it for a proxy to everywhere.

A CONNECT never reaches the application: its target is no path, so uvicorn refuses it with a bare 400.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

NO_TUNNELS = (
    "homerun's API port is an HTTP proxy for its own names only: it opens no tunnels (CONNECT). "
    "Unset https_proxy, or list the other hosts in no_proxy."
)


class ApiProtocol(HttpToolsProtocol):
    def send_400_response(self, msg: str) -> None:
        super().send_400_response(NO_TUNNELS if self.parser.get_method() == b"CONNECT" else msg)
