"""Settings of the inference service: `WEIRWORKS_INFERENCE_<FIELD>`."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict
from weirworks_service import ServiceSettings


class InferenceSettings(ServiceSettings):
    """Defaults work on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix="WEIRWORKS_INFERENCE_", frozen=True, extra="ignore", env_nested_delimiter="__"
    )

    models: Path = Field(Path("models"), description="Model repository: `<model>/<version>/{model.onnx,card.toml}`.")
    image_model: str = Field("lite0", description="Model of ClassifyImage calls that name none.")
    text_model: str = Field("minilm", description="Model of EmbedText calls that name none; see text_models.")
    text_models: dict[str, str] = Field(
        {"tr": "use-multilingual"}, description="Language → model of EmbedText calls that name none, as JSON."
    )
    preload: list[str] = Field(
        [], description="Models to load before the service says it is ready, as a JSON list; others load on first use."
    )
    preload_ahead: int = Field(
        4, ge=0, le=100, description="Models that may be loaded ahead of their usual hour; 0 loads none ahead."
    )
    threads: int = Field(
        0, ge=0, le=256, description="ONNX Runtime threads for one run; 0 takes the CPU limit of the container."
    )
    providers: list[Literal["cpu", "cuda", "tensorrt"]] = Field(
        ["cpu"], min_length=1, description="Execution providers in order, as a JSON list; a model's card comes first."
    )
    host_budget: int = Field(
        0, ge=0, description="Bytes of memory for models; 0 takes 60 % of the container's limit. Least used go first."
    )
    device_budget: int = Field(0, ge=0, description="Bytes of a GPU's memory for models; 0 sets no limit.")
    idle_unload: timedelta = Field(
        timedelta(seconds=600), ge=timedelta(0), description="Models not used for so long are unloaded; 0 never."
    )
    idle_check: timedelta = Field(
        timedelta(seconds=300), gt=timedelta(0), description="How often that is looked after."
    )
    rescan: timedelta = Field(
        timedelta(seconds=5), gt=timedelta(0), description="How often the repository is looked at for new versions."
    )
    optimized_dir: Path | None = Field(
        None, description="Where optimised graphs are kept; the data folder otherwise. Replicas may share it."
    )
    isolate_loads: bool = Field(
        True,
        description="Optimise a graph in a process of its own first, so that one that crashes ends that process alone.",
    )
    queue_limit: int = Field(
        256, ge=1, description="Requests of one model that may wait; more are refused with a retry time."
    )
    queue_bytes: int = Field(
        512 * 1024 * 1024, gt=0, description="Bytes of inputs that may wait, of all models together."
    )
    cpu_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of a core for model runs: local replicas are held to it as a pod is to its CPU limit.",
    )
    max_image_bytes: int = Field(10_000_000, gt=0, description="Largest encoded picture.")
    max_image_pixels: int = Field(50_000_000, gt=0, description="Largest decoded picture; above it is a bomb.")
    embeddings: int = Field(50, ge=0, description="Vectors of texts that are kept in memory.")
    cache: str = Field("", description="`host:port` of the cache service for vectors beyond those; empty asks none.")
    cache_timeout: timedelta = Field(
        timedelta(milliseconds=50), gt=timedelta(0), description="How long a look-up there may take."
    )
    embedding_ttl: timedelta = Field(timedelta(days=7), gt=timedelta(0), description="How long they are kept there.")
    postgres_url: SecretStr = Field(
        SecretStr(""), description="PostgreSQL with the model registry; without it the highest version answers."
    )
    registry_interval: timedelta = Field(
        timedelta(seconds=2), gt=timedelta(0), description="How often the registry is read."
    )
