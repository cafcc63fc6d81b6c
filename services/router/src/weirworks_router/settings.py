"""Settings of the router: `WEIRWORKS_ROUTER_<FIELD>`."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict
from weirworks_service import ServiceSettings

from weirworks_router.core.types import Band, Price


class BackendSettings(BaseModel):
    """A language model behind an API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    api: Literal["openai", "anthropic"]
    model: str
    base_url: str | None = None
    api_key_file: Path | None = None
    usd_per_request: float = Field(0.0, ge=0)
    usd_per_million_input_tokens: float = Field(0.0, ge=0)
    usd_per_million_output_tokens: float = Field(0.0, ge=0)
    timeout: timedelta = timedelta(seconds=60)

    @property
    def price(self) -> Price:
        """What it costs."""
        return Price(self.usd_per_request, self.usd_per_million_input_tokens, self.usd_per_million_output_tokens)

    def api_key(self) -> SecretStr:
        """The key; a server that needs none gets a word that says so."""
        if self.api_key_file is None:
            return SecretStr("none")
        return SecretStr(self.api_key_file.read_text("utf-8").strip())


class RouterSettings(ServiceSettings):
    """Defaults work on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix="WEIRWORKS_ROUTER_", frozen=True, extra="ignore", env_nested_delimiter="__"
    )

    cache: str = Field("", description="`host:port` of the cache; empty does without.")
    inference: list[str] = Field(
        [], description="Inference endpoints as a JSON list: `host:port`, or `dns:///name:port` of a headless Service."
    )
    endpoints_file: Path | None = Field(
        None, description="File with more endpoints, as the local supervisor writes it; read when it changes."
    )
    image_model: str = Field("lite0", description="Model of ClassifyImage calls that name none.")
    text_model: str = Field(
        "", description="Model of EmbedText calls that name none; empty leaves the choice to inference, by language."
    )
    backends: list[BackendSettings] = Field(
        [], description="Language models as a JSON list of name, api, model, base_url, api_key_file, prices, timeout."
    )
    bands: dict[Band, list[str]] = Field(
        {}, description="Band (`local`, `experiment`, `provider`) → backends to try in order, as a JSON object."
    )
    experiment_from: float = Field(30.0, ge=0, le=100, description="Score from which a prompt is an experiment.")
    provider_from: float = Field(60.0, ge=0, le=100, description="Score from which a prompt goes to a provider.")
    usd_per_inference: float = Field(0.0001, ge=0, description="Price of one answer of a local model.")
    cached: list[str] = Field(
        ["classify-image", "embed-text", "generate"],
        description="Operations to cache; `infer` may be added, at the price of a hop for tensors that rarely recur.",
    )
    cache_ttl: timedelta = Field(timedelta(hours=1), description="Life of cached answers.")
    cache_timeout: timedelta = Field(
        timedelta(seconds=0.3), description="Longest look-up of a prompt; a slower cache is skipped for a while."
    )
    fill_patience: timedelta = Field(
        timedelta(seconds=2), description="Longest wait of a picture or a text for the same answer of another caller."
    )

    @field_validator("bands")
    @classmethod
    def _known(cls, bands: dict[Band, list[str]], info: object) -> dict[Band, list[str]]:
        backends = {backend.name for backend in getattr(info, "data", {}).get("backends", [])}
        unknown = {name for names in bands.values() for name in names} - backends
        if unknown:
            raise ValueError(f"unknown backends: {', '.join(sorted(unknown))}")
        return bands
