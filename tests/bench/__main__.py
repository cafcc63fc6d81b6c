"""`make bench`: CPU time per request beside bare onnxruntime in the same run.

Wall-clock figures of shared machines do not compare; CPU time of a process over CPU time of the bare library on the
same files with the same threads does.
"""

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnxruntime

from tests.bench.calls import ROOT, measure_calls
from tests.bench.pictures import picture_seconds
from tests.bench.scaling import measure_decisions
from tests.bench.serving import Target, measure

PARTS = ("inference", "calls", "scaling")


def main() -> int:
    """Prints Markdown tables; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part; all otherwise")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=HOST:PORT@PID", help="another server of the same models"
    )
    parser.add_argument("--models", action="append", default=[], help="models of the part inference; all otherwise")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    print(f"{os.cpu_count()} cores, onnxruntime {onnxruntime.__version__}, one thread, {arguments.rounds} rounds")
    if arguments.only in (None, "inference"):
        peers = [_peer(text) for text in arguments.peer]
        figures["image"] = {"one_megapixel_ms": picture_seconds() * 1e3}
        figures |= asyncio.run(measure(ROOT, arguments.rounds, peers, arguments.models))
        _print_serving(figures, [peer.name for peer in peers])
    if arguments.only in (None, "calls"):
        figures["calls"] = _print_calls(arguments.rounds)
    if arguments.only in (None, "scaling"):
        cost = measure_decisions()
        figures["scaling"] = asdict(cost)
        print(f"\ndecisions: {cost.week_seconds:.1f} s of CPU for a week every 15 s, ", end="")
        print(f"{cost.hundred_milliseconds:.1f} ms for one decision of 100 targets, ", end="")
        print(f"{cost.target_bytes / 2**20:.2f} MiB a target")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _peer(text: str) -> Target:
    name, _, rest = text.partition("=")
    address, _, pid = rest.rpartition("@")
    return Target(name, address, int(pid))


def _print_serving(figures: dict[str, Any], peers: list[str]) -> None:
    columns = "".join(f" | {peer}" for peer in peers)
    print(f"\n| case | bare µs | served µs | share of bare{columns} |\n|---|---|---|---|{'---|' * len(peers)}")
    for name, entry in figures.items():
        if "." in name:
            others = "".join(f" | {entry[peer]['share_of_bare']:.1%}" for peer in peers)
            print(f"| {name} | {entry['bare_us']} | {entry['served_us']} | {entry['share_of_bare']:.1%}{others} |")
    server = figures["server"]
    print(f"\nstart to listening {server['start_cpu_seconds']:.2f} s of CPU, ", end="")
    print(f"idle {server['idle_share_of_core']:.3%} of a core, ", end="")
    print(f"{server['rss_bytes'] / 2**20:.0f} MiB with its models, ", end="")
    print(f"1 MP JPEG to tensor {figures['image']['one_megapixel_ms']:.1f} ms of CPU")


def _print_calls(rounds: int) -> dict[str, float]:
    rows = asyncio.run(measure_calls(rounds, 100))
    plain = {row.operation: row.median for row in rows if row.way == "bare onnxruntime"}
    print("\n| operation | way | CPU ms per request | of bare |\n|---|---|---|---|")
    for row in sorted(rows, key=lambda each: (each.operation, each.way)):
        print(f"| {row.operation} | {row.way} | {row.median:.2f} | {row.median / plain[row.operation]:.0%} |")
    return {f"{row.operation}: {row.way}": row.median for row in rows}


if __name__ == "__main__":
    sys.exit(main())
