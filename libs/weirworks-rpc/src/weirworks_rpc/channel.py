"""Channels with limits and keepalive, and the headers that every call carries."""

from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry import propagate


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """How a channel behaves."""

    max_message_bytes: int = 64 * 1024 * 1024
    # Long enough not to upset a server's ping limits, short enough to notice a dead peer.
    keepalive_ms: int = 60_000
    # A service that was away is tried again soon: it usually restarts within seconds.
    max_reconnect_backoff_ms: int = 1_000


def open_channel(address: str, options: ChannelOptions | None = None) -> grpc.aio.Channel:
    """An asyncio channel to `host:port` or a `dns:///` name, spread over its addresses."""
    chosen = options or ChannelOptions()
    arguments: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", chosen.max_message_bytes),
        ("grpc.max_send_message_length", chosen.max_message_bytes),
        ("grpc.keepalive_time_ms", chosen.keepalive_ms),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", chosen.max_reconnect_backoff_ms),
        ("grpc.lb_policy_name", "round_robin"),
        # Channels that share a connection share its backoff too: one dead try would rest them all.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
    ]
    return grpc.aio.insecure_channel(address, options=arguments)


def headers(tenant: str | None = None) -> list[tuple[str, str]]:
    """The headers of an outgoing call: the trace that is running, and the tenant.

    Passed with each call: a client interceptor would do it too, at several times the cost of the rest.
    """
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    if tenant is not None:
        carrier["weirworks-tenant"] = tenant
    return list(carrier.items())
