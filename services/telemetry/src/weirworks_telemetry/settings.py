"""Settings of the telemetry service: `WEIRWORKS_TELEMETRY_<FIELD>`."""

from datetime import timedelta

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict
from weirworks_service import ServiceSettings


class TelemetrySettings(ServiceSettings):
    """Defaults work on a laptop; the database has none."""

    model_config = SettingsConfigDict(
        env_prefix="WEIRWORKS_TELEMETRY_", frozen=True, extra="ignore", env_nested_delimiter="__"
    )

    postgres_url: SecretStr = Field(description="`postgresql://…`; `weir run telemetry` brings an embedded one.")
    step: timedelta = Field(
        timedelta(seconds=10), description="Width of the load history's samples; fixed for the life of a database."
    )
    retention: timedelta = Field(timedelta(days=30), description="Events and load history older than this are dropped.")
    buffer_rows: int = Field(
        50_000, gt=0, description="Rows that may wait for their commit; more are refused with a retry time."
    )
    sweep_interval: timedelta = Field(timedelta(minutes=10), description="How often partitions are made and dropped.")
