"""Every option of the daemon: its name, its default, one sentence. Read by the daemon only and passed down."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    state: Path = Path("/var/lib/homerun")
    """Folder that holds everything: database, images, instances, logs. Created with mode 0700."""
    api: str = "127.0.0.1:8787"
    """HOST:PORT of the Admin API, and of the proxy that answers for its own host names."""
    http: str = "127.0.0.1:8080"
    """HOST:PORT on which services take requests."""
    https: str = ""
    """HOST:PORT on which they take requests over TLS as well; empty: nowhere."""
    certificate: str = ""
    """File with a certificate (PEM, its chain below it): for every name that it covers, and for unknown ones."""
    key: str = ""
    """File with the private key of `certificate`."""
    redirect_https: bool = False
    """Answer plain HTTP with a redirect to `https`."""
    acme: str = ""
    """E-mail address of an account with an ACME server, which gives certificates for mapped domains; empty: none."""
    acme_directory: str = "https://acme-v02.api.letsencrypt.org/directory"
    """URL of the ACME server's directory; an account there agrees to its terms of service."""
    secrets_key: str = ""
    """File with the key that payloads of secrets are encrypted with; made when there is none. Empty: in `state`."""
    project: str = "homerun"
    """Project id that `homerun env` points gcloud at; every other project id works as well."""
    project_number: str = "100000000001"
    """Project number: in URLs of services and in the answers of the v1 API."""
    region: str = "us-central1"
    """Region of `homerun env`; every other region name works as well."""
    idle_timeout: float = 300
    """Most seconds that an idle instance above the minimum is kept, and the price of a cold start (Cloud Run: 900)."""
    standby: int = 32
    """Revisions that have an instance made ahead for their next request, the last used ones; 0: none. At most as many
    as 1 % of the memory is enough for, and none while less than 10 % of it is available."""
    criu: str = ""
    """Program of CRIU (scripts/criu gets one that works): slow starts go on from a checkpoint of an earlier one. Empty:
    they do not."""
    routers: int = 1
    """Router processes that share the port; each service belongs to one of them. More than one pays with several busy
    services and as many CPUs."""
    max_tasks: int = field(default_factory=lambda: 4 * (os.cpu_count() or 1))
    """Tasks of one CPU that run at the same time on this machine, over all executions; one of two CPUs counts twice."""
    task_memory: int = field(default_factory=lambda: _memory() * 9 // 10 >> 20)
    """MiB of memory that tasks may have together, by their limits; without it nine tenths of the machine's."""
    runtime: str = ""
    """OCI runtime to use: `crun`, `runc` or a path; empty chooses the first one that works."""
    log_size: int = 1024
    """MiB of log entries that are kept of each project; the oldest go."""
    log_days: float = 30
    """Days that log entries are kept."""
    root_disk: int = 0
    """GiB that a container may write to its own files, on disk; 0: in memory, within its limit, as on Cloud Run."""
    user_namespaces: bool = False
    """Whether root in a container is nobody on this machine (user namespaces; no NFS volumes then)."""
    grace: float = 10
    """Seconds between SIGTERM and SIGKILL."""
    request_limit: int = 32
    """MiB that the body of an HTTP/1 request may have (Cloud Run: 32); 0 is no limit."""
    response_limit: int = 0
    """MiB that an HTTP/1 answer with a Content-Length may have (Cloud Run: 32); 0 is no limit."""
    queue_limit: int = 10_000
    """Requests that may wait for instances of one revision; the next one gets 429 at once."""
    queue_wait: float = 10
    """Seconds that a request waits for an instance, or 3.5 times the average start if that is longer; then 429."""
    max_connections: int = 0
    """Clients that may be connected at the same time; the next one gets 503. 0: by the limit of open files."""
    retry_idempotent: bool = False
    """Whether a GET, HEAD, OPTIONS, PUT or DELETE without a body whose instance broke off goes to another one once."""
    allow_host_path: tuple[Path, ...] = ()
    """Folder of this machine that containers may mount, with all that is in it; may be given several times."""

    @property
    def buckets(self) -> Path:
        """A folder in it for each bucket."""
        return self.state / "buckets"

    @property
    def domain(self) -> str:
        """Services answer at SERVICE-PROJECTNUMBER.REGION.<domain>."""
        return "run.localhost"


def _memory() -> int:
    """Bytes of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
