"""One question over HTTP/1: is this server well? A GET, and the status of its answer."""

from __future__ import annotations

from collections.abc import Sequence

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_LONGEST = 65536


class Get:
    """Bytes of the server in. `wrong` is None until it has answered, then empty if the status was 2xx or 3xx.

    The answer is read to its end, so that no server has to see its client go in the midst of it; within reason.
    `headers` replace those of ours that have the same names.
    """

    def __init__(self, authority: str, path: str, user_agent: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.wrong: str | None = None
        given = {name.lower() for name, _ in headers}
        usual = (("Host", authority), ("User-Agent", user_agent), ("Accept", "*/*"))
        sent = [*(header for header in usual if header[0].lower() not in given), *headers]
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent)]
        self.request = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
        self._parser = HttpResponseParser(self)
        self._status = 0
        self._size = 0

    @property
    def said(self) -> str | None:
        """As `wrong`, known as soon as the status is."""
        if self._status < 200:
            # 100 to 199 are followed by the answer proper.
            return None
        return "" if self._status < 400 else f"The answer had status {self._status}."

    def feed(self, data: bytes) -> bytes:
        """What the server said; there is never anything to add."""
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self.wrong = self.wrong if self.wrong is not None else "The answer is not one of HTTP/1."
        if self.wrong is None and self._size >= _LONGEST:
            self.wrong = self.said if self.said is not None else "The head of the answer is too long."
        return b""

    # For httptools

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        self.wrong = self.said
