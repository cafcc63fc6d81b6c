"""A replay as a picture: load and forecast, replicas by rule, late requests."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

_COLOURS = {"forecasting": "#1f6f8b", "no forecasting": "#d1603d"}
# More points than this are drawn as means; nobody sees the difference.
_POINTS = 2_000


def draw(path: Path, results: dict[str, Any]) -> None:
    """Writes the PNG."""
    figure, (loads, replicas, late) = plt.subplots(3, 1, figsize=(11, 8), sharex=True, constrained_layout=True)
    for name, result in results.items():
        ticks = result.ticks
        width = max(1, len(ticks) // _POINTS)
        times = [tick.time for tick in ticks[::width]]
        if name == "forecasting":
            loads.plot(times, _means([tick.load for tick in ticks], width), color="#555f66", label="load")
            ahead = [np.nan if tick.forecast is None else tick.forecast for tick in ticks]
            loads.plot(times, _means(ahead, width), color=_COLOURS[name], linewidth=0.8, label="prepared for")
        counts = [max(tick.replicas for tick in ticks[at : at + width]) for at in range(0, len(ticks), width)]
        replicas.step(times, counts, where="post", color=_COLOURS[name], label=name, linewidth=0.9)
        overdue = np.cumsum([tick.late for tick in ticks])
        share = 100 * overdue / max(1e-9, sum(tick.requests for tick in ticks))
        late.plot(times, share[::width], color=_COLOURS[name], label=name)
    loads.set_ylabel("requests per second")
    replicas.set_ylabel("replicas wanted")
    late.set_ylabel("late so far, % of all")
    for axes in (loads, replicas, late):
        axes.legend(loc="upper left", frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _means(values: list[float], width: int) -> Any:
    padded = np.append(values, [np.nan] * (-len(values) % width)).reshape(-1, width)
    return np.nanmean(padded, axis=1) if not np.isnan(padded).all(axis=1).any() else padded[:, 0]
