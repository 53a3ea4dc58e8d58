"""A small ACME server for the real client (RFC 8555): it believes every signature, and does what the test says.

Pebble is stricter, and is asked in tests/e2e/test_acme.py; this one is always there.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import DNSName, SubjectAlternativeName

from homerun.lib.clock import SystemClock
from homerun.wire.certificate import Certificate


class AcmeServer:
    """`prover`: HOST:PORT that is asked for the proofs of all names; empty: they are believed. As a context manager it
    runs."""

    def __init__(self, prover: str = "") -> None:
        self.prover = prover
        self.accounts: list[str] = []
        self.requests: list[str] = []
        self.refusal: dict[str, Any] | None = None
        """Answered to whoever orders."""
        self.slow = 0
        """How often an order is not ready when it is looked at."""
        self._orders: dict[str, dict[str, Any]] = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self.directory = f"{self.url}/dir"

    def __enter__(self) -> AcmeServer:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, path: str, body: dict[str, Any], account: str) -> tuple[int, Any, str]:
        """Status, JSON or PEM, and Location."""
        _, what, *rest = path.split("/")
        self.requests.append(what)
        match what:
            case "account":
                known = account in self.accounts
                self.accounts += [] if known else [account]
                return (200 if known else 201), {"status": "valid"}, f"{self.url}/accounts/1"
            case "order" if self.refusal is not None:
                return 429, self.refusal, ""
            case "order":
                number = str(len(self._orders))
                name = body["identifiers"][0]["value"]
                self._orders[number] = {"name": name, "authorization": "pending", "order": "pending", "looks": 0}
                return 201, self._order(number), f"{self.url}/orders/{number}"
            case "authorization":
                return 200, self._authorization(rest[0]), ""
            case "challenge":
                self._prove(rest[0])
                return 200, self._authorization(rest[0])["challenges"][0], ""
            case "finalize":
                self._orders[rest[0]] |= {"order": "processing", "csr": body["csr"]}
                return 200, self._order(rest[0]), ""
            case "orders":
                found = self._orders[rest[0]]
                found["looks"] += found["order"] == "processing"
                if found["looks"] > self.slow:
                    found["order"] = "valid"
                return 200, self._order(rest[0]), ""
            case _:
                return 200, self._certificate(self._orders[rest[0]]["csr"]), ""

    def _order(self, number: str) -> dict[str, Any]:
        found = self._orders[number]
        made = {
            "status": found["order"],
            "identifiers": [{"type": "dns", "value": found["name"]}],
            "authorizations": [f"{self.url}/authorization/{number}"],
            "finalize": f"{self.url}/finalize/{number}",
        }
        return made | {"certificate": f"{self.url}/certificate/{number}"} if found["order"] == "valid" else made

    def _authorization(self, number: str) -> dict[str, Any]:
        found = self._orders[number]
        challenge = {"type": "http-01", "url": f"{self.url}/challenge/{number}", "token": f"{int(number):043}"}
        challenge["status"] = found["authorization"]
        if found["authorization"] == "invalid":
            error = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": f"{found['name']} says otherwise"}
            challenge |= {"error": error}  # type: ignore[dict-item]
        name = {"type": "dns", "value": found["name"]}
        return {"status": found["authorization"], "identifier": name, "challenges": [challenge]}

    def _prove(self, number: str) -> None:
        found = self._orders[number]
        token = f"{int(number):043}"
        good = True
        if self.prover:
            url = f"http://{self.prover}/.well-known/acme-challenge/{token}"
            request = urllib.request.Request(url, headers={"Host": found["name"]})
            with urllib.request.urlopen(request, timeout=30) as response:
                good = response.read().decode().startswith(f"{token}.")
        found |= {"authorization": "valid" if good else "invalid", "order": "ready" if good else "invalid"}

    def _certificate(self, request: str) -> bytes:
        csr = x509.load_der_x509_csr(_decoded(request))
        names = csr.extensions.get_extension_for_class(SubjectAlternativeName).value.get_values_for_type(DNSName)
        key = csr.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return issue(names, key)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.reply(200, b"")

            def do_GET(self) -> None:
                if self.path != "/dir":
                    return self.reply(404, b"nothing here")
                urls = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order"}
                return self.reply(
                    200, json.dumps({name: f"{server.url}/{path}" for name, path in urls.items()}).encode()
                )

            def do_POST(self) -> None:
                jws = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                payload = _decoded(jws["payload"])
                account = json.dumps(json.loads(_decoded(jws["protected"])).get("jwk"))
                status, answer, location = server.answer(self.path, json.loads(payload) if payload else {}, account)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                kind = "problem+json" if status >= 400 else "json"
                self.reply(status, content, location, kind)

            def reply(self, status: int, content: bytes, location: str = "", kind: str = "json") -> None:
                self.send_response(status)
                self.send_header("Replay-Nonce", base64.urlsafe_b64encode(b"n" * 16).rstrip(b"=").decode())
                self.send_header("Content-Type", f"application/{kind}")
                self.send_header("Link", f'<{server.url}/authorization/0>;rel="up"')
                self.send_header("Content-Length", str(len(content)))
                if location:
                    self.send_header("Location", location)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        return Handler


def issue(names: list[str], public_key: bytes) -> bytes:
    """A certificate for `public_key` (DER), signed by nobody known."""
    from datetime import UTC, datetime, timedelta

    from cryptography.hazmat.primitives import hashes

    now = datetime.fromtimestamp(SystemClock().now(), UTC)
    signer = Certificate.generate(["acme.test"], now.timestamp())
    issuer = x509.load_pem_x509_certificate(signer.public)
    private: Any = serialization.load_pem_private_key(signer.private, password=None)
    subject: Any = serialization.load_der_public_key(public_key)
    made = (
        x509.CertificateBuilder(issuer.subject, x509.Name([]), subject, x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(SubjectAlternativeName([DNSName(name) for name in names]), critical=False)
        .sign(private, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM) + signer.public


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
