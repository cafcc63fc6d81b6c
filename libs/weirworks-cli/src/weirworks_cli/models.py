"""`weir models …`: what is in memory, and which versions answer."""

import getpass
from collections.abc import Awaitable, Callable
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from weirworks.inference.v1 import model_service_pb2 as models_pb
from weirworks.inference.v1 import registry_service_pb2 as registry_pb
from weirworks.inference.v1.model_pb2 import Model, ModelState
from weirworks.inference.v1.model_service_pb2_grpc import ModelServiceStub
from weirworks.inference.v1.registry_service_pb2_grpc import RegistryServiceStub
from weirworks_client import WeirClient
from weirworks_rpc import open_channel

from weirworks_cli.calls import output
from weirworks_cli.context import Context
from weirworks_cli.output import fail, print_json, print_table
from weirworks_cli.within import run

# A load may take a while.
_TIMEOUT = 120.0
_PAGE = 1000


@click.group()
def models() -> None:
    """Look at models, load and unload them, and say which version answers."""


@models.command(name="list", epilog="Example: weir models list")
@output
@click.pass_obj
def list_models(context: str, output: str) -> None:
    """List the models of every inference endpoint; a star is at the version that answers."""

    async def ask(stub: Any) -> list[Model]:
        return list((await stub.ListModels(models_pb.ListModelsRequest(page_size=_PAGE), timeout=_TIMEOUT)).models)

    found = run(context, lambda where: _everywhere(where, ask))
    listed = [(endpoint, model) for endpoint, there in found for model in there]
    if output == "json":
        print_json([{"endpoint": endpoint, **_model(model)} for endpoint, model in listed])
        return
    rows = [
        (
            *_parts(model),
            _state(model),
            model.reason or "-",
            model.load_count,
            f"{model.last_load_duration.ToTimedelta().total_seconds() * 1e3:.0f}ms",
            f"{model.resident_bytes / 1e6:.0f}MB",
            model.inference_count,
            ",".join(model.providers) or "-",
            endpoint,
        )
        for endpoint, model in listed
    ]
    columns = ["name", "version", "state", "reason", "loads", "load", "memory", "inferences", "runs on", "endpoint"]
    print_table(columns, rows)


@models.command(name="load", epilog="Example: weir models load minilm --pin")
@click.argument("name")
@click.option("--version", default="", help="Another version than the one that answers.")
@click.option("--pin", is_flag=True, help="Keep it in memory whatever the budget says.")
@click.option("--reload", "anew", is_flag=True, help="Read its files anew although it is in memory.")
@click.pass_obj
def load_model(context: str, name: str, version: str, pin: bool, anew: bool) -> None:
    """Bring a model into the memory of every endpoint, and back into service."""
    request = models_pb.LoadModelRequest(name=_resource(name, version), pin=pin, reload=anew)

    async def ask(stub: Any) -> Model:
        model: Model = (await stub.LoadModel(request, timeout=_TIMEOUT)).model
        return model

    _print_changed(run(context, lambda where: _everywhere(where, ask)))


@models.command(name="unload", epilog="Example: weir models unload minilm")
@click.argument("name")
@click.option("--version", default="", help="Another version than the one that answers.")
@click.option("--withdraw", is_flag=True, help="Refuse calls until it is loaded again.")
@click.pass_obj
def unload_model(context: str, name: str, version: str, withdraw: bool) -> None:
    """Take a model out of the memory of every endpoint; `-` takes all."""
    request = models_pb.UnloadModelRequest(name=_resource(name, version), withdraw=withdraw)

    async def ask(stub: Any) -> list[Model]:
        return list((await stub.UnloadModel(request, timeout=_TIMEOUT)).models)

    found = run(context, lambda where: _everywhere(where, ask))
    _print_changed([(endpoint, model) for endpoint, there in found for model in there])


@models.command(name="health", epilog="Example: weir models health")
@click.pass_obj
def report_health(context: str) -> None:
    """Print the health report of every endpoint as JSON."""

    async def ask(stub: Any) -> dict[str, Any]:
        report = await stub.GetHealthReport(models_pb.GetHealthReportRequest(), timeout=_TIMEOUT)
        return MessageToDict(report, always_print_fields_with_no_presence=True)

    found = run(context, lambda where: _everywhere(where, ask))
    print_json([{"endpoint": endpoint, **report} for endpoint, report in found])


@models.command(name="register", epilog="Example: weir models register lite0 2 --status testing --accuracy 0.76")
@click.argument("name")
@click.argument("version")
@click.option("--status", type=click.Choice(["inactive", "testing"]), default="inactive", help="Status to begin with.")
@click.option("--domain", default="", help="What it is about: chest-x-ray.")
@click.option("--accuracy", type=float, help="Share of right answers, 0 to 1.")
@click.pass_obj
def register(context: str, name: str, version: str, status: str, domain: str, accuracy: float | None) -> None:
    """Register a version with the checksum that its file has now."""
    request = registry_pb.RegisterVersionRequest(
        name=_resource(name, version), status=status, domain=domain, accuracy=accuracy, actor=getpass.getuser()
    )
    _print_version(context, lambda stub: stub.RegisterVersion(request, timeout=_TIMEOUT))


@models.command(name="promote", epilog="Example: weir models promote lite0 2")
@click.argument("name")
@click.argument("version")
@click.pass_obj
def promote(context: str, name: str, version: str) -> None:
    """Make a registered version the one that answers."""
    request = registry_pb.PromoteVersionRequest(name=_resource(name, version), actor=getpass.getuser())
    _print_version(context, lambda stub: stub.PromoteVersion(request, timeout=_TIMEOUT))


@models.command(name="rollback", epilog="Example: weir models rollback lite0")
@click.argument("name")
@click.pass_obj
def rollback(context: str, name: str) -> None:
    """Make the version answer that did before the last promotion."""
    request = registry_pb.RollbackModelRequest(model=_resource(name, ""), actor=getpass.getuser())
    _print_version(context, lambda stub: stub.RollbackModel(request, timeout=_TIMEOUT))


@models.command(name="versions", epilog="Example: weir models versions lite0")
@click.argument("name", default="")
@click.pass_obj
def versions(context: str, name: str) -> None:
    """List what is registered, of one model or of all."""
    request = registry_pb.ListVersionsRequest(model=_resource(name, "") if name else "", page_size=_PAGE)

    async def ask(stub: Any) -> list[registry_pb.Version]:
        return list((await stub.ListVersions(request, timeout=_TIMEOUT)).versions)

    _print_versions(run(context, lambda where: _registry(where, ask)))


@models.command(name="history", epilog="Example: weir models history lite0")
@click.argument("name", default="")
@click.pass_obj
def history(context: str, name: str) -> None:
    """List changes of the registry, newest first: when, what, by whom."""
    request = registry_pb.ListChangesRequest(model=_resource(name, "") if name else "", page_size=_PAGE)

    async def ask(stub: Any) -> list[registry_pb.Change]:
        return list((await stub.ListChanges(request, timeout=_TIMEOUT)).changes)

    found = run(context, lambda where: _registry(where, ask))
    rows = [
        (f"{each.change_time.ToDatetime():%Y-%m-%d %H:%M:%S}", each.name, each.action, each.detail, each.actor)
        for each in found
    ]
    print_table(["time", "version", "action", "detail", "by"], rows)


# Stubs are `Any` here: their types tell a blocking channel from an asyncio one by an overload that a callback loses.
async def _everywhere(context: Context, ask: Callable[[Any], Awaitable[Any]]) -> list[tuple[str, Any]]:
    """(address, answer) of every inference endpoint that the router knows."""
    answers = []
    for address in await _endpoints(context):
        async with open_channel(address) as channel:
            answers.append((address, await ask(ModelServiceStub(channel))))
    return answers


async def _registry(context: Context, ask: Callable[[Any], Awaitable[Any]]) -> Any:
    """The answer of any endpoint: they share one registry."""
    addresses = await _endpoints(context)
    if not addresses:
        fail("the router knows no inference endpoint")
    async with open_channel(addresses[0]) as channel:
        return await ask(RegistryServiceStub(channel))


async def _endpoints(context: Context) -> list[str]:
    async with WeirClient(context.address("router")) as weir:
        return [each.name for each in await weir.list_backends() if each.kind == "inference"]


def _print_version(context: str, call: Callable[[Any], Awaitable[Any]]) -> None:
    async def ask(stub: Any) -> registry_pb.Version:
        version: registry_pb.Version = (await call(stub)).version
        return version

    _print_versions([run(context, lambda where: _registry(where, ask))])


def _print_versions(found: list[registry_pb.Version]) -> None:
    rows = [
        (
            *each.name.removeprefix("models/").split("/versions/"),
            each.status,
            each.task,
            each.domain or "-",
            f"{each.accuracy:g}" if each.HasField("accuracy") else "-",
            each.digest[:12],
        )
        for each in found
    ]
    print_table(["name", "version", "status", "task", "domain", "accuracy", "sha256"], rows)


def _print_changed(found: list[tuple[str, Model]]) -> None:
    rows = [(*_parts(model), _state(model), "pinned" if model.pinned else "-", where) for where, model in found]
    print_table(["name", "version", "state", "pinned", "endpoint"], rows)


def _parts(model: Model) -> tuple[str, str]:
    name, version = model.name.removeprefix("models/").split("/versions/")
    return name, f"{version}{'*' if model.is_default else ''}"


def _state(model: Model) -> str:
    return ModelState.Name(model.state).removeprefix("MODEL_STATE_")


def _resource(name: str, version: str) -> str:
    return f"models/{name}/versions/{version}" if version else f"models/{name}"


def _model(model: Model) -> dict[str, object]:
    return {
        "name": model.name,
        "default": model.is_default,
        "state": _state(model),
        "reason": model.reason,
        "failure": model.failure,
        "pinned": model.pinned,
        "loads": model.load_count,
        "loadSeconds": model.last_load_duration.ToTimedelta().total_seconds(),
        "residentBytes": model.resident_bytes,
        "inferences": model.inference_count,
        "runs": model.run_count,
        "providers": list(model.providers),
        "missingProviders": list(model.missing_providers),
    }
