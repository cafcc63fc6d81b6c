"""One scaler, once: look, decide, act where that is allowed, and say what was found."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from weirworks_autoscaler.controller.cluster import Cluster
from weirworks_autoscaler.controller.managed import Managed
from weirworks_autoscaler.controller.status import Facts, changed, conditions, status
from weirworks_autoscaler.core.types import Decision, Reason
from weirworks_autoscaler.providers.kubernetes import ERRORS
from weirworks_autoscaler.providers.protocol import TargetUnavailable

log = logging.getLogger(__name__)
# What changes all the time, the load, is written this often.
_QUIET = timedelta(seconds=60)


class Reconciler:
    """Writes only while `leads`; a follower learns all the same, and so takes over with a warm memory."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def reconcile(self, managed: Managed, conflict: tuple[str, str] | None, leads: bool) -> None:
        """Raises nothing that has to do with one scaler alone."""
        now = datetime.now(UTC)
        facts = Facts(managed.resource.generation, managed.resource.spec, conflict=conflict, scaled=managed.scaled)
        if managed.invalid:
            facts = replace(facts, invalid=managed.invalid)
        else:
            facts = await self._decided(managed, facts, leads, now)
        if not leads:
            return
        try:
            await self._tell(managed, facts)
            await self._publish(managed, facts, now)
        except ERRORS as error:
            log.warning("status not written", extra={"scaler": _name(managed), "why": type(error).__name__})

    async def _decided(self, managed: Managed, facts: Facts, leads: bool, now: datetime) -> Facts:
        scaler, resource = managed.scaler, managed.resource
        await scaler.refresh(now)
        try:
            size = await scaler.look()
        except TargetUnavailable as error:
            return replace(facts, trouble=(error.reason, str(error)))
        facts = replace(facts, size=size)
        if managed.set is not None and size.replicas != managed.set and leads and facts.conflict is None:
            text = f"replicas were set from {managed.set} to {size.replicas} by somebody else"
            await self._event(managed, "Warning", "ManualChange", text)
        managed.set = size.replicas
        decision = await scaler.decide(now)
        decision, facts = self._governed(managed, decision, facts, now)
        if size.ready < size.replicas and decision.replicas >= size.replicas and size.selector:
            facts = await self._unscheduled(managed, facts)
            if facts.unschedulable and decision.replicas > size.replicas:
                # More pods without a node help nobody.
                decision = replace(decision, replicas=size.replicas)
        facts = replace(facts, decision=decision, desired=decision.replicas)
        if not leads or facts.conflict is not None or (resource.paused and resource.pinned is None):
            scaler.last = scaler.last and replace(scaler.last, decision=decision)
            return facts
        try:
            await scaler.act(decision, now)
        except TargetUnavailable as error:
            return replace(facts, trouble=(error.reason, str(error)))
        if decision.replicas != size.replicas:
            managed.set, managed.scaled = decision.replicas, now
            text = f"{size.replicas} → {decision.replicas} ({decision.reason}): {decision.message}"
            await self._event(managed, "Normal", "SuccessfulRescale", text)
            facts = replace(facts, scaled=now)
        return facts

    def _governed(self, managed: Managed, decision: Decision, facts: Facts, now: datetime) -> tuple[Decision, Facts]:
        """What the operator said stands above what was decided."""
        resource, size = managed.resource, managed.scaler.size
        if resource.pinned is not None:
            text = f"pinned to {resource.pinned} by its annotation"
            return replace(decision, replicas=resource.pinned), replace(facts, held=("Pinned", text))
        if resource.paused:
            return replace(decision, replicas=size.replicas), replace(facts, held=("Paused", "spec.paused is true"))
        if decision.reason is Reason.NO_DATA and resource.fallback is not None:
            until = managed.scaler.history.until
            if until is None or now - until > resource.fallback_after:
                return replace(decision, replicas=max(size.replicas, resource.fallback)), facts
        return decision, facts

    async def _unscheduled(self, managed: Managed, facts: Facts) -> Facts:
        try:
            count = await self._cluster.unschedulable(managed.resource.namespace, managed.scaler.size.selector)
        except ERRORS:
            return facts
        return replace(facts, unschedulable=count)

    async def _tell(self, managed: Managed, facts: Facts) -> None:
        """Events on what changed."""
        found = {kind: (holds, reason, message) for kind, holds, reason, message in conditions(facts)}
        for kind, event, bad in (
            ("Conflict", "TargetConflict", True),
            ("AbleToScale", "TargetUnavailable", False),
            ("ForecastValid", "ForecastDegraded", False),
            ("ScalingLimited", "ScalingLimited", True),
        ):
            if kind not in found:
                continue
            holds, reason, message = found[kind]
            shown = reason if holds is bad and reason not in ("Disabled", "TooLittleHistory") else ""
            if managed.news(kind, shown):
                await self._event(managed, "Warning", event, f"{reason}: {message}")
        if managed.news("held", facts.held[0] if facts.held else ""):
            assert facts.held is not None
            await self._event(managed, "Normal", facts.held[0], facts.held[1])
        if managed.news("invalid", facts.invalid):
            await self._event(managed, "Warning", "InvalidSpec", facts.invalid)

    async def _event(self, managed: Managed, kind: str, reason: str, message: str) -> None:
        try:
            await self._cluster.tell(managed.resource, kind, reason, message)
        except ERRORS as error:
            log.warning("event not written", extra={"scaler": _name(managed), "why": type(error).__name__})

    async def _publish(self, managed: Managed, facts: Facts, now: datetime) -> None:
        fresh = status(facts, managed.status, now)
        fresh["target"] = f"deployment/{managed.resource.target}"
        due = managed.status_written is None or now - managed.status_written > _QUIET
        if changed(managed.status, fresh) or (due and fresh != managed.status):
            await self._cluster.write_status(managed.resource, fresh)
            managed.status, managed.status_written = fresh, now


def conflicts(
    managed: Mapping[tuple[str, str], Managed], hpas: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], tuple[str, str]]:
    """Scaler → (reason, sentence), where somebody else resizes its target: an HPA, or an older scaler."""
    owners: dict[tuple[str, str], Managed] = {}
    found = {}
    for key, each in sorted(managed.items(), key=lambda pair: (pair[1].resource.created, pair[0])):
        if each.invalid:
            continue
        target = (each.resource.namespace, each.resource.target)
        label = f"deployment/{target[1]}"
        if target in hpas:
            text = f"HorizontalPodAutoscaler {hpas[target]} resizes {label} too; nothing is written while it does"
            found[key] = ("HorizontalPodAutoscaler", text)
        elif target in owners:
            text = f"InferenceScaler {owners[target].resource.name} is older and resizes {label}"
            found[key] = ("InferenceScaler", text)
        else:
            owners[target] = each
    return found


def _name(managed: Managed) -> str:
    return managed.resource.spec.name
