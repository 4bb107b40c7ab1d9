"""What the machine offers: cores, memory, devices. Imports torch only when a device is asked for."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import sys
from pathlib import Path

from ddvideo.errors import UsageError

__all__ = [
    "check_device_name",
    "gpu_names",
    "memory_mib",
    "peak_rss_mib",
    "release_memory",
    "resolve_device",
    "supports_bf16",
    "thread_count",
    "usable_cores",
]

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")
_CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Cores this process may use: its affinity, and the CPU quota of its container; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_words("cpu.max")
    if len(quota) == 2 and quota[0].isdigit() and int(quota[1]) > 0:
        # A quota of 1.5 cores feeds one busy thread and a half; two threads would wait for each other.
        cores = min(cores, int(quota[0]) // int(quota[1]))
    return max(1, cores)


def thread_count(requested: int | None = None) -> int:
    """Threads for the maths: as requested, else ``OMP_NUM_THREADS``, but never more than there are cores.

    More threads than cores are far slower than fewer, for they wait for each other at every barrier.

    Raises:
        UsageError: fewer than one requested.
    """
    if requested is not None and requested < 1:
        raise UsageError(f"at least one thread is needed, not {requested}")
    cores = usable_cores()
    # OMP_NUM_THREADS may list a number for each level of nesting; the first is ours.
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    wanted = requested or (int(first) if first.isdigit() else 0) or cores
    return min(wanted, cores)


def memory_mib() -> int:
    """Memory this process may use, in MiB: the machine's, or its container's limit; 0 when neither can be told."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
    limit = _cgroup_words("memory.max")
    if limit and limit[0].isdigit():
        whole = min(whole, int(limit[0]))
    return whole // 2**20


def peak_rss_mib() -> float:
    """The most memory this process has held so far, in MiB (its children not counted)."""
    for line in _lines("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**10
    # Where this is all there is, it may count what the starting process held (Linux does so over vfork and exec).
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def release_memory() -> None:
    """Give freed memory back to the system, where the C library can: glibc keeps the heap of a long job otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def check_device_name(name: str) -> str:
    """Return ``name`` if it is one that ``--device`` takes; whether the device is there is not asked.

    Raises:
        UsageError: it is none of auto, cpu, cuda, cuda:N, mps.
    """
    if not _DEVICE.fullmatch(name):
        raise UsageError(f"unknown device {name!r}; it is one of auto, cpu, cuda, cuda:N (such as cuda:1), mps")
    return name


def resolve_device(name: str) -> str:
    """Turn what ``--device`` takes into the device to compute on.

    Args:
        name: auto (a CUDA GPU if there is one, else MPS, else the CPU), cpu, cuda, cuda:N or mps.

    Returns:
        ``"cpu"``, ``"mps"``, ``"cuda"`` or ``"cuda:N"``, as torch understands it.

    Raises:
        UsageError: an unknown name, or a device that is not there; says which are.
    """
    import torch

    check_device_name(name)
    gpus, has_mps = torch.cuda.device_count() if torch.cuda.is_available() else 0, torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if gpus else "mps" if has_mps else "cpu"
    if name == "cpu" or (name == "mps" and has_mps):
        return name
    kind, _, number = name.partition(":")
    if kind == "cuda" and int(number or 0) < gpus:
        return name
    there = ["cpu", *(f"cuda:{index}" for index in range(gpus)), *(["mps"] if has_mps else [])]
    why = ""
    if kind == "cuda" and not gpus:
        built = torch.version.cuda is not None
        why = " (no GPU or no driver is found)" if built else f" (PyTorch {torch.__version__} is built without CUDA)"
    raise UsageError(f"there is no device {name} here{why}; choose --device {' or '.join(there)}")


def supports_bf16(device: str) -> bool:
    """Tell whether bfloat16 arithmetic is done by the hardware itself: AVX-512 BF16 or AMX, or a GPU that has it."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    return bool({"amx_bf16", "avx512_bf16"} & _cpu_flags())


def gpu_names() -> list[str]:
    """Names of the CUDA GPUs, in order of their numbers; empty without one."""
    import torch

    if not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _cpu_flags() -> frozenset[str]:
    flags = next((line for line in _lines("/proc/cpuinfo") if line.startswith(("flags", "Features"))), "")
    return frozenset(flags.partition(":")[2].split())


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _cgroup_words(name: str) -> list[str]:
    """The words of this process's cgroup file ``name`` (version 2); none outside a cgroup or on another system."""
    try:
        return (_CGROUP / name).read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
