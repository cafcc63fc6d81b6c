"""Domain → proto, and what answers depend on; pure."""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256

from weirworks.cache.v1.entry_pb2 import EntryKey
from weirworks.router.v1 import generate_pb2, route_pb2

from weirworks_router.core.types import Plan
from weirworks_router.generation import Attempt, Run
from weirworks_router.journal import Record
from weirworks_router.providers.protocol import Prompt

_DEFAULT_TOKENS = 512


def local_route_pb(record: Record) -> route_pb2.Route:
    """The route of a picture or a text."""
    return route_pb2.Route(
        decision_id=record.decision_id,
        backend=record.backend,
        kind=record.kind or "",
        reason=record.reason or "",
        confidence=1.0,
        expected_cost_usd=record.cost,
    )


def plan_pb(plan: Plan, decision_id: str = "") -> route_pb2.Route:
    """The route of a prompt."""
    route = route_pb2.Route(
        decision_id=decision_id,
        backend=plan.order[0] if plan.order else "",
        kind="provider",
        reason=plan.reason,
        score=plan.complexity.score,
        confidence=plan.confidence,
        expected_cost_usd=plan.expected_cost,
        fallbacks=plan.order[1:],
        features=[route_pb2.Feature(name=name, points=points) for name, points in plan.complexity.features.items()],
        band=plan.band,
    )
    route.expected_latency.FromTimedelta(timedelta(seconds=plan.expected_latency))
    return route


def answer_pb(text: str, run: Run, record: Record, route: route_pb2.Route) -> generate_pb2.GenerateResponse:
    """The answer to a prompt, or the summary of a stream."""
    response = generate_pb2.GenerateResponse(
        text=text,
        route=route,
        attempts=[_attempt_pb(attempt) for attempt in run.attempts],
        usage=generate_pb2.Usage(
            input_tokens=run.completion.input_tokens,
            output_tokens=run.completion.output_tokens,
            cost_usd=record.cost,
        ),
    )
    response.duration.FromTimedelta(max(timedelta(0), record.elapsed()))
    return response


def prompt_of(request: generate_pb2.GenerateRequest) -> Prompt:
    """The prompt of a checked request."""
    temperature = request.temperature if request.HasField("temperature") else None
    return Prompt(request.prompt, request.system_prompt, request.max_output_tokens or _DEFAULT_TOKENS, temperature)


def prompt_key(request: generate_pb2.GenerateRequest) -> EntryKey:
    """What the answer to a prompt depends on: all of it, and not which backend answers."""
    prompt = prompt_of(request)
    return entry_key(
        "generate",
        "",
        "",
        {"system": prompt.system, "max_output_tokens": str(prompt.max_output_tokens), "temperature": _number(prompt)},
        sha256(prompt.text.encode()).digest(),
    )


def entry_key(operation: str, model: str, version: str, parameters: Mapping[str, str], digest: bytes) -> EntryKey:
    """The key of an answer."""
    return EntryKey(
        operation=operation, model=model, model_version=version, parameters=dict(parameters), input_digest=digest
    )


def _number(prompt: Prompt) -> str:
    return "" if prompt.temperature is None else f"{prompt.temperature:.6g}"


def _attempt_pb(attempt: Attempt) -> route_pb2.Attempt:
    answer = route_pb2.Attempt(backend=attempt.backend, outcome=attempt.outcome)
    answer.duration.FromTimedelta(timedelta(seconds=attempt.seconds))
    return answer
