"""One start, from a spec to containers that wait for their programs, in a thread of its own mount namespace.

network -> mount -> create -> start. All containers of an instance are created at once, by so many runtimes side by
side, also those that will have to wait for others: what is wrong with one is known before anything runs. What can be
checked is checked before the runtime is called, because then the answer can name the remedy. A failure leaves nothing:
the mounts end with the namespace, the rest is taken back here.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import posixpath
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from homerun.engine.base import ContainerSpec, Image, Volume
from homerun.engine.oci import bundle, monitor, program, sandbox, users, volumes
from homerun.engine.oci.cgroup import CgroupLayout, Cgroups
from homerun.engine.oci.checkpoints import Checkpoint
from homerun.engine.oci.doors import METADATA, METADATA_NAMES
from homerun.engine.oci.folders import make_folder
from homerun.engine.oci.id_map import IdMap
from homerun.engine.oci.layout import Layout
from homerun.engine.oci.monitor import CreateFailed, Creation, Monitor
from homerun.engine.oci.procfs import Process
from homerun.engine.oci.runtime import Runtime
from homerun.engine.oci.sandbox import Disk
from homerun.engine.oci.seccomp import Filter
from homerun.lib.disk import has_no_room
from homerun.lib.errors import Internal, Invalid, ResourceExhausted

BACKGROUND_NICE = 10
"""While the containers of an instance in the background are made, what makes them gets a tenth of its share."""
_RESOLV = Path("/etc/resolv.conf")
_REAL_RESOLV = Path("/run/systemd/resolve/resolv.conf")


@dataclass(frozen=True, slots=True)
class Host:
    """What every start needs of the host. `tasks`: processes and threads that a container may have. `disk`: for what
    it writes; None: memory."""

    layout: Layout
    cgroups: Cgroups
    runtime: Runtime
    conmon: str
    tasks: int
    disk: Disk | None = None
    name_server: str = ""
    """The only one of instances; empty: those of the host."""
    ids: IdMap | None = None
    """For user namespaces; None: root in a container is root."""
    filter: Filter = field(default_factory=Filter)


@dataclass(frozen=True, slots=True)
class Item:
    """One container of an order. `key` and `group` as in instance.Part."""

    container: ContainerSpec
    key: str
    group: str
    image: Image
    layers: Sequence[Path]
    log: Path
    checkpoint: Checkpoint | None = None
    """From which it goes on: its program runs once it is created."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to start: the instance `id`. `network`: descriptor of its network namespace."""

    id: str
    items: Sequence[Item]
    record: Path
    network: int
    volumes: Sequence[Volume] = ()
    background: bool = False


def create(host: Host, order: Order, phases: dict[str, float]) -> list[Monitor]:
    """Mount and create; the programs wait. In a fresh mount namespace. Raises Invalid, Internal."""
    under_way: list[Creation] = []
    try:
        began = time.perf_counter()
        for number, item in enumerate(order.items):
            under_way.append(_begin(host, order, item, number))
        users = _lay_out_all(host, order)
        mounted = time.perf_counter()
        phases["mount"] = mounted - began
        if len(order.items) > 1:
            host.cgroups.divide(order.id, background=order.background)
        created = _create_all(host, order, under_way)
        if host.ids:
            for made, user in zip(created, users, strict=True):
                _hand_over_streams(made.init, host.ids.owner(user.uid, user.gid))
    except BaseException:
        for creation in under_way:
            creation.abandon()
        raise
    phases["create"] = time.perf_counter() - mounted
    return created


def _begin(host: Host, order: Order, item: Item, number: int) -> Creation:
    """Its monitor comes up while the root is being mounted."""
    return monitor.create(
        host.conmon,
        host.runtime.program,
        host.runtime.arguments,
        id=item.key,
        bundle=_point(host, number) / "bundle",
        record=order.record,
        log=item.log,
        restore=item.checkpoint.image if item.checkpoint else None,
        niceness=BACKGROUND_NICE if order.background else 0,
    )


def _lay_out_all(host: Host, order: Order) -> list[users.User]:
    """Who the programs run as."""
    volumes.mount_volumes(host.layout.volumes, order.volumes, host.layout.state, host.ids)
    found = []
    for number, item in enumerate(order.items):
        with _named(order, item):
            found.append(_lay_out(host, order, item, number))
    return found


def _create_all(host: Host, order: Order, under_way: Sequence[Creation]) -> list[Monitor]:
    """Side by side."""
    for creation in under_way:
        creation.go()
    created = []
    for item, creation in zip(order.items, under_way, strict=True):
        with _named(order, item):
            created.append(_done(creation, host.runtime))
        host.runtime.erase_copy(item.key)
        host.filter.learn(host.runtime, item.key)
    return created


def _hand_over_streams(init: Process, owner: tuple[int, int]) -> None:
    """So that /dev/stdout can be opened by its name: crun sees to it by itself, runc cannot from inside."""
    for number in (1, 2):
        os.chown(f"/proc/{init.pid}/fd/{number}", *owner)


def _done(creation: Creation, runtime: Runtime) -> Monitor:
    try:
        return creation.done()
    except CreateFailed as error:
        raise _explained(str(error), runtime) from None


@contextlib.contextmanager
def _named(order: Order, item: Item) -> Iterator[None]:
    """What is wrong with one container of several says with which."""
    try:
        yield
    except (Invalid, Internal, ResourceExhausted) as error:
        if len(order.items) == 1:
            raise
        raise type(error)(f"container {item.container.name}: {error.message}") from None


def unhurried(init: Process) -> None:
    """Its program is to find itself as any other: how much CPU it gets beside others, its cgroup says."""
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, init.pid, os.getpriority(os.PRIO_PROCESS, 0))


def discard(host: Host, id: str, keys: Iterable[str]) -> None:
    """Kill and remove whatever exists of an instance and its containers. Fine to call when there is nothing."""
    host.cgroups.remove(id)
    for key in keys:
        host.runtime.forget(key)


def _point(host: Host, number: int) -> Path:
    """In the first one's memory; the rest of it is its own."""
    return host.layout.sandbox / str(number) if number else host.layout.sandbox


def _lay_out(host: Host, order: Order, item: Item, number: int) -> users.User:
    """Mount the root of the container that is the `number`th, with the runtime's config beside it: the bundle."""
    point = _point(host, number)
    if number:
        point.mkdir()
    document, user = _prepare(host, order, item, point)
    (point / "bundle/config.json").write_text(json.dumps(document))
    return user


def _prepare(host: Host, order: Order, item: Item, point: Path) -> tuple[dict[str, object], users.User]:
    """Mount the root, look into it, write our files: the runtime's config, and who the program runs as."""
    container, image = item.container, item.image
    packed = item.checkpoint.written if item.checkpoint else None
    root = sandbox.mount_root(point, item.layers, container.memory, host.disk, host.ids, packed)
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if host.ids:
            sandbox.mount_sys(fd, order.network)
        program.check_folders(fd)
        user = users.look_up(fd, image.user)
        env = environment(image.env, container.env, user.home)
        args = command(image, container.command, container.args)
        program.check_size([*args, *(f"{name}={value}" for name, value in env.items())])
        cwd = posixpath.normpath(posixpath.join("/", container.working_dir or image.working_dir or "/"))
        hidden = volumes.bind_mounts(fd, host.layout.volumes, order.volumes, container.mounts, host.ids)
        _make_working_folder(fd, cwd, host.ids.owner(user.uid, user.gid) if host.ids else (user.uid, user.gid))
        program.check(fd, args, env["PATH"], cwd)
    finally:
        os.close(fd)
    limits = bundle.Limits(
        container.cpu,
        container.memory,
        host.tasks,
        host.cgroups.swap_accounting,
        container.start_cpu,
        host.cgroups.layout is CgroupLayout.V2,
    )
    place = bundle.Place(
        str(root),
        _files(point, [each.container.name for each in order.items], hidden, host.name_server),
        host.cgroups.path(item.group, background=order.background),
        f"/proc/{os.getpid()}/fd/{order.network}",
        host.ids,
    )
    return {**bundle.config(args, env, cwd, user, limits, place), "annotations": host.filter.annotations()}, user


def environment(image: Sequence[str], wanted: Mapping[str, str], home: str) -> dict[str, str]:
    """The image's variables, then the caller's; PATH and HOME if neither has them."""
    env = {"PATH": bundle.DEFAULT_PATH, "HOME": home}
    env.update(line.partition("=")[::2] for line in image if "=" in line)
    env.update(wanted)
    return env


def command(image: Image, entrypoint: Sequence[str], args: Sequence[str]) -> list[str]:
    """As docker and Cloud Run do: a new entrypoint drops the image's arguments, new arguments replace them."""
    if entrypoint:
        found = [*entrypoint, *args]
    else:
        found = [*image.entrypoint, *(args or image.cmd)]
    if not found or not found[0]:
        raise Invalid("there is no command to run: the image has neither ENTRYPOINT nor CMD, and none was given")
    return found


def _make_working_folder(root: int, path: str, owner: tuple[int, int]) -> None:
    """Made if the image has none, as docker does; no link leads out of the root."""
    try:
        os.close(make_folder(root, path, owner))
    except OSError as error:
        raise Invalid(f"the working directory {path} cannot be used: {os.strerror(error.errno or 0)}") from None


def _files(point: Path, names: Sequence[str], hidden: Sequence[str], name_server: str) -> dict[str, str]:
    """`names`: of all containers of the instance, which find each other by them (contract §1.10).

    None of them is put into a volume, `hidden`, which may lie over /etc: that belongs to its author.
    """
    hosts, resolv = point / "bundle/hosts", point / "bundle/resolv.conf"
    own = " ".join(["127.0.0.1\tlocalhost", *filter(None, names)])
    hosts.write_text(f"{own}\n{METADATA}\t{' '.join(METADATA_NAMES)}\n")
    resolv.write_text(resolvers(name_server))
    for file in (hosts, resolv):
        file.chmod(0o644)
    files = {"/etc/hosts": str(hosts), "/etc/resolv.conf": str(resolv)}
    return {path: ours for path, ours in files.items() if not any(Path(path).is_relative_to(each) for each in hidden)}


def resolvers(name_server: str = "") -> str:
    """The host's resolv.conf with this name server alone; or without those that only the host itself can reach."""
    source = _REAL_RESOLV if _REAL_RESOLV.exists() else _RESOLV
    try:
        text = source.read_text()
    except FileNotFoundError:
        text = ""
    return _with_name_server(text, name_server)


@functools.lru_cache(maxsize=1)
def _with_name_server(text: str, name_server: str) -> str:
    lines = [line for line in text.splitlines() if not _left_out(line.split(), everything=bool(name_server))]
    own = [f"nameserver {name_server}"] if name_server else []
    return "".join(f"{line}\n" for line in (*own, *lines))


def _left_out(words: Sequence[str], *, everything: bool) -> bool:
    if words[:1] != ["nameserver"] or len(words) < 2:
        return False
    return everything or words[1].startswith("127.") or words[1] == "::1"


def _explained(message: str, runtime: Runtime) -> Invalid | Internal | ResourceExhausted:
    """The runtime's refusal: ours to answer for, unless it says that the program cannot be run."""
    lower = message.lower()
    if "no space left on device" in lower or has_no_room(runtime.root):
        return ResourceExhausted(f"{runtime.name} found no space left on the disk of {runtime.root}: free some")
    if any(cause in lower for cause in ("executable file", "exec format error", "no such file", "permission denied")):
        return Invalid(f"the container cannot be started: {message}")
    return Internal(f"{runtime.name} could not create the container: {message}")
