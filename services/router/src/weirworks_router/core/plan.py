"""Picks the backend of a prompt and its ordered fallbacks, with the reason."""

from collections.abc import Mapping

from weirworks_router.core.complexity import complexity
from weirworks_router.core.experiment import assigned
from weirworks_router.core.types import BackendView, Band, Plan, Reason, Thresholds

_REASONS = {
    Band.LOCAL: Reason.SIMPLE_PROMPT,
    Band.EXPERIMENT: Reason.EXPERIMENT_ARM,
    Band.PROVIDER: Reason.COMPLEX_PROMPT,
}
# Of English and Turkish prose; only for the expected cost, the real one comes from the provider's count.
_CHARACTERS_PER_TOKEN = 4
_EXPECTED_OUTPUT_TOKENS = 200


def plan(prompt: str, subject: str, thresholds: Thresholds, backends: Mapping[str, BackendView]) -> Plan:
    """The plan for a prompt; `subject` decides its arm where the band is an experiment.

    Backends that rest come last: they are still tried when nothing else is left.
    """
    difficulty = complexity(prompt)
    band = band_of(difficulty.score, thresholds)
    listed = [name for name in thresholds.order.get(band, ()) if name in backends]
    others = [name for name in backends if name not in listed]
    reason = _REASONS[band]
    if band is Band.EXPERIMENT and listed:
        arm = assigned(subject, listed)
        listed = [arm, *(name for name in listed if name != arm)]
    order = [*listed, *others]
    awake = [name for name in order if not backends[name].resting]
    ranked = (*awake, *(name for name in order if backends[name].resting))
    if not ranked:
        reason = Reason.NO_BACKEND
    elif ranked[0] != order[0]:
        reason = Reason.BACKEND_RESTING
    first = backends[ranked[0]] if ranked else None
    tokens = max(1, len(prompt) // _CHARACTERS_PER_TOKEN)
    return Plan(
        order=ranked,
        band=band,
        reason=reason,
        complexity=difficulty,
        confidence=_confidence(difficulty.score, thresholds),
        expected_latency=first.latency if first else 0.0,
        expected_cost=first.price.of(tokens, _EXPECTED_OUTPUT_TOKENS) if first else 0.0,
    )


def band_of(score: float, thresholds: Thresholds) -> Band:
    """The band of a score; a border belongs to the harder band."""
    if score >= thresholds.provider_from:
        return Band.PROVIDER
    return Band.EXPERIMENT if score >= thresholds.experiment_from else Band.LOCAL


def _confidence(score: float, thresholds: Thresholds) -> float:
    """Distance to the nearest border over the widest that there can be on that side, 0 to 1."""
    low, high = thresholds.experiment_from, thresholds.provider_from
    if score < low:
        return round((low - score) / low, 3) if low else 0.0
    if score >= high:
        return round(min(1.0, (score - high) / max(1e-9, 100 - high)), 3)
    return round(min(score - low, high - score) / max(1e-9, (high - low) / 2), 3)
