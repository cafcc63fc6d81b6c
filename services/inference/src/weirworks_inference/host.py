"""What the operating system knows of this process, gives it, and gets back from it."""

import ctypes
import gc
import os
from pathlib import Path

# glibc's numbers of mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_MADV_HUGEPAGE = 14
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


def prepare_heap(size: int) -> None:
    """Grows the heap by `size` bytes of huge pages where the system has them, for weights that are about to come.

    A run reads every weight; with pages of 2 MiB instead of 4 KiB one of MiniLM takes 6 % less CPU time
    (docs/benchmarks.md). Only free room is advised: what is in use already stays as it is.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "mallopt"):
        return
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    # Above the threshold of `tune_malloc` it would be a mapping of its own and gone when it is freed.
    libc.free(libc.malloc(min(size, (1 << 30) - (1 << 20))))
    for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
        if line.endswith("[heap]"):
            start, end = (int(address, 16) for address in line.split()[0].split("-"))
            libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
            libc.madvise(start, end - start, _MADV_HUGEPAGE)


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
