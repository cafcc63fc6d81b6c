"""The calls that answer prompts, whole and streamed, with the cache before the backends."""

from collections.abc import AsyncIterator
from hashlib import sha256

from google.protobuf.message import DecodeError
from weirworks.cache.v1.entry_pb2 import EntryKey
from weirworks.router.v1.generate_pb2 import GenerateRequest, GenerateResponse, GenerateStreamResponse
from weirworks.router.v1.route_pb2 import Route
from weirworks_rpc import Call, WeirError

from weirworks_router.cache_edge import CacheEdge, Look
from weirworks_router.convert import answer_pb, plan_pb, prompt_key, prompt_of
from weirworks_router.core.types import Kind, Reason
from weirworks_router.generation import Generation, Run
from weirworks_router.journal import Journal, Record
from weirworks_router.validate import check_generate


class Prompts:
    """Answers `Generate` and `GenerateStream`."""

    def __init__(self, generation: Generation, cache: CacheEdge | None, journal: Journal, cached: bool) -> None:
        self._generation = generation
        self._cache = cache if cached else None
        self._journal = journal

    async def generate(self, request: GenerateRequest, call: Call) -> GenerateResponse:
        """A whole answer; the record of it is kept before it goes out."""
        check_generate(request)
        record = _record(request)
        run = Run(self._generation.plan(request.prompt, call.tenant))
        key, look = await self._look_up(request, call)
        try:
            hit = _hit(look, record)
            if hit is None:
                text = await self._generation.complete(run, prompt_of(request), record, call)
                response = answer_pb(text, run, record, plan_pb(run.plan, record.decision_id))
                self._keep(key, look, response, call)
            else:
                response = hit
        except BaseException as error:
            self._gave_up(key, look, record, call, error)
            raise
        self._journal.write(record, call)
        return response

    async def stream(self, request: GenerateRequest, call: Call) -> AsyncIterator[GenerateStreamResponse]:
        """The route, pieces, a summary."""
        check_generate(request)
        record = _record(request)
        run = Run(self._generation.plan(request.prompt, call.tenant))
        key, look = await self._look_up(request, call)
        try:
            hit = _hit(look, record)
            if hit is not None:
                yield GenerateStreamResponse(route=hit.route)
                yield GenerateStreamResponse(text=hit.text)
                summary = hit
            else:
                route = plan_pb(run.plan, record.decision_id)
                yield GenerateStreamResponse(route=route)
                pieces = []
                async for piece in self._generation.stream(run, prompt_of(request), record, call):
                    pieces.append(piece)
                    yield GenerateStreamResponse(text=piece)
                summary = answer_pb("".join(pieces), run, record, route)
                self._keep(key, look, summary, call)
        except BaseException as error:
            self._gave_up(key, look, record, call, error)
            raise
        self._journal.write(record, call)
        summary.text = ""
        yield GenerateStreamResponse(summary=summary)

    async def _look_up(self, request: GenerateRequest, call: Call) -> tuple[EntryKey | None, Look]:
        # A caller that asks for variety gets it: only answers at the model's own or zero temperature recur.
        if self._cache is None or request.skip_cache or request.temperature > 0:
            return None, Look()
        key = prompt_key(request)
        return key, await self._cache.look_up_slow(key, call)

    def _keep(self, key: EntryKey | None, look: Look, response: GenerateResponse, call: Call) -> None:
        if self._cache is not None and key is not None:
            kept = GenerateResponse(text=response.text, route=response.route, usage=response.usage)
            self._cache.store(key, kept.SerializeToString(), look.fill_token, call.tenant)

    def _gave_up(self, key: EntryKey | None, look: Look, record: Record, call: Call, error: BaseException) -> None:
        if self._cache is not None and key is not None:
            self._cache.release(key, look.fill_token, call.tenant)
        word = error.reason_word if isinstance(error, WeirError) else "CANCELLED"
        self._journal.write(record, call, word)


def _record(request: GenerateRequest) -> Record:
    return Record("generate", "", sha256(request.prompt.encode()).digest())


def _hit(look: Look, record: Record) -> GenerateResponse | None:
    """The cached answer, as this request's own; None on a miss or when it is of an older form."""
    if look.value is None:
        return None
    try:
        response = GenerateResponse.FromString(look.value)
    except DecodeError:
        return None
    record.kind, record.backend, record.reason = Kind.CACHE, "cache", Reason.CACHE_HIT
    record.score = response.route.score
    route = Route()
    route.CopyFrom(response.route)
    route.decision_id, route.backend, route.kind = record.decision_id, "cache", Kind.CACHE
    route.reason, route.expected_cost_usd = Reason.CACHE_HIT, 0.0
    route.ClearField("fallbacks")
    response.route.CopyFrom(route)
    response.cached = True
    response.usage.cost_usd = 0.0
    response.duration.FromTimedelta(record.elapsed())
    return response
