"""One InferenceScaler in the controller's hands."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from weirworks_autoscaler.controller.resource import Resource
from weirworks_autoscaler.scaler import Scaler

# Given a resource, what decides for it.
MakeScaler = Callable[[Resource], Scaler]


@dataclass(slots=True)
class Managed:
    """The newest version of the resource, what decides for it, and what was told of it."""

    resource: Resource
    scaler: Scaler
    # Set while the newest version is against the rules; the version before then goes on to count.
    invalid: str = ""
    status: dict[str, Any] = field(default_factory=dict)
    status_written: datetime | None = None
    # The count that was set last; None before the first look.
    set: int | None = None
    scaled: datetime | None = None
    # Reasons of the events that were told last, by what they are about.
    told: dict[str, str] = field(default_factory=dict)

    def renew(self, resource: Resource, make: MakeScaler) -> None:
        """Takes over a new version. What was learned stays unless the target or its terms are others."""
        self.invalid = ""
        before = self.resource
        self.resource = resource
        if resource.spec == before.spec and resource.target == before.target:
            return
        fresh = make(resource)
        if resource.target == before.target and resource.spec.model == before.spec.model:
            fresh.history = self.scaler.history
        fresh.entries = self.scaler.entries
        self.scaler = fresh

    def news(self, about: str, reason: str) -> bool:
        """Whether `reason` is another than was told last; empty when there is nothing to tell any more."""
        if self.told.get(about, "") == reason:
            return False
        self.told[about] = reason
        return bool(reason)
