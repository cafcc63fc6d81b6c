"""The Open Inference Protocol, passed through as bytes: no tensor is parsed here."""

from collections.abc import AsyncIterator

from weirworks_rpc import Call, InvalidFields, Violation, WeirError
from weirworks_rpc.oip import SERVICE, messages
from weirworks_rpc.streams import in_order

from weirworks_router.convert import entry_key
from weirworks_router.core.wire import NotAMessage, infer_head, with_id
from weirworks_router.dispatch import Dispatcher
from weirworks_router.fleet import Fleet
from weirworks_router.journal import Record
from weirworks_router.local import Ask, LocalRoute

RAW = frozenset(method.name for method in SERVICE.methods)
_INFER = f"/{SERVICE.full_name}/ModelInfer"
# Requests of one stream that are on their way at once; more wait in the transport.
_AT_ONCE = 64


class OipServicer:
    """Answers `inference.GRPCInferenceService`; every request and answer is bytes."""

    def __init__(self, local: LocalRoute, dispatcher: Dispatcher, fleet: Fleet, cached: bool) -> None:
        self._local = local
        self._dispatcher = dispatcher
        self._fleet = fleet
        self._cached = cached

    async def server_live(self, _wire: bytes, _call: Call) -> bytes:
        return bytes(messages.ServerLiveResponse(live=True).SerializeToString())

    async def server_ready(self, _wire: bytes, _call: Call) -> bytes:
        """True when there is an endpoint to send to."""
        ready = bool(self._fleet.endpoints())
        return bytes(messages.ServerReadyResponse(ready=ready).SerializeToString())

    async def server_metadata(self, wire: bytes, call: Call) -> bytes:
        return await self._pass(wire, call)

    async def model_ready(self, wire: bytes, call: Call) -> bytes:
        return await self._pass(wire, call)

    async def model_metadata(self, wire: bytes, call: Call) -> bytes:
        return await self._pass(wire, call)

    async def model_config(self, wire: bytes, call: Call) -> bytes:
        return await self._pass(wire, call)

    async def model_stream_infer(self, wires: AsyncIterator[bytes], call: Call) -> AsyncIterator[bytes]:
        """Each request of a stream goes its own way; answers come in the order of the requests."""
        async for answer in in_order(wires, lambda wire: self._streamed(wire, call), _AT_ONCE):
            yield answer

    async def _streamed(self, wire: bytes, call: Call) -> bytes:
        answer = messages.ModelStreamInferResponse()
        try:
            answer.infer_response.MergeFromString(await self.model_infer(wire, call))
        except WeirError as error:
            answer.error_message = f"{error.code.name}: {error.message}"
            answer.infer_response.id = _request_id(wire)
        return bytes(answer.SerializeToString())

    async def model_infer(self, wire: bytes, call: Call) -> bytes:
        try:
            head = infer_head(wire)
        except NotAMessage:
            rule = f"the {len(wire)} bytes are not a inference.ModelInferRequest"
            raise InvalidFields([Violation("request", rule)]) from None
        record = Record("infer", head.model, head.digest)
        key = entry_key("infer", head.model, head.version, {}, head.digest) if self._cached else None
        answer = await self._local.answer(Ask(_INFER, wire, record, key), call)
        return with_id(answer.wire, head.request_id) if answer.cached else answer.wire

    async def _pass(self, wire: bytes, call: Call) -> bytes:
        answer, _endpoint, _fallbacks = await self._dispatcher.send(call.method, wire, call)
        return answer


def _request_id(wire: bytes) -> str:
    try:
        return infer_head(wire).request_id
    except NotAMessage:
        return ""
