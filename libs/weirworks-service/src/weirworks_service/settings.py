"""The settings that every service has, read from the environment once.

A service's own class subclasses this one with its `WEIRWORKS_<SERVICE>_` prefix.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from weirworks_rpc import ServerOptions


class ServiceSettings(BaseSettings):
    """Defaults work on a laptop."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_nested_delimiter="__")

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: int = Field(0, ge=0, le=65535, description="gRPC port; 0 takes a free one and prints it.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Port of the Prometheus page; 0 takes a free one.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="INFO is for changes that an operator cares about, never per request."
    )
    data_dir: Path = Field(
        Path("weirworks-data"),
        description="Where the service keeps files that survive a restart, such as its spool.",
    )
    telemetry: str = Field("", description="`host:port` of telemetry for events and traces; empty sends none.")
    trace_ratio: float = Field(0.05, ge=0, le=1, description="Share of new traces that are recorded.")
    event_interval: timedelta = Field(
        timedelta(seconds=1),
        description="How often events are sent; the load history is at most this much behind.",
    )
    hash_secret_file: Path | None = Field(
        None, description="Secret of at least 32 bytes for input hashes; without it events carry none."
    )
    max_message_bytes: int = Field(64 * 1024 * 1024, gt=0, description="Largest gRPC message, both ways.")
    max_deadline: timedelta = Field(timedelta(minutes=5), description="Longest time that a call may take.")
    drain_grace: timedelta = Field(
        timedelta(seconds=20),
        description="Time for running calls after SIGTERM; below the pod's grace period.",
    )

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Reads the environment; raises pydantic's ValidationError with every field that is wrong."""
        return cls(**overrides)

    def server_options(self) -> ServerOptions:
        """How the gRPC server listens."""
        return ServerOptions(
            host=self.host,
            port=self.port,
            max_message_bytes=self.max_message_bytes,
            max_deadline=self.max_deadline,
            drain_grace=self.drain_grace,
        )

    def effective(self) -> dict[str, str]:
        """Environment name → value as text, secrets masked."""
        prefix = self.model_config.get("env_prefix", "")
        return {
            f"{prefix}{name}".upper(): "********" if isinstance(value, SecretStr) else str(value)
            for name, value in self
        }
