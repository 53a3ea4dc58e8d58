"""A server of NFS for the tests that mount one: nfs-ganesha, an ordinary process, on this machine's loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

ADDRESS, PORT = "127.0.0.1", 2049
_PATIENCE = 120
"""Seconds; under emulation it takes some of them to start."""
_CONFIG = """\
NFS_CORE_PARAM {{
  Protocols = 4; NFS_Port = {port}; Bind_addr = {address};
  Enable_UDP = false; Enable_NLM = false; Enable_RQUOTA = false;
}}
NFSV4 {{ Graceless = true; RecoveryRoot = {folder}/recovery; Only_Numeric_Owners = true; }}
EXPORT {{
  Export_Id = 1; Path = {folder}/exported; Pseudo = /data;
  Access_Type = RW; Squash = None; FSAL {{ Name = VFS; }}
}}
"""


def unavailable() -> str:
    """Why NFS cannot be tried on this machine; empty: it can."""
    for program, package in (("mount.nfs", "nfs-common"), ("ganesha.nfsd", "nfs-ganesha-vfs")):
        if shutil.which(program) is None:
            return f"{program} is not installed: NFS is not tried (apt-get install {package})"
    if "nfs4" not in Path("/proc/filesystems").read_text() and not _loadable("nfsv4"):
        return "this kernel has no NFS: it is not tried (scripts/vm-test has one that has)"
    if _listens():
        return f"port {PORT} is taken: NFS is not tried"
    return ""


def _loadable(module: str) -> bool:
    modprobe = shutil.which("modprobe")
    return modprobe is not None and subprocess.run([modprobe, "-nq", module]).returncode == 0


def _listens() -> bool:
    try:
        socket.create_connection((ADDRESS, PORT), timeout=5).close()
    except OSError:
        return False
    return True


class NfsServer:
    """Exports `folder`/exported as /data; nobody's rights are cut. As a context manager it is gone at the end."""

    def __init__(self, folder: Path) -> None:
        self.exported = folder / "exported"
        self.log = folder / "ganesha.log"
        self._config = folder / "ganesha.conf"
        for each in (self.exported, folder / "recovery"):
            each.mkdir()
        self._config.write_text(_CONFIG.format(folder=folder, address=ADDRESS, port=PORT))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> NfsServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        pid = self._config.with_suffix(".pid")
        command = ["ganesha.nfsd", "-F", "-f", str(self._config), "-L", str(self.log), "-p", str(pid)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + _PATIENCE
        while not _listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the NFS server did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """As if its machine had been switched off, but for connections: those are refused from now on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
