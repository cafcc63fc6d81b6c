"""`weir load`: pictures at a steady rate against the running suite, for looking at dashboards."""

import asyncio
import sys
from datetime import timedelta

import click
import numpy as np
from weirworks_client import WeirClient

from weirworks_cli.context import NoContext, read_context
from weirworks_cli.output import FAILED, fail, print_table


@click.command(epilog="Example: weir load --rate 20 --seconds 60")
@click.option("--rate", default=10.0, show_default=True, help="Requests per second.")
@click.option("--seconds", default=60.0, show_default=True, help="How long.")
@click.option("--seed", default=1, show_default=True, help="Seed of the arrivals.")
@click.pass_obj
def load(context: str, rate: float, seconds: float, seed: int) -> None:
    """Send pictures, and prompts where there is a language model, and say how they fared."""
    try:
        # Here, because they need packages that only the extra `demo` brings.
        from weirworks_cli.demo.photos import crops, demo_photos
        from weirworks_cli.demo.traffic import Traffic
    except ModuleNotFoundError as missing:
        fail(f"load needs the package {missing.name}; install it with: make setup")
    try:
        router = read_context(context).address("router")
    except NoContext as error:
        fail(str(error))
    traffic = Traffic(crops(demo_photos(), 100, seed), seed)
    chance = np.random.default_rng(seed)
    times = np.cumsum(chance.exponential(1 / rate, int(rate * seconds)))

    async def send() -> None:
        async with WeirClient(router, timeout=timedelta(seconds=10)) as weir:
            traffic.prompts = any(backend.kind == "provider" for backend in await weir.list_backends())
            await traffic.send(weir, [float(at) for at in times])

    asyncio.run(send())
    answered = [each for each in traffic.answered if not each.error]
    latencies = [each.latency for each in answered if not each.prompt] or [0.0]
    p50, p95 = np.quantile(latencies, [0.5, 0.95])
    errors = sorted({each.error for each in traffic.answered if each.error})
    columns = ["requests", "answered", "cached", "p50", "p95", "late", "errors"]
    late, cached = sum(each.late for each in traffic.answered), sum(each.cached for each in answered)
    row = (len(times), len(answered), cached, f"{p50:.3f}s", f"{p95:.3f}s", late, ",".join(errors) or "-")
    print_table(columns, [row])
    sys.exit(0 if answered else FAILED)
