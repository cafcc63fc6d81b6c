"""The Kubernetes API over HTTP, as much as scaling a Deployment needs, with faults on demand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

_DEPLOYMENT = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
_SCALE = f"{_DEPLOYMENT}/scale"


@dataclass(slots=True)
class FakeKubernetes:
    """Deployments by (namespace, name) with their counts, and what was asked."""

    replicas: dict[tuple[str, str], int]
    version: int = 1
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    # Answers the next requests with this status instead.
    fail_with: int = 0
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        """GET of a Deployment and PATCH of its `/scale`; anything else is refused, as least privilege would."""
        self.requests.append((request.method, request.path, request.content_type))
        if self.fail_with:
            return web.json_response({"kind": "Status", "code": self.fail_with}, status=self.fail_with)
        key = (request.match_info["namespace"], request.match_info["name"])
        if key not in self.replicas:
            return web.json_response({"kind": "Status", "code": 404}, status=404)
        if request.method == "PATCH":
            body = await request.json()
            if body["metadata"].get("resourceVersion") != str(self.version):
                return web.json_response({"kind": "Status", "code": 409}, status=409)
            self.replicas[key] = body["spec"]["replicas"]
            self.version += 1
            return web.json_response(self._scale(key))
        return web.json_response(self._deployment(key))

    def _deployment(self, key: tuple[str, str]) -> dict[str, object]:
        count = self.replicas[key]
        labels = {"app": key[1]}
        return {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {"namespace": key[0], "name": key[1], "resourceVersion": str(self.version)},
            "spec": {
                "replicas": count,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main"}]}},
            },
            "status": {"replicas": count, "readyReplicas": count},
        }

    def _scale(self, key: tuple[str, str]) -> dict[str, object]:
        count = self.replicas[key]
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {"namespace": key[0], "name": key[1], "resourceVersion": str(self.version)},
            "spec": {"replicas": count},
            "status": {"replicas": count},
        }


@asynccontextmanager
async def fake_kubernetes(replicas: dict[tuple[str, str], int]) -> AsyncIterator[FakeKubernetes]:
    """Serves on a free loopback port."""
    fake = FakeKubernetes(replicas)
    application = web.Application()
    application.add_routes([web.get(_DEPLOYMENT, fake.handle), web.patch(_SCALE, fake.handle)])
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        fake.url = f"http://{host}:{port}"
        yield fake
    finally:
        await runner.cleanup()
