"""A Ray cluster to work on: a small one of this machine's own, or one that is there already."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from tempfile import gettempdir, mkdtemp
from typing import Any

from ddvideo.errors import UsageError

__all__ = ["Node", "leave", "nodes", "require", "start_or_join"]

_OBJECT_STORE_BYTES = 80 * 2**20
"""Frames do not travel through it: the least that Ray takes, with a margin."""
_SHARED_MEMORY = "/dev/shm"
_LONGEST_FOLDER = 24
"""Bytes; of the 107 that a socket's name may have, Ray's own part takes up to 66, the folder of this process 17."""
_CONNECT_SECONDS = 5.0
_TRIES = 5
"""One a second, at what answers but is no Ray, or asks for another token."""
_TOKEN_HELP = "if the cluster asks for a token: RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or ~/.ray/auth_token"

_log = logging.getLogger(__name__)
_folders: list[str] = []
"""Where a cluster of this process's own keeps its files; removed when it ends."""
_printers: list[Any] = []
"""Ray's own way of printing reports, while ours is in its place."""


@dataclass(frozen=True)
class Node:
    """One machine of a cluster, and what it offers in all."""

    name: str
    cpus: float
    gpus: float


def start_or_join(address: str | None, *, cpus: int, gpus: float) -> None:
    """Connect this process to Ray; signal handlers stay as they are.

    Args:
        address: of a running cluster (``auto`` finds one on this machine); None starts a cluster of this process's own,
            which listens on the loopback interface only, asks for a token, and ends with the process.
        cpus: what a cluster of one's own offers.
        gpus: likewise.

    Raises:
        UsageError: Ray is not installed, this process is connected already, or there is no cluster at the address.
    """
    if address is None:
        _prepare_environment()
    try:
        import ray
    except ImportError as error:
        raise UsageError(f"Ray does not load ({error}): pip install ray, or use --runner inprocess") from error
    if ray.is_initialized():
        raise UsageError("this process is connected to Ray already: pass a runner of your own, or ray.shutdown() first")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    _silence_daemons()
    try:
        with _signals_kept():
            if address is None:
                _start(cpus, gpus, quiet)
            else:
                _join(address, quiet)
    except BaseException:
        leave()
        raise


def leave() -> None:
    """Disconnect; a cluster of this process's own ends."""
    import ray

    with _signals_kept(), contextlib.suppress(Exception):
        ray.shutdown()
    _let_daemons_speak()
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


def _start(cpus: int, gpus: float, quiet: dict[str, Any]) -> None:
    import ray

    try:
        # Told to take 127.0.0.1, Ray takes an outer address in its place and listens on all interfaces, except where
        # it is set not to build clusters of several machines, as it is by itself on macOS.
        with _ray_constant("ENABLE_RAY_CLUSTER", False):
            folder = mkdtemp(prefix="ddvideo-", dir=_short_folder())
            _folders.append(folder)
            ray.init(
                address="local",
                num_cpus=cpus,
                num_gpus=ceil(gpus) or None,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                _temp_dir=folder,
                _plasma_directory=folder if _is_shared_memory_small() else None,
                **quiet,
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"Ray does not start ({_first_line(error)})\nuse --runner inprocess") from error


def _join(address: str, quiet: dict[str, Any]) -> None:
    import ray
    from ray._private.services import canonicalize_bootstrap_address_or_die
    from ray.exceptions import AuthenticationError

    try:
        if "://" not in address:
            # Ray itself would wait for minutes for a cluster that is not there.
            place = canonicalize_bootstrap_address_or_die(address)
            host, _, port = place.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
        with _ray_constant("NUM_REDIS_GET_RETRIES", _TRIES), _standard_error_muted():
            ray.init(address=address, **quiet)
    except AuthenticationError as error:
        raise UsageError(f"the Ray cluster at {address} cannot be joined: no token\n{_TOKEN_HELP}") from error
    except (OSError, RuntimeError, ValueError) as error:
        first = _first_line(error)
        help = f"\n{_TOKEN_HELP}" if "Failed to connect" in first else ""
        raise UsageError(f"no Ray cluster at {address}: {first}{help}") from error


def nodes() -> list[Node]:
    """The machines that are alive."""
    import ray

    alive: list[dict[str, Any]] = [node for node in ray.nodes() if node.get("Alive")]  # type: ignore[no-untyped-call]
    return [
        Node(
            name=str(node.get("NodeManagerHostname") or node.get("NodeID")),
            cpus=float(node.get("Resources", {}).get("CPU", 0)),
            gpus=float(node.get("Resources", {}).get("GPU", 0)),
        )
        for node in alive
    ]


def require(found: list[Node], *, cpus: int, gpus: float) -> None:
    """Refuse what would wait for ever.

    Raises:
        UsageError: no machine can hold even one worker.
    """
    if not any(node.cpus >= cpus and node.gpus >= gpus for node in found):
        offers = ", ".join(f"{node.name}: {node.cpus:g} CPUs, {node.gpus:g} GPUs" for node in found[:4]) or "no machine"
        needs = f"{cpus} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
        raise UsageError(f"a worker needs {needs}, which no machine of the cluster has ({offers})")


def _prepare_environment() -> None:
    """For a cluster of our own: no telemetry, and a token of its own.

    Ray reads these variables when it is imported, and so do the processes it starts. Its own way would be to write a
    token under HOME, which may be read-only.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _is_shared_memory_small() -> bool:
    """Whether the object store has to lie in a plain file: containers often give 64 MiB."""
    try:
        state = os.statvfs(_SHARED_MEMORY)
    except OSError:
        return False
    return state.f_bavail * state.f_frsize < 2 * _OBJECT_STORE_BYTES


def _short_folder() -> str:
    """Where Ray's files go: sockets are among them, whose names must be short."""
    usual = gettempdir()
    return usual if len(os.fsencode(usual)) <= _LONGEST_FOLDER else "/tmp"


def _first_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def _ray_constant(name: str, value: object) -> Iterator[None]:
    """Give one of Ray's constants another value; it has none of these as an argument."""
    from ray._private import ray_constants

    before = getattr(ray_constants, name)
    setattr(ray_constants, name, value)
    try:
        yield
    finally:
        setattr(ray_constants, name, before)


@contextmanager
def _standard_error_muted() -> Iterator[None]:
    """Ray's C++ part writes a line for every try to the file descriptor itself."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _silence_daemons() -> None:
    """What Ray's daemons report goes to the log: Ray prints it on standard output, where a report may be read from."""
    from ray._private import worker

    _printers.append(worker.print_to_stdstream)
    worker.print_to_stdstream = _log_report


def _let_daemons_speak() -> None:
    from ray._private import worker

    if _printers:
        worker.print_to_stdstream = _printers.pop()


def _log_report(data: Mapping[str, Any], *_: Any, **__: Any) -> None:
    _log.debug("Ray reports: %s", " ".join(data.get("lines", ())))


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray puts handlers of its own in place of the program's."""
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):
            before[number] = signal.getsignal(number)
    try:
        yield
    finally:
        for number, handler in before.items():
            with contextlib.suppress(ValueError, TypeError):  # not the main thread: nothing was changed either
                signal.signal(number, handler)
