"""`weir scalers list` and `check`: what operators look at."""

import asyncio
import sys
from typing import Any, TypeVar

import click
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from weirworks.autoscaler.v1.autoscaler_service_pb2 import ListDecisionsRequest, ListScalersRequest
from weirworks.autoscaler.v1.autoscaler_service_pb2_grpc import AutoscalerServiceStub
from weirworks.autoscaler.v1.scaler_pb2 import Decision, Scaler
from weirworks_client import WeirClient, WeirError
from weirworks_rpc import open_channel

from weirworks_cli.calls import output
from weirworks_cli.context import Context, NoContext, read_context
from weirworks_cli.output import FAILED, explain, fail, print_json, print_table
from weirworks_cli.within import run

T = TypeVar("T")
_TIMEOUT = 5.0


@click.group()
def scalers() -> None:
    """Look at scalers."""


@scalers.command(name="list", epilog="Example: weir scalers list")
@output
@click.pass_obj
def list_scalers(context: str, output: str) -> None:
    """List what is resized, and the newest decision on it."""
    found = run(context, _scalers)
    if output == "json":
        print_json([_scaler(scaler) for scaler in found])
        return
    rows = [
        (
            scaler.name.removeprefix("scalers/"),
            scaler.target,
            f"{scaler.decision.load:.1f}/{scaler.decision.capacity:g} rps",
            f"{scaler.decision.forecast:.1f} rps" if scaler.decision.HasField("forecast") else "-",
            scaler.min_replicas,
            scaler.max_replicas,
            scaler.replicas,
            scaler.ready_replicas,
            scaler.decision.to_replicas,
            scaler.decision.reason,
        )
        for scaler in found
    ]
    columns = ["name", "target", "load", "forecast", "min", "max", "replicas", "ready", "desired", "reason"]
    print_table(columns, rows)


@scalers.command(name="decisions", epilog="Example: weir scalers decisions inference")
@click.argument("name")
@output
@click.pass_obj
def decisions(context: str, name: str, output: str) -> None:
    """List the decisions on a scaler, newest first: each change, and each new reason."""
    found = run(context, lambda where: _decisions(where, name))
    if output == "json":
        print_json([_decision(decision) for decision in found])
        return
    rows = [
        (
            decision.decide_time.ToDatetime().strftime("%H:%M:%S"),
            f"{decision.from_replicas} → {decision.to_replicas}",
            decision.reason,
            decision.message,
        )
        for decision in found
    ]
    print_table(["time", "replicas", "reason", "message"], rows)


@click.command(epilog="Example: weir check")
@click.pass_obj
def check(context: str) -> None:
    """Say whether everything answers; exit code 1 when something does not."""
    try:
        where = read_context(context)
    except NoContext as error:
        fail(str(error))
    rows = asyncio.run(_health(where))
    print_table(["service", "address", "health"], rows)
    sys.exit(0 if all(row[2] == "SERVING" for row in rows) else FAILED)


async def _scalers(context: Context) -> list[Scaler]:
    async with open_channel(context.address("autoscaler")) as channel:
        response = await AutoscalerServiceStub(channel).ListScalers(ListScalersRequest(), timeout=_TIMEOUT)
    return list(response.scalers)


async def _decisions(context: Context, name: str) -> list[Decision]:
    request = ListDecisionsRequest(name=f"scalers/{name}", page_size=1000)
    async with open_channel(context.address("autoscaler")) as channel:
        response = await AutoscalerServiceStub(channel).ListDecisions(request, timeout=_TIMEOUT)
    return list(response.decisions)


async def _health(context: Context) -> list[tuple[str, str, str]]:
    addresses = [(name, context.addresses[name]) for name in sorted(context.addresses)]
    try:
        async with WeirClient(context.address("router")) as weir:
            backends = await weir.list_backends()
        addresses += [("inference", each.name) for each in backends if each.kind == "inference"]
    except WeirError as error:
        explain(error)
    return [(name, address, await _ask(address)) for name, address in addresses]


async def _ask(address: str) -> str:
    async with open_channel(address) as channel:
        # Typed for blocking channels only.
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def _scaler(scaler: Scaler) -> dict[str, object]:
    return {
        "name": scaler.name,
        "target": scaler.target,
        "replicas": scaler.replicas,
        "readyReplicas": scaler.ready_replicas,
        "minReplicas": scaler.min_replicas,
        "maxReplicas": scaler.max_replicas,
        "decision": _decision(scaler.decision),
    }


def _decision(decision: Decision) -> dict[str, object]:
    return {
        "time": decision.decide_time.ToJsonString(),
        "fromReplicas": decision.from_replicas,
        "toReplicas": decision.to_replicas,
        "reason": decision.reason,
        "message": decision.message,
        "load": decision.load,
        "forecast": decision.forecast if decision.HasField("forecast") else None,
        "reactiveReplicas": decision.reactive_replicas,
        "forecastReplicas": decision.forecast_replicas if decision.HasField("forecast_replicas") else None,
        "capacity": decision.capacity,
        "method": decision.method,
    }
