"""Images of applications that nobody here wrote, from Debian's packages and from PyPI's and npm's.

Each is a Dockerfile as somebody writes it who goes to Cloud Run, on the base image of the examples (no registry is
needed). What was downloaded is kept in a folder: packages, and what Dockerfiles copy. What was built is kept by
buildah, layer by layer: a second time it is there at once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parent / "images"
PIP = {"streamlit": ["streamlit"], "gradio": ["gradio"]}
ALSO = {"pandas": "streamlit"}
"""Applications that are in the image of another one."""
NPM = {"node": ["json-server@0.17.4"]}


class Unavailable(Exception):
    """Why an image cannot be had here."""


class Images:
    """`cache`: for downloads."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache.resolve()
        self._built: dict[str, str] = {}

    def build(self, name: str) -> str:
        """The reference of the application's image. Raises Unavailable."""
        name = ALSO.get(name, name)
        if name not in self._built:
            context = self._context(name)
            tag = f"localhost/homerun/app-{name}:latest"
            kept = [f"{self._folder(part)}:{at}" for part, at in _APT.items()]
            volumes = [word for volume in kept for word in ("--volume", volume)]
            options = ["--isolation", "chroot", "--layers", "--format", "oci", *volumes, "--tag", tag]
            _do("buildah", "build", "--quiet", *options, str(context))
            self._built[name] = tag
        return self._built[name]

    def run(self, name: str, *command: str) -> str:
        """What a command prints in an image, without homerun."""
        container = _do("buildah", "from", self.build(name)).strip()
        try:
            return _do("buildah", "run", "--isolation", "chroot", container, "--", *command)
        finally:
            _do("buildah", "rm", container)

    def size(self, name: str) -> int:
        """Of all its layers, in bytes."""
        [found] = json.loads(_do("buildah", "images", "--json", self.build(name)))
        return _bytes(found["size"])

    def site(self, name: str) -> Path:
        """Where the application's packages from PyPI are on this machine."""
        return self._context(name) / "site"

    def _context(self, name: str) -> Path:
        """Its sources, with what they copy."""
        source = SOURCES / name
        if name not in PIP and name not in NPM:
            return source
        context = self._cache / name
        if not (context / ".complete").exists():
            shutil.rmtree(context, ignore_errors=True)
            context.mkdir(parents=True)
            if name in PIP:
                _do(sys.executable, "-m", "pip", "install", "--quiet", "--target", str(context / "site"), *PIP[name])
            else:
                if shutil.which("npm") is None:
                    raise Unavailable("npm is not installed: apt-get install npm")
                _do("npm", "install", "--silent", "--ignore-scripts", "--prefix", str(context), *NPM[name])
            (context / ".complete").touch()
        shutil.copytree(source, context, dirs_exist_ok=True)
        return context

    def _folder(self, name: str) -> Path:
        folder = self._cache / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


_APT = {"archives": "/var/cache/apt/archives", "lists": "/var/lib/apt/lists"}
_UNITS = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}


def _bytes(text: str) -> int:
    """`1.2 GB`."""
    number, unit = text.split()
    return int(float(number) * _UNITS[unit])


def _do(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is not installed: scripts/setup installs it") from None
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:3])} … failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout
