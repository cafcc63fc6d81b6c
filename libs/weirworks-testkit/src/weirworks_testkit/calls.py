"""Raw calls, so that tests can send what no client would."""

from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from numpy.typing import NDArray
from weirworks_rpc import WeirError, error_from_rpc, open_channel
from weirworks_rpc.oip import messages

M = TypeVar("M", bound=Message)


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


async def ask(address: str, method: str, request: Message, answer: type[M], timeout: float = 30.0) -> M:
    """One unary call with messages. Raises the server's error as a WeirError."""
    return answer.FromString(await call_bytes(address, method, request.SerializeToString(), timeout))


def tensor_request(model: str, datatype: str = "FP32", **arrays: NDArray[Any]) -> messages.ModelInferRequest:
    """A ModelInferRequest with raw contents."""
    request = messages.ModelInferRequest(model_name=model, id="42")
    for name, array in arrays.items():
        request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
    return request
