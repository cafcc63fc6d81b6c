"""Part 5: one recorded day against one suite, watched as it goes."""

import asyncio
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import grpc
import numpy as np
from weirworks.autoscaler.v1.autoscaler_service_pb2 import (
    GetForecastRequest,
    GetScalerRequest,
    ListDecisionsRequest,
)
from weirworks.autoscaler.v1.autoscaler_service_pb2_grpc import AutoscalerServiceStub
from weirworks.autoscaler.v1.scaler_pb2 import Decision, Forecast, Scaler
from weirworks.telemetry.v1.series_pb2 import Sample, Series
from weirworks.telemetry.v1.telemetry_service_pb2 import ImportSeriesRequest
from weirworks.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub
from weirworks_client import WeirClient
from weirworks_rpc import open_channel

from weirworks_cli.demo.trace import Day, arrivals
from weirworks_cli.demo.traffic import NEW_PICTURES, Traffic

MODEL = "lite0"
SCALER = "scalers/inference"
MAX_REPLICAS = 4
# Share of a core that each local replica is held to.
CPU_SHARE = 0.15
# Replicas' worth of load at the day's peak, at full use: four are needed at the planned utilisation.
_PEAK_REPLICAS = 3.3
_TICK = 1.0
# What a start takes at that share (measured: 1.1 s of CPU), and the age of the newest whole step.
LEAD = 11.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the running day: seconds since its start."""

    at: float
    scaler: Scaler
    forecast: Forecast


@dataclass(slots=True)
class DayResult:
    """What came of a day."""

    forecasting: bool
    started: datetime
    traffic: Traffic
    seen: list[Seen] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    @property
    def replica_seconds(self) -> float:
        """Replicas over time, as they are paid for."""
        pairs = zip(self.seen, self.seen[1:], strict=False)
        return sum(here.scaler.replicas * (there.at - here.at) for here, there in pairs)


async def measure_capacity(weir: WeirClient, pictures: Sequence[bytes], seconds: float) -> float:
    """Requests per second that one replica answers when it always has work."""
    deadline = time.monotonic() + seconds
    done = 0

    async def ask(number: int) -> None:
        nonlocal done
        while time.monotonic() < deadline:
            number += 1
            await weir.classify_image(pictures[number % len(pictures)], top_k=3, skip_cache=True)
            done += 1

    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for worker in range(3):
            group.create_task(ask(worker * 1000))
    return done / (time.monotonic() - started)


def peak_rate(capacity: float) -> float:
    """Requests per second at the day's peak, cached ones and prompts included."""
    return _PEAK_REPLICAS * capacity / NEW_PICTURES


def day_environment(day: Day, capacity: float, forecasting: bool) -> dict[str, str]:
    """Settings of a suite whose day is short: the same rules with their times in proportion."""
    target = {
        "name": "inference",
        "model": MODEL,
        "min_replicas": 1,
        "max_replicas": MAX_REPLICAS,
        "capacity": round(capacity, 3),
        "utilization": 0.95,
        "forecast_enabled": forecasting,
        "season": day.seconds,
        "lead_time": LEAD,
        "horizon": 2 * LEAD,
        "stabilization": day.seconds * 0.04,
        "down_margin": 0,
        "stale_after": 30.0,
    }
    return {
        "WEIRWORKS_TELEMETRY_STEP": f"PT{day.step:g}S",
        "WEIRWORKS_ROUTER_EVENT_INTERVAL": "PT0.25S",
        "WEIRWORKS_INFERENCE_CPU_SHARE": str(CPU_SHARE),
        # A line of about a second: what would be late anyway is refused instead of delaying the rest.
        "WEIRWORKS_INFERENCE_QUEUE_LIMIT": "16",
        "WEIRWORKS_INFERENCE_PRELOAD": json.dumps([MODEL]),
        "WEIRWORKS_AUTOSCALER_TICK": f"PT{_TICK:g}S",
        "WEIRWORKS_AUTOSCALER_METRICS_LAG": "PT0.8S",
        "WEIRWORKS_AUTOSCALER_TARGETS": json.dumps([target]),
    }


async def import_history(telemetry: str, day: Day, peak: float, start: datetime, seed: int) -> int:
    """Gives telemetry the load of the recorded days before; returns how many samples."""
    chance = np.random.default_rng(seed)
    counts = chance.poisson(day.before * peak * NEW_PICTURES * day.step)
    series = Series(model=MODEL)
    for position, count in enumerate(counts):
        sample = Sample(arrivals=float(count))
        sample.start_time.FromDatetime(start - timedelta(seconds=(len(counts) - position) * day.step))
        series.samples.append(sample)
    async with open_channel(telemetry) as channel:
        response = await TelemetryServiceStub(channel).ImportSeries(ImportSeriesRequest(series=series), timeout=30)
    return int(response.samples)


class RunningDay:
    """Sends the day's requests and watches the autoscaler."""

    def __init__(self, day: Day, peak: float, pictures: Sequence[bytes], seed: int) -> None:
        self._times = arrivals(day.today, day.step, peak, seed)
        self._pictures = pictures
        self._seed = seed
        self.day = day
        # Set once there is a result to look at.
        self.begun = asyncio.Event()

    async def run(self, router: str, autoscaler: str, forecasting: bool, start: datetime) -> "DayResult":
        """The day from `start` on; returns when its last request is answered."""
        result = DayResult(forecasting, start, Traffic(self._pictures, self._seed))
        self.result = result
        await asyncio.sleep(max(0.0, (start - datetime.now(UTC)).total_seconds()))
        self.begun.set()
        async with WeirClient(router, timeout=timedelta(seconds=10)) as weir, open_channel(autoscaler) as channel:
            stub = AutoscalerServiceStub(channel)
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(channel, result))
                await result.traffic.send(weir, [float(at) for at in self._times])
                rest = self.day.seconds - (datetime.now(UTC) - start).total_seconds()
                await asyncio.sleep(max(0.0, rest))
                watching.cancel()
            request = ListDecisionsRequest(name=SCALER, page_size=1000)
            result.decisions = list((await stub.ListDecisions(request, timeout=5)).decisions)[::-1]
        return result

    async def _watch(self, channel: grpc.aio.Channel, result: "DayResult") -> None:
        stub = AutoscalerServiceStub(channel)
        while True:
            scaler = (await stub.GetScaler(GetScalerRequest(name=SCALER), timeout=5)).scaler
            forecast = (await stub.GetForecast(GetForecastRequest(name=SCALER), timeout=5)).forecast
            at = (datetime.now(UTC) - result.started).total_seconds()
            result.seen.append(Seen(at, scaler, forecast))
            await asyncio.sleep(_TICK)


def day_start(step: float) -> datetime:
    """The next whole step a few seconds from now, so that the day's steps and telemetry's agree."""
    return datetime.fromtimestamp(math.ceil((time.time() + 3) / step) * step, UTC)
