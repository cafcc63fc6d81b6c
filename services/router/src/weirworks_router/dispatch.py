"""Sends a request's bytes to an inference endpoint, and to another one when that cannot take it."""

import time
from datetime import timedelta
from typing import Any

import grpc
from weirworks.errors.v1.reason_pb2 import ErrorReason
from weirworks_rpc import Call, WeirError, error_from_rpc, headers
from weirworks_rpc.errors import DeadlineExceeded

from weirworks_router.errors import NoEndpoint
from weirworks_router.fleet import Endpoint, Fleet

# One try more than this would add load where there is too much already.
_TRIES = 3
_RETRY = timedelta(seconds=1)
_ELSEWHERE = (ErrorReason.ERROR_REASON_QUEUE_FULL, ErrorReason.ERROR_REASON_DRAINING)


class Dispatcher:
    """Inference has no side effects, so a call that did not come back may be sent again."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def send(self, method: str, wire: bytes, call: Call) -> tuple[bytes, str, int]:
        """The answer's bytes, the endpoint's address and how many failed before.

        Raises the endpoint's own error where it is about the request, else NoEndpoint.
        """
        tried: list[tuple[str, str]] = []
        last: WeirError | None = None
        while len(tried) < _TRIES and not call.cancelled():
            endpoint = self._fleet.pick({address for address, _ in tried})
            if endpoint is None:
                break
            try:
                return await self._send(endpoint, method, wire, call), endpoint.address, len(tried)
            except grpc.aio.AioRpcError as error:
                last = error_from_rpc(error)
                self._judge(endpoint, last)
                tried.append((endpoint.address, last.reason_word))
        if last is not None and last.reason in _ELSEWHERE:
            raise last
        raise NoEndpoint("inference endpoint", tried, _RETRY)

    async def _send(self, endpoint: Endpoint, method: str, wire: bytes, call: Call) -> bytes:
        seconds = call.time_remaining().total_seconds()
        if seconds <= 0:
            raise DeadlineExceeded
        invoke: Any = endpoint.channel.unary_unary(method)
        with endpoint.busy():
            answer: bytes = await invoke(wire, timeout=seconds, metadata=headers(call.tenant))
        endpoint.breaker = endpoint.breaker.after_success()
        return answer

    def _judge(self, endpoint: Endpoint, error: WeirError) -> None:
        """Passes on errors that another endpoint would give as well."""
        if error.code is grpc.StatusCode.UNAVAILABLE:
            endpoint.breaker = endpoint.breaker.after_failure(time.monotonic())
        elif error.reason not in _ELSEWHERE:
            raise error
