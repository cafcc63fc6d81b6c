"""Settings of the inference service: `WEIRWORKS_INFERENCE_<FIELD>`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict
from weirworks_service import ServiceSettings


class InferenceSettings(ServiceSettings):
    """Defaults work on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix="WEIRWORKS_INFERENCE_", frozen=True, extra="ignore", env_nested_delimiter="__"
    )

    models: Path = Field(Path("models"), description="Model repository: `<model>/<version>/{model.onnx,card.toml}`.")
    image_model: str = Field("lite0", description="Model of ClassifyImage calls that name none.")
    text_model: str = Field("minilm", description="Model of EmbedText calls that name none.")
    preload: list[str] = Field(
        [], description="Models to load before the service says it is ready, as a JSON list; others load on first use."
    )
    threads: int = Field(1, ge=1, le=256, description="ONNX Runtime threads for one run; the cores of the container.")
    queue_limit: int = Field(
        256, ge=1, description="Requests that may wait; more are refused with a retry time, so that none waits in vain."
    )
    cpu_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of a core for model runs: local replicas are held to it as a pod is to its CPU limit.",
    )
    max_image_bytes: int = Field(10_000_000, gt=0, description="Largest encoded picture.")
    max_image_pixels: int = Field(50_000_000, gt=0, description="Largest decoded picture; above it is a bomb.")
