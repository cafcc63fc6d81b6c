"""What a handler may know of the call it answers, whatever transport brought it."""

import time
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol


class Call(Protocol):
    """The circumstances of one request."""

    @property
    def method(self) -> str:
        """Full name: `/weirworks.router.v1.RouterService/Generate`."""

    @property
    def request_id(self) -> str:
        """Unique; taken from the `x-request-id` header where a caller sends one."""

    @property
    def tenant(self) -> str:
        """Whose request it is."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Text headers; of repeated ones the last."""

    def time_remaining(self) -> timedelta:
        """Time until the deadline; every call has one. Never negative."""

    def cancelled(self) -> bool:
        """True once nobody waits for the answer any more."""


class CallState:
    """The call as the server keeps it; interceptors write it, handlers see the `Call` in it."""

    __slots__ = ("_cancelled", "_request_id", "deadline", "metadata", "method", "notes", "started", "tenant")

    def __init__(self, method: str, metadata: Mapping[str, str], seconds: float) -> None:
        self.method = method
        self.metadata = metadata
        self._request_id = metadata.get("x-request-id", "")
        self.tenant = ""
        self.started = time.monotonic()
        self.deadline = self.started + seconds
        # What interceptors keep between begin and end, each under its own key.
        self.notes: dict[str, object] = {}
        self._cancelled = False

    @property
    def request_id(self) -> str:
        # Made when somebody asks: most calls end without one.
        self._request_id = self._request_id or uuid.uuid4().hex
        return self._request_id

    def time_remaining(self) -> timedelta:
        return timedelta(seconds=max(0.0, self.deadline - time.monotonic()))

    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        self._cancelled = True
