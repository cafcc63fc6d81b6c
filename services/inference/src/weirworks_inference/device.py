"""What the operating system knows of this process."""

import os
from pathlib import Path


def resident_bytes() -> int:
    """Memory that is in RAM now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def process_start_time() -> float:
    """Seconds since the epoch at which the process began."""
    # The name in field 2 may hold spaces; what follows its bracket does not. Field 22 is the start.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[19])
    boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
