"""The running day in the terminal: a live panel, or a line now and then where there is no terminal."""

import asyncio

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from weirworks_cli.demo.day import MAX_REPLICAS, RunningDay, Seen
from weirworks_cli.demo.trace import clock

_BARS = "▁▂▃▄▅▆▇█"
_QUIET_LINES = 20


async def show_day(console: Console, running: RunningDay) -> None:
    """Redraws twice a second until cancelled."""
    await running.begun.wait()
    if console.is_terminal:
        with Live(console=console, refresh_per_second=2, transient=True) as live:
            while True:
                await asyncio.sleep(0.5)
                live.update(_picture(running))
    while True:
        await asyncio.sleep(running.day.seconds / _QUIET_LINES)
        console.print(_line(running), highlight=False, soft_wrap=True)


def _picture(running: RunningDay) -> Group:
    seen = running.result.seen
    loads = [look.scaler.decision.load for look in seen][-100:]
    top = max([*loads, 1e-9])
    line = "".join(_BARS[min(7, int(8 * load / top))] for load in loads)
    counts = "".join(str(look.scaler.replicas) for look in seen[-100:])
    return Group(Text(_line(running)), Text(f"load      {line}"), Text(f"replicas  {counts}"))


def _line(running: RunningDay) -> str:
    result = running.result
    if not result.seen:
        return "the day begins"
    look: Seen = result.seen[-1]
    decision = look.scaler.decision
    fraction = min(1.0, max(0.0, look.at / running.day.seconds))
    late = sum(each.late for each in result.traffic.answered)
    expected = f"{decision.forecast:5.1f}/s" if decision.HasField("forecast") else "    -  "
    bar = "■" * look.scaler.ready_replicas + "□" * (MAX_REPLICAS - look.scaler.ready_replicas)
    return (
        f"{clock(fraction)}  load {decision.load:5.1f}/s  forecast {expected}  replicas {bar} "
        f"{look.scaler.replicas}  {decision.reason:<12} answered {len(result.traffic.answered):5d}  late {late}"
    )
