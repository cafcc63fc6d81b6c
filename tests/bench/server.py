"""A service in a process of its own, for the length of an `async with`."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Server:
    """Its process and address."""

    pid: int
    address: str


@asynccontextmanager
async def started(
    service: str, folder: Path, environment: Mapping[str, str], core: int | None = None
) -> AsyncIterator[Server]:
    """Waits for its `ready` line; on one core where it is told which."""
    prefix = f"WEIRWORKS_{service.upper()}_"
    given = {
        **os.environ,
        **environment,
        f"{prefix}DATA_DIR": str(folder / service),
        f"{prefix}LOG_LEVEL": "WARNING",
    }
    pinned = ["taskset", "-c", str(core)] if core is not None and (os.cpu_count() or 1) > 1 else []
    command = [*pinned, sys.executable, "-m", f"weirworks_{service}.main"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=given)
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().split()
    try:
        yield Server(process.pid, line[1])
    finally:
        process.terminate()
        await process.wait()
