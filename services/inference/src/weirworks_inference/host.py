"""What the operating system knows of this process, gives it, and gets back from it."""

import ctypes
import gc
import os
from pathlib import Path

# glibc's numbers of mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_CGROUP = Path("/sys/fs/cgroup")


def tune_malloc() -> None:
    """Keeps freed tensors in the process, so that the next request does not fault their pages in again.

    A 600 KB tensor through the server costs 1.1 ms with this and 2.8 ms without. Set here and not in the
    environment, so that it holds however the process was started; `give_back` undoes what it keeps.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    libc.mallopt(_MMAP_THRESHOLD, 1 << 30)
    libc.mallopt(_TRIM_THRESHOLD, 1 << 30)
    libc.mallopt(_TOP_PAD, 64 << 20)
    # One heap for all threads: what one frees the other uses, and trimming finds it.
    libc.mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Returns free memory to the system, holes in the heap included; takes some milliseconds."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def resident_bytes() -> int:
    """Memory that is in RAM now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def memory_limit() -> int:
    """Bytes that the container, or else the machine, may use."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *(int(limit) for limit in [_read("memory.max")] if limit.isdecimal())])


def cpu_limit() -> int:
    """Whole cores that the container, or else this process, may use; at least one."""
    allowed = len(os.sched_getaffinity(0))
    quota, _, period = _read("cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal():
        allowed = min(allowed, int(quota) // int(period))
    return max(1, allowed)


def process_start_time() -> float:
    """Seconds since the epoch at which the process began."""
    # The name in field 2 may hold spaces; what follows its bracket does not. Field 22 is the start.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[19])
    boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")


def _read(name: str) -> str:
    try:
        return (_CGROUP / name).read_text("utf-8").strip()
    except OSError:
        return ""
