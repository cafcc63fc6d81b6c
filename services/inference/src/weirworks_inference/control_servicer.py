"""Triton's extensions that look at and steer the server: repository, statistics, log and trace settings."""

import logging

from weirworks_rpc import Call, InvalidFields, NotOffered, Violation
from weirworks_rpc.oip import messages

from weirworks_inference.core.residency import Reason
from weirworks_inference.core.statistics import Statistics, Tally
from weirworks_inference.core.types import State
from weirworks_inference.engine import Engine
from weirworks_inference.model import Model

_STATES = {
    State.LOADABLE: "AVAILABLE",
    State.LOADING: "LOADING",
    State.READY: "READY",
    State.FAILED: "UNAVAILABLE",
    State.WITHDRAWN: "UNAVAILABLE",
}
_NO_SHARED_MEMORY = "send tensors in the message; this server maps no memory of callers"


class ControlServicer:
    """Answers the other half of `inference.GRPCInferenceService`."""

    def __init__(self, engine: Engine, trace_ratio: float) -> None:
        self._engine = engine
        self._trace_ratio = trace_ratio

    async def repository_index(
        self, request: messages.RepositoryIndexRequest, _call: Call
    ) -> messages.RepositoryIndexResponse:
        """READY is in memory; AVAILABLE, our own word, is loaded by the first request."""
        _one_repository(request.repository_name)
        self._engine.residents.look()
        response = messages.RepositoryIndexResponse()
        for model in self._engine.residents.shelf.models():
            if request.ready and not model.ready:
                continue
            response.models.add(
                name=model.name, version=model.version, state=_STATES[model.state], reason=_reason(model)
            )
        return response

    async def repository_model_load(
        self, request: messages.RepositoryModelLoadRequest, _call: Call
    ) -> messages.RepositoryModelLoadResponse:
        """Loads the default version, anew when it is in memory."""
        _one_repository(request.repository_name)
        if request.parameters:
            names = ", ".join(sorted(request.parameters))
            why = "a model is described by its files and card.toml alone; change them and load again"
            raise NotOffered(f"RepositoryModelLoad with {names}", why)
        model = self._engine.find(request.model_name, "")
        self._engine.residents.restore(model.name)
        if model.loaded is not None:
            await self._engine.residents.reload(model)
        else:
            await self._engine.residents.load_now(model)
        return messages.RepositoryModelLoadResponse()

    async def repository_model_unload(
        self, request: messages.RepositoryModelUnloadRequest, _call: Call
    ) -> messages.RepositoryModelUnloadResponse:
        """Takes every version out until it is loaded again, as with Triton's explicit control."""
        _one_repository(request.repository_name)
        self._engine.find(request.model_name, "")
        shelf = self._engine.residents.shelf
        for version in shelf.versions(request.model_name):
            model = shelf.known(request.model_name, version)
            if model is not None:
                await self._engine.residents.unload(model, Reason.OPERATOR, withdraw=True)
        return messages.RepositoryModelUnloadResponse()

    async def model_statistics(
        self, request: messages.ModelStatisticsRequest, _call: Call
    ) -> messages.ModelStatisticsResponse:
        if request.name:
            self._engine.find(request.name, request.version)
        self._engine.ledger.settle()
        response = messages.ModelStatisticsResponse()
        for model in self._engine.residents.shelf.models():
            if request.name in ("", model.name) and request.version in ("", model.version):
                response.model_stats.append(_statistics_pb(model))
        return response

    async def log_settings(self, request: messages.LogSettingsRequest, _call: Call) -> messages.LogSettingsResponse:
        """`log_verbose_level`, `log_info` and `log_warning` set one level for the whole process."""
        root = logging.getLogger()
        level = _level(request)
        if level is not None:
            root.setLevel(level)
        response = messages.LogSettingsResponse()
        now = root.getEffectiveLevel()
        response.settings["log_file"].string_param = ""
        response.settings["log_info"].bool_param = now <= logging.INFO
        response.settings["log_warning"].bool_param = now <= logging.WARNING
        response.settings["log_error"].bool_param = True
        response.settings["log_verbose_level"].uint32_param = 1 if now <= logging.DEBUG else 0
        response.settings["log_format"].string_param = "json"
        return response

    async def trace_setting(self, request: messages.TraceSettingRequest, _call: Call) -> messages.TraceSettingResponse:
        """Traces go to telemetry by OTLP; how many is a setting of the process and cannot be changed here."""
        if request.model_name:
            self._engine.find(request.model_name, "")
        if any(value.value for value in request.settings.values()):
            raise NotOffered("changing trace settings", "set WEIRWORKS_INFERENCE_TRACE_RATIO and restart")
        response = messages.TraceSettingResponse()
        on = self._trace_ratio > 0
        response.settings["trace_level"].value.append("TIMESTAMPS" if on else "OFF")
        response.settings["trace_rate"].value.append(str(round(1 / self._trace_ratio)) if on else "0")
        response.settings["trace_count"].value.append("-1")
        response.settings["log_frequency"].value.append("0")
        response.settings["trace_mode"].value.append("opentelemetry")
        return response

    async def system_shared_memory_status(self, _request: object, call: Call) -> object:
        raise NotOffered(call.method, _NO_SHARED_MEMORY)

    system_shared_memory_register = system_shared_memory_status
    system_shared_memory_unregister = system_shared_memory_status
    cuda_shared_memory_status = system_shared_memory_status
    cuda_shared_memory_register = system_shared_memory_status
    cuda_shared_memory_unregister = system_shared_memory_status


def _one_repository(name: str) -> None:
    if name:
        raise InvalidFields([Violation("repository_name", "must be empty: there is one repository")])


def _reason(model: Model) -> str:
    if model.state is State.WITHDRAWN:
        return "unloaded"
    return model.failure or (model.unload_reason if model.state is State.LOADABLE else "")


def _level(request: messages.LogSettingsRequest) -> int | None:
    """The level that the settings come to; None when they set none. Raises InvalidFields."""
    settings = request.settings
    problems = [
        Violation(f"settings[{name}]", "cannot be set: logs are JSON lines on stderr")
        for name in sorted(settings)
        if name in ("log_file", "log_format") and settings[name].string_param not in ("", "json", "default")
    ]
    known = {"log_file", "log_format", "log_info", "log_warning", "log_error", "log_verbose_level"}
    problems += [Violation(f"settings[{name}]", "unknown setting") for name in sorted(set(settings) - known)]
    if "log_error" in settings and not settings["log_error"].bool_param:
        problems.append(Violation("settings[log_error]", "errors are always logged"))
    if problems:
        raise InvalidFields(problems)
    if "log_verbose_level" in settings and settings["log_verbose_level"].uint32_param > 0:
        return logging.DEBUG
    if "log_info" in settings:
        return logging.INFO if settings["log_info"].bool_param else logging.WARNING
    if "log_warning" in settings:
        return logging.WARNING if settings["log_warning"].bool_param else logging.ERROR
    return logging.INFO if "log_verbose_level" in settings else None


def _statistics_pb(model: Model) -> messages.ModelStatistics:
    own: Statistics = model.statistics
    answer = messages.ModelStatistics(
        name=model.name,
        version=model.version,
        last_inference=own.last_use_milliseconds,
        inference_count=own.rows,
        execution_count=own.runs,
    )
    pairs = (
        ("success", own.success),
        ("fail", own.fail),
        ("queue", own.queue),
        ("compute_input", own.prepare),
        ("compute_infer", own.run),
        ("compute_output", own.finish),
    )
    for name, tally in pairs:
        _fill(getattr(answer.inference_stats, name), tally)
    for rows, batch in sorted(own.batches.items()):
        entry = answer.batch_stats.add(batch_size=rows)
        _fill(entry.compute_input, batch.prepare)
        _fill(entry.compute_infer, batch.run)
        _fill(entry.compute_output, batch.finish)
    if model.loaded is not None:
        answer.memory_usage.add(type="CPU", id=0, byte_size=model.size.host)
        if model.size.device:
            answer.memory_usage.add(type="GPU", id=0, byte_size=model.size.device)
    return answer


def _fill(duration: messages.StatisticDuration, tally: Tally) -> None:
    duration.count, duration.ns = tally.count, tally.nanoseconds
