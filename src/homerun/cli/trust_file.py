"""The certificates that gcloud is to trust: those of this machine, and homerun's own."""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
from pathlib import Path

SYSTEM = "/etc/ssl/certs/ca-certificates.crt"


def trust_file(certificate: str) -> Path:
    """A file with all of them, in the user's cache folder. The same for the same certificates. Raises OSError."""
    content = f"{_system()}{certificate}"
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    path = _cache() / f"trust-{digest}.pem"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
            draft.write(content)
        os.replace(draft.name, path)
    return path


def _system() -> str:
    """gcloud trusts the file instead of what it trusts otherwise, and not only homerun is asked by it."""
    found = Path(ssl.get_default_verify_paths().cafile or SYSTEM)
    try:
        return found.read_text()
    except OSError:
        return ""


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homerun"
