"""The day as a picture: load with its forecast band, replicas, latency."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from weirworks_cli.demo.day import LEAD, DayResult, Seen
from weirworks_cli.demo.trace import Day, clock
from weirworks_cli.demo.traffic import LATE

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_BLUE, _ORANGE, _GREY = "#1f6f8b", "#d1603d", "#9aa5ab"


def draw(path: Path, day: Day, results: Sequence[DayResult], capacity: float) -> None:
    """Writes the PNG."""
    figure, (loads, replicas, latency) = plt.subplots(3, 1, figsize=(11, 9), sharex=True, constrained_layout=True)
    with_forecast = next(result for result in results if result.forecasting)
    _draw_load(loads, with_forecast, capacity)
    for result in results:
        name, colour = ("forecasting", _BLUE) if result.forecasting else ("no forecasting", _ORANGE)
        times = [look.at for look in result.seen]
        replicas.step(times, [look.scaler.replicas for look in result.seen], where="post", label=name, color=colour)
        _draw_latency(latency, result, name, colour)
    for decision in with_forecast.decisions:
        if decision.to_replicas > decision.from_replicas:
            at = decision.decide_time.ToDatetime().timestamp() - with_forecast.started.replace(tzinfo=None).timestamp()
            replicas.annotate(decision.reason, (at, decision.to_replicas), fontsize=7, rotation=30, color=_BLUE)
    replicas.set_ylabel("replicas wanted")
    replicas.set_ylim(0, 5)
    replicas.legend(loc="lower center", ncols=2, frameon=False)
    latency.axhline(LATE, color=_GREY, linewidth=0.8, linestyle=":")
    latency.set_ylabel("p95 of pictures (s)")
    latency.set_yscale("log")
    latency.legend(loc="upper left", frameon=False)
    ticks = np.linspace(0, day.seconds, 9)
    latency.set_xticks(ticks, [clock(tick / day.seconds) for tick in ticks])
    latency.set_xlabel(f"recorded hour of the day ({day.seconds:g} s of real time)")
    for axes in (loads, replicas, latency):
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_load(axes: Axes, result: DayResult, capacity: float) -> None:
    times = [look.at for look in result.seen]
    axes.plot(times, [look.scaler.decision.load for look in result.seen], color=_BLUE, label="load for models")
    band = [(look.at + LEAD, *_ahead(look)) for look in result.seen if look.forecast.points]
    if band:
        moments, lower, median, upper = np.array(band).T
        axes.fill_between(moments, lower, upper, color=_BLUE, alpha=0.15, label=f"forecast {LEAD:g} s before")
        axes.plot(moments, median, color=_BLUE, linewidth=0.8, linestyle="--")
    ready = [look.scaler.ready_replicas * capacity for look in result.seen]
    axes.step(times, ready, where="post", color=_GREY, label="capacity of ready replicas")
    axes.set_ylabel("requests per second")
    axes.set_title("A recorded day: load, forecast, replicas, latency")
    axes.legend(loc="upper left", frameon=False)


def _ahead(look: Seen) -> tuple[float, float, float]:
    points = look.forecast.points
    step = look.forecast.step.ToTimedelta().total_seconds()
    point = points[min(len(points) - 1, round(LEAD / step))]
    return point.lower, point.median, point.upper


def _draw_latency(axes: Axes, result: DayResult, name: str, colour: str) -> None:
    pictures = [each for each in result.traffic.answered if not each.prompt and not each.error]
    width = max(1.0, max((each.at for each in pictures), default=1.0) / 60)
    buckets: dict[int, list[float]] = {}
    for each in pictures:
        buckets.setdefault(int(each.at / width), []).append(each.latency)
    numbers = sorted(buckets)
    values = [float(np.quantile(buckets[number], 0.95)) for number in numbers]
    axes.plot([number * width for number in numbers], values, label=name, color=colour)
