"""Settings of the cache service: `WEIRWORKS_CACHE_<FIELD>`."""

from datetime import timedelta

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict
from weirworks_service import ServiceSettings


class CacheSettings(ServiceSettings):
    """Defaults work on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix="WEIRWORKS_CACHE_", frozen=True, extra="ignore", env_nested_delimiter="__"
    )

    redis_url: SecretStr = Field(SecretStr(""), description="Valkey or Redis, `redis://…`; empty leaves the tier out.")
    postgres_url: SecretStr = Field(SecretStr(""), description="`postgresql://…`; empty leaves the tier out.")
    memory_bytes: int = Field(256 * 1024 * 1024, gt=0, description="Size of the memory tier.")
    store_timeout: timedelta = Field(
        timedelta(seconds=0.25), description="Longest wait for a tier; a slower one costs more than it saves."
    )
    default_ttl: timedelta = Field(timedelta(hours=1), description="Life of entries that name none.")
    fill_patience: timedelta = Field(
        timedelta(seconds=10), description="How long others wait for the one who makes an answer."
    )
    sweep_interval: timedelta = Field(timedelta(minutes=1), description="How often expired rows are removed.")
