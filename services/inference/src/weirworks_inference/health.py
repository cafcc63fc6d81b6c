"""How the service is: a report for people, grpc.health.v1 for machines, and what can be thrown away."""

from collections import Counter
from typing import TYPE_CHECKING

from weirworks.inference.v1.model_service_pb2 import GetHealthReportResponse
from weirworks_rpc import Server

from weirworks_inference.convert import model_pb
from weirworks_inference.core.types import State
from weirworks_inference.embeddings import EmbeddingCache
from weirworks_inference.engine import Engine
from weirworks_inference.host import give_back, resident_bytes
from weirworks_inference.preloading import Preloading
from weirworks_inference.runtime.optimized import OptimizedGraphs

if TYPE_CHECKING:
    from weirworks_inference.registry import Registry


class Health:
    """Reads everything, changes nothing but caches."""

    def __init__(
        self,
        engine: Engine,
        preloading: Preloading,
        registry: "Registry | None",
        embeddings: EmbeddingCache,
        graphs: OptimizedGraphs,
    ) -> None:
        self._engine = engine
        self._preloading = preloading
        self._registry = registry
        self._embeddings = embeddings
        self._graphs = graphs
        self._told: dict[str, bool] = {}

    def report(self) -> GetHealthReportResponse:
        """The service now."""
        residents = self._engine.residents
        models = residents.shelf.models()
        states = Counter(model.state.value for model in models)
        failed = [model for model in models if model.state is State.FAILED or model.failures]
        score = self._preloading.score
        return GetHealthReportResponse(
            serving=True,
            models=dict(states),
            failed=[model_pb(model, is_default=residents.shelf.current(model.name) is model) for model in failed],
            resident_bytes=resident_bytes(),
            model_bytes=residents.used.host,
            model_budget_bytes=residents.budget.host,
            waiting=self._engine.lane.waiting,
            registry="none" if self._registry is None else "up" if self._registry.answers else "away",
            preloaded=score.ahead,
            preload_hit_rate=score.hit_rate,
        )

    async def clear_caches(self) -> tuple[int, int]:
        """Vectors and graphs thrown away."""
        graphs = self._graphs.clear()
        vectors = self._embeddings.clear()
        await self._engine.aside(give_back)
        return vectors, graphs

    async def publish(self, server: Server) -> None:
        """Sets `models/<name>` in grpc.health.v1 for every model whose readiness changed."""
        shelf = self._engine.residents.shelf
        ready = {name: (model := shelf.default(name)) is not None and model.ready for name in shelf.names()}
        for name in self._told.keys() - ready.keys():
            ready[name] = False
        for name, serving in ready.items():
            if self._told.get(name) != serving:
                await server.set_serving(serving, f"models/{name}")
                self._told[name] = serving
