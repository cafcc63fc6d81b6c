"""Runs gRPC servers and opens channels, so that services hold plain async functions only.

A handler is `async def method(request, call)`; it sees a `Call`, never a grpc context, and raises
`WeirError`s. Everything between the wire and the handler lives here.
"""

from weirworks_rpc.call import Call
from weirworks_rpc.channel import ChannelOptions, headers, open_channel
from weirworks_rpc.errors import InvalidFields, NotOffered, Violation, WeirError
from weirworks_rpc.server import Server, ServerOptions
from weirworks_rpc.service import Service
from weirworks_rpc.status import error_from_rpc

__all__ = [
    "Call",
    "ChannelOptions",
    "InvalidFields",
    "NotOffered",
    "Server",
    "ServerOptions",
    "Service",
    "Violation",
    "WeirError",
    "error_from_rpc",
    "headers",
    "open_channel",
]
