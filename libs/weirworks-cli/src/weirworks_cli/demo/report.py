"""What the day showed: the table, the decisions, and the facts as JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from weirworks.autoscaler.v1.scaler_pb2 import Decision

from weirworks_cli.demo.day import DayResult
from weirworks_cli.demo.trace import Day, clock
from weirworks_cli.demo.traffic import LATE, all_provider_cost


def facts_of(result: DayResult) -> dict[str, Any]:
    """The figures of one day."""
    answered = result.traffic.answered
    pictures = np.array([each.latency for each in answered if not each.prompt and not each.error] or [0.0])
    p50, p95, p99 = np.quantile(pictures, [0.5, 0.95, 0.99])
    cost, provider = sum(each.cost for each in answered), all_provider_cost(len(answered))
    counts = [look.scaler.replicas for look in result.seen] or [0]
    return {
        "forecasting": result.forecasting,
        "requests": len(answered),
        "hitRatio": sum(each.cached for each in answered) / max(1, len(answered)),
        "p50Seconds": float(p50),
        "p95Seconds": float(p95),
        "p99Seconds": float(p99),
        "costUsd": cost,
        "allProviderCostUsd": provider,
        "late": sum(each.late for each in answered),
        "failed": sum(bool(each.error) for each in answered),
        "replicaSeconds": result.replica_seconds,
        "firstReplicas": counts[0],
        "mostReplicas": max(counts),
        "lastReplicas": counts[-1],
        "decisions": [_decision(decision, result) for decision in result.decisions],
    }


def print_day_table(console: Console, results: Sequence[DayResult]) -> None:
    """The days beside each other."""
    table = Table("", *("forecasting" if each.forecasting else "no forecasting" for each in results), title="The day")
    facts = [facts_of(result) for result in results]
    rows = [
        ("requests", "requests", "{:,}"),
        ("cache hit ratio", "hitRatio", "{:.1%}"),
        ("p50", "p50Seconds", "{:.3f} s"),
        ("p95", "p95Seconds", "{:.3f} s"),
        ("p99", "p99Seconds", "{:.3f} s"),
        (f"late (over {LATE:g} s) or refused", "late", "{:,}"),
        ("replica-seconds", "replicaSeconds", "{:,.0f}"),
        ("cost", "costUsd", "${:.2f}"),
        ("cost if a provider answered all", "allProviderCostUsd", "${:.2f}"),
    ]
    for title, key, form in rows:
        table.add_row(title, *(form.format(each[key]) for each in facts))
    saved = [1 - each["costUsd"] / max(1e-9, each["allProviderCostUsd"]) for each in facts]
    table.add_row("saved", *(f"{each:.1%}" for each in saved))
    console.print(table)


def print_decisions(console: Console, result: DayResult, day: Day) -> None:
    """The changes of size, with the forecast's term beside that of the load seen."""
    columns = ("hour", "replicas", "reason", "load", "needs", "forecast", "needs", "method")
    table = Table(*columns, title="Decisions with forecasting")
    for decision in result.decisions:
        if decision.from_replicas == decision.to_replicas:
            continue
        fraction = (decision.decide_time.ToDatetime().timestamp() - _utc(result)) / day.seconds
        known = decision.HasField("forecast")
        table.add_row(
            clock(fraction),
            f"{decision.from_replicas} → {decision.to_replicas}",
            decision.reason,
            f"{decision.load:.1f}/s",
            str(decision.reactive_replicas),
            f"{decision.forecast:.1f}/s" if known else "-",
            str(decision.forecast_replicas) if known else "-",
            decision.method,
        )
    console.print(table)


def _utc(result: DayResult) -> float:
    return result.started.replace(tzinfo=None).timestamp()


def _decision(decision: Decision, result: DayResult) -> dict[str, Any]:
    return {
        "atSeconds": decision.decide_time.ToDatetime().timestamp() - _utc(result),
        "from": decision.from_replicas,
        "to": decision.to_replicas,
        "reason": decision.reason,
        "load": decision.load,
        "reactive": decision.reactive_replicas,
        "forecast": decision.forecast if decision.HasField("forecast") else None,
        "forecastReplicas": decision.forecast_replicas if decision.HasField("forecast_replicas") else None,
        "capacity": decision.capacity,
    }
