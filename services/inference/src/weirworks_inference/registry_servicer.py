"""The registry's calls."""

from typing import TYPE_CHECKING

from weirworks.inference.v1 import registry_service_pb2 as pb
from weirworks_rpc import Call, NotOffered, Violation
from weirworks_rpc.requests import page_of, refuse

from weirworks_inference.convert import parse_model_name
from weirworks_inference.core.types import Signature, TensorSpec
from weirworks_inference.core.versions import ChangeRow, Description, Row, Status
from weirworks_inference.engine import Engine

if TYPE_CHECKING:
    from weirworks_inference.registry import Registry

_LONGEST = 100


class RegistryServicer:
    """Answers `weirworks.inference.v1.RegistryService`; without a database every call is UNIMPLEMENTED."""

    def __init__(self, engine: Engine, registry: "Registry | None") -> None:
        self._engine = engine
        self._registry = registry

    async def register_version(self, request: pb.RegisterVersionRequest, call: Call) -> pb.RegisterVersionResponse:
        registry = self._there(call)
        _check(request.status, request.actor, request.domain, _accuracy(request))
        name, version = _version_name(request.name)
        self._engine.residents.look()
        model = self._engine.find(name, version)
        with model.in_use():
            loaded = await self._engine.residents.load_now(model)
        signature = loaded.session.signature if loaded.session else Signature((), ())
        what = Description(
            model=model.name,
            version=model.version,
            task=loaded.card.task.value,
            digest=loaded.digest,
            path=f"{model.name}/{model.version}",
            domain=request.domain,
            inputs=[_text(spec) for spec in signature.inputs],
            outputs=[_text(spec) for spec in signature.outputs],
            accuracy=_accuracy(request),
        )
        row = await registry.register(what, Status(request.status or "inactive"), request.actor or call.tenant)
        await registry.refresh()
        return pb.RegisterVersionResponse(version=_version_pb(row))

    async def list_versions(self, request: pb.ListVersionsRequest, call: Call) -> pb.ListVersionsResponse:
        rows = await self._there(call).versions(_model_name(request.model))
        page, token = page_of(rows, request.page_size, request.page_token)
        return pb.ListVersionsResponse(versions=[_version_pb(row) for row in page], next_page_token=token)

    async def promote_version(self, request: pb.PromoteVersionRequest, call: Call) -> pb.PromoteVersionResponse:
        registry = self._there(call)
        _check("", request.actor)
        row = await registry.promote(*_version_name(request.name), request.actor or call.tenant)
        await registry.refresh()
        return pb.PromoteVersionResponse(version=_version_pb(row))

    async def rollback_model(self, request: pb.RollbackModelRequest, call: Call) -> pb.RollbackModelResponse:
        registry = self._there(call)
        _check("", request.actor)
        name, _ = parse_model_name(request.model)
        row = await registry.roll_back(name, request.actor or call.tenant)
        await registry.refresh()
        return pb.RollbackModelResponse(version=_version_pb(row))

    async def update_version(self, request: pb.UpdateVersionRequest, call: Call) -> pb.UpdateVersionResponse:
        registry = self._there(call)
        accuracy = _accuracy(request)
        _check(request.status, request.actor, "", accuracy)
        status = Status(request.status) if request.status else None
        row = await registry.update(*_version_name(request.name), status, accuracy, request.actor or call.tenant)
        await registry.refresh()
        return pb.UpdateVersionResponse(version=_version_pb(row))

    async def list_changes(self, request: pb.ListChangesRequest, call: Call) -> pb.ListChangesResponse:
        rows = await self._there(call).changes(_model_name(request.model))
        page, token = page_of(rows, request.page_size, request.page_token)
        return pb.ListChangesResponse(changes=[_change_pb(row) for row in page], next_page_token=token)

    def _there(self, call: Call) -> "Registry":
        if self._registry is None:
            raise NotOffered(call.method, "this server has no registry; set WEIRWORKS_INFERENCE_POSTGRES_URL")
        return self._registry


def _check(status: str, actor: str, domain: str = "", accuracy: float | None = None) -> None:
    problems = []
    if status not in ("", "inactive", "testing"):
        problems.append(Violation("status", "must be 'inactive' or 'testing'; a promotion makes a version active"))
    for field, text in (("actor", actor), ("domain", domain)):
        if len(text) > _LONGEST:
            problems.append(Violation(field, f"{len(text)} characters given; at most {_LONGEST}"))
    if accuracy is not None and not 0 <= accuracy <= 1:
        problems.append(Violation("accuracy", f"{accuracy:g} given; 0 to 1"))
    refuse(problems)


def _accuracy(request: pb.RegisterVersionRequest | pb.UpdateVersionRequest) -> float | None:
    return request.accuracy if request.HasField("accuracy") else None


def _version_name(name: str) -> tuple[str, str]:
    model, version = parse_model_name(name)
    if not version:
        refuse([Violation("name", "must name a version: models/<name>/versions/<version>")])
    return model, version


def _model_name(name: str) -> str:
    return parse_model_name(name)[0] if name else ""


def _text(spec: TensorSpec) -> str:
    shape = ", ".join(str(dimension) for dimension in spec.shape)
    return f"{spec.name} {spec.datatype} [{shape}]"


def _version_pb(row: Row) -> pb.Version:
    version = pb.Version(
        name=f"models/{row.model}/versions/{row.version}",
        task=row.task,
        status=row.status,
        digest=row.digest,
        path=row.path,
        domain=row.domain,
        inputs=row.inputs,
        outputs=row.outputs,
        accuracy=row.accuracy,
    )
    version.create_time.FromDatetime(row.create_time)
    if row.promote_time is not None:
        version.promote_time.FromDatetime(row.promote_time)
    return version


def _change_pb(row: ChangeRow) -> pb.Change:
    change = pb.Change(
        name=f"models/{row.model}/versions/{row.version}", action=row.action, detail=row.detail, actor=row.actor
    )
    change.change_time.FromDatetime(row.change_time)
    return change
