"""Answers `weirworks.autoscaler.v1.AutoscalerService`."""

from collections.abc import Sequence

from weirworks.autoscaler.v1 import autoscaler_service_pb2 as service_pb2
from weirworks.autoscaler.v1.scaler_pb2 import Forecast
from weirworks_rpc import Call, InvalidFields, Violation
from weirworks_rpc.errors import NotFound
from weirworks_rpc.requests import moment, page_of

from weirworks_autoscaler.convert import decision_pb, forecast_pb, scaler_pb
from weirworks_autoscaler.scaler import Scaler

_PREFIX = "scalers/"


class AutoscalerServicer:
    """Reads what the loop wrote; changes nothing."""

    def __init__(self, scalers: Sequence[Scaler]) -> None:
        self._scalers = scalers

    async def list_scalers(
        self, request: service_pb2.ListScalersRequest, _call: Call
    ) -> service_pb2.ListScalersResponse:
        scalers = sorted(self._scalers, key=lambda each: each.spec.name)
        page, token = page_of(scalers, request.page_size, request.page_token)
        return service_pb2.ListScalersResponse(scalers=[scaler_pb(each) for each in page], next_page_token=token)

    async def get_scaler(self, request: service_pb2.GetScalerRequest, _call: Call) -> service_pb2.GetScalerResponse:
        return service_pb2.GetScalerResponse(scaler=scaler_pb(self._find(request.name)))

    async def get_forecast(
        self, request: service_pb2.GetForecastRequest, _call: Call
    ) -> service_pb2.GetForecastResponse:
        scaler = self._find(request.name)
        if scaler.last is None:
            return service_pb2.GetForecastResponse(forecast=Forecast())
        forecast = forecast_pb(await scaler.forecast(), scaler.last.time)
        return service_pb2.GetForecastResponse(forecast=forecast)

    async def list_decisions(
        self, request: service_pb2.ListDecisionsRequest, _call: Call
    ) -> service_pb2.ListDecisionsResponse:
        scaler = self._find(request.name)
        since = moment(request.start_time, "start_time") if request.HasField("start_time") else None
        page, token = page_of(scaler.newest_first(since), request.page_size, request.page_token)
        decisions = [decision_pb(scaler.spec.name, entry) for entry in page]
        return service_pb2.ListDecisionsResponse(decisions=decisions, next_page_token=token)

    def _find(self, name: str) -> Scaler:
        if not name.startswith(_PREFIX):
            raise InvalidFields([Violation("name", "must be scalers/<name>")])
        for scaler in self._scalers:
            if scaler.spec.name == name.removeprefix(_PREFIX):
                return scaler
        raise NotFound("scaler", name)
