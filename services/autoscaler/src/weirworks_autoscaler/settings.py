"""Settings of the autoscaler: `WEIRWORKS_AUTOSCALER_<FIELD>`."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict
from weirworks_service import ServiceSettings

from weirworks_autoscaler.core.types import ScalerSpec


class TargetSettings(BaseModel):
    """One target to resize."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    model: str = "*"
    min_replicas: int = Field(1, ge=1)
    max_replicas: int = Field(10, ge=1)
    capacity: float = Field(100.0, gt=0)
    utilization: float = Field(0.8, gt=0, le=1)
    forecast_enabled: bool = True
    horizon: timedelta = Field(timedelta(minutes=15), gt=timedelta(0))
    max_late_ratio: float = Field(0.01, gt=0, lt=1)
    tolerance: timedelta = Field(timedelta(seconds=1), ge=timedelta(0))
    service_time: timedelta = Field(timedelta(seconds=1), gt=timedelta(0))
    season: timedelta = Field(timedelta(days=1), gt=timedelta(0))
    lead_time: timedelta = Field(timedelta(seconds=60), ge=timedelta(0))
    down_margin: int = Field(2, ge=0)
    stabilization: timedelta = timedelta(minutes=5)
    max_step_up: int = Field(0, ge=0)
    stale_after: timedelta = timedelta(minutes=2)

    def spec(self, lag: timedelta, interval: timedelta) -> ScalerSpec:
        """The same for the decision, that comes every `interval` and sees loads that are `lag` old."""
        return ScalerSpec(**self.model_dump(), lag=lag, interval=interval)


class AutoscalerSettings(ServiceSettings):
    """Defaults work on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix="WEIRWORKS_AUTOSCALER_", frozen=True, extra="ignore", env_nested_delimiter="__"
    )

    provider: Literal["local", "kubernetes"] = Field(
        "local",
        description="What is resized: the processes of `weir up`, or the targets of the InferenceScalers of a cluster.",
    )
    scale_dir: Path = Field(
        Path("weirworks-data/replicas"), description="Folder that the local supervisor shares: sizes in, addresses out."
    )
    targets: list[TargetSettings] = Field(
        [TargetSettings(name="inference")],
        description="Targets of the provider local, as a JSON list; see the README for their fields.",
    )
    namespace: str = Field("", description="Namespace whose InferenceScalers count; empty for all.")
    lease_namespace: str = Field("default", description="Namespace of the Lease that elects a leader.")
    lease_name: str = Field("weirworks-autoscaler", description="Name of that Lease.")
    lease_duration: timedelta = Field(
        timedelta(seconds=15), ge=timedelta(seconds=1), description="Time after which a silent leader is replaced."
    )
    tick: timedelta = Field(timedelta(seconds=15), description="Time between decisions.")
    metrics_lag: timedelta = Field(
        timedelta(seconds=3), description="Age at which a step of the load history is taken to be whole."
    )
    history: timedelta = Field(timedelta(days=4), description="How much load history forecasts are made from.")
