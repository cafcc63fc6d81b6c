"""What happens around every call: identity, deadline, metrics, tracing.

An interceptor has a `begin` before the handler and an `end` after it, in reverse order, whatever
happened. Both are plain functions, so that unary and streaming calls, and any transport, share them.
"""

import re
import time
from dataclasses import dataclass
from typing import Protocol

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from weirworks_rpc.call import CallState
from weirworks_rpc.errors import DeadlineExceeded, InvalidIdentity, WeirError

_TENANT = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
DEFAULT_TENANT = "default"


class Interceptor(Protocol):
    """Something that happens around every call."""

    def begin(self, call: CallState) -> None:
        """Runs before the handler; may raise a `WeirError`, which ends the call."""

    def end(self, call: CallState, error: WeirError | None) -> None:
        """Runs after the handler if `begin` ran; must not raise."""


class Identity:
    """Sets the tenant. The header counts in development only: there is no verified identity yet."""

    def begin(self, call: CallState) -> None:
        tenant = call.metadata.get("weirworks-tenant", DEFAULT_TENANT)
        if not _TENANT.fullmatch(tenant):
            raise InvalidIdentity("1 to 63 of a-z, 0-9, '.', '_', '-', beginning and ending with a letter or digit")
        call.tenant = tenant

    def end(self, call: CallState, error: WeirError | None) -> None:
        pass


class Deadline:
    """Refuses a call whose time is already over, before any work is done for it."""

    def begin(self, call: CallState) -> None:
        if call.deadline <= time.monotonic():
            raise DeadlineExceeded

    def end(self, call: CallState, error: WeirError | None) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Rpc:
    """The metrics of a server's calls. Labels are closed sets: known methods, codes, reasons."""

    handled: Counter
    duration: Histogram
    in_flight: Gauge

    @classmethod
    def on(cls, registry: CollectorRegistry) -> "Rpc":
        return cls(
            Counter(
                "weirworks_rpc_handled",
                "Calls answered, by method, code and error reason.",
                ["method", "code", "reason"],
                registry=registry,
            ),
            Histogram(
                "weirworks_rpc_duration_seconds",
                "Time in the server.",
                ["method"],
                buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
                registry=registry,
            ),
            Gauge("weirworks_rpc_in_flight", "Calls being answered.", ["method"], registry=registry),
        )


class Metrics:
    """Counts and times calls. Finding a metric by its labels costs more than counting, so what was found is kept."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rpc = Rpc.on(registry)
        self._by_method: dict[str, tuple[Gauge, Histogram]] = {}
        self._handled: dict[tuple[str, str, str], Counter] = {}

    def begin(self, call: CallState) -> None:
        self._of(call.method)[0].inc()

    def end(self, call: CallState, error: WeirError | None) -> None:
        in_flight, duration = self._of(call.method)
        in_flight.dec()
        duration.observe(time.monotonic() - call.started)
        labels = (call.method, error.code.name, error.reason_word) if error else (call.method, "OK", "")
        handled = self._handled.get(labels)
        if handled is None:
            handled = self._handled[labels] = self._rpc.handled.labels(*labels)
        handled.inc()

    def _of(self, method: str) -> tuple[Gauge, Histogram]:
        found = self._by_method.get(method)
        if found is None:
            found = self._rpc.in_flight.labels(method), self._rpc.duration.labels(method)
            self._by_method[method] = found
        return found


class Tracing:
    """One server span per call, in the caller's trace."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("weirworks.rpc")

    def begin(self, call: CallState) -> None:
        service, _, method = call.method.lstrip("/").partition("/")
        span = self._tracer.start_span(
            f"{service}/{method}",
            context=propagate.extract(dict(call.metadata)),
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
        )
        token = otel_context.attach(trace.set_span_in_context(span))
        call.notes["tracing"] = (span, token)

    def end(self, call: CallState, error: WeirError | None) -> None:
        noted = call.notes.get("tracing")
        if not isinstance(noted, tuple):
            return
        span, token = noted
        otel_context.detach(token)
        if error is not None:
            span.set_attribute("weirworks.reason", error.reason_word)
            span.set_status(StatusCode.ERROR)
        span.end()
