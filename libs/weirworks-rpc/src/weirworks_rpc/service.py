"""Methods as bytes in, bytes out: pairs the methods of a proto service with plain handlers.

grpc.aio answers a message that does not decode as UNKNOWN with an exception's text, before any
handler runs. So nothing is decoded by grpc: `Method.decode` does it in our own code.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from weirworks_rpc.call import Call
from weirworks_rpc.errors import InvalidFields, NotOffered, Violation

# Request and response types differ by method; the descriptor pairs them, not the type checker.
Payload = Any
UnaryHandler = Callable[[Payload, Call], Awaitable[Payload]]
StreamHandler = Callable[[Payload, Call], AsyncIterator[Payload]]


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service, ready to be called with bytes."""

    path: str
    handler: UnaryHandler | StreamHandler
    request_type: type[Message] | None
    client_streaming: bool
    server_streaming: bool

    def decode(self, wire: bytes) -> Message | bytes:
        """The request; the bytes themselves for a method that is passed through.

        Raises `InvalidFields` when they are not a message of the method's type.
        """
        if self.request_type is None:
            return wire
        try:
            return self.request_type.FromString(wire)
        except (DecodeError, UnicodeDecodeError):
            name = self.request_type.DESCRIPTOR.full_name
            rule = f"the {len(wire)} bytes are not a {name}"
            raise InvalidFields([Violation("request", rule)]) from None


class Service:
    """The methods of one proto service, answered by the methods of `handlers` with snake_case names.

    Methods named in `raw` get and return bytes. A method that all `handlers` lack answers UNIMPLEMENTED.
    """

    def __init__(self, descriptor: ServiceDescriptor, *handlers: object, raw: frozenset[str] = frozenset()) -> None:
        self.name = descriptor.full_name
        self.methods = [_bind(method, handlers, method.name in raw) for method in descriptor.methods]


def encode(answer: Message | bytes) -> bytes:
    """The bytes of an answer."""
    return answer if isinstance(answer, bytes) else answer.SerializeToString()


def snake_case(name: str) -> str:
    """`ExplainRoute` → `explain_route`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _bind(method: MethodDescriptor, handlers: Sequence[object], raw: bool) -> Method:
    path = f"/{method.containing_service.full_name}/{method.name}"
    name = snake_case(method.name)
    handler = next((getattr(each, name) for each in handlers if hasattr(each, name)), None)
    if handler is None:
        handler = _absent_stream(path) if method.server_streaming else _absent(path)
    request_type = None if raw else GetMessageClass(method.input_type)
    return Method(path, handler, request_type, method.client_streaming, method.server_streaming)


def _absent(path: str) -> UnaryHandler:
    async def refuse(_request: object, _call: Call) -> Message:
        raise NotOffered(path)

    return refuse


def _absent_stream(path: str) -> StreamHandler:
    def refuse(_request: object, _call: Call) -> AsyncIterator[Message]:
        raise NotOffered(path)

    return refuse
