"""Raw calls, so that tests can send what no client would."""

from typing import Any

import grpc
from weirworks_rpc import WeirError, error_from_rpc, open_channel


async def call_bytes(address: str, method: str, wire: bytes, timeout: float = 10.0) -> bytes:
    """The answer's bytes. Raises the server's error as a WeirError."""
    async with open_channel(address) as channel:
        try:
            invoke: Any = channel.unary_unary(method)
            answer: bytes = await invoke(wire, timeout=timeout)
            return answer
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error


async def refusal(address: str, method: str, wire: bytes) -> WeirError:
    """The error of a call that must fail."""
    try:
        answer = await call_bytes(address, method, wire)
    except WeirError as error:
        return error
    raise AssertionError(f"{method} answered {len(answer)} bytes")
