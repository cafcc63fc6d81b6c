"""Resizes a Deployment: reads it, and writes its `/scale` and nothing else."""

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException

from weirworks_autoscaler.providers.protocol import Size, TargetUnavailable

TIMEOUT = 5.0
FIELD_MANAGER = "weirworks-autoscaler"
# Status updates of the Deployment change its version too; only a count that somebody else set ends the attempts.
_ATTEMPTS = 5
_REASONS = {401: "Unauthenticated", 403: "Forbidden", 404: "TargetNotFound", 409: "ConflictingWrite", 422: "Refused"}
ERRORS = (TimeoutError, ApiException, aiohttp.ClientError, OSError)


async def open_api() -> client.ApiClient:
    """The API of the cluster that this pod is in, else of the user's kubeconfig. Raises ConfigException."""
    settings = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    except ConfigException:
        await config.load_kube_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    return client.ApiClient(settings)


class DeploymentTarget:
    """One Deployment's scale."""

    def __init__(self, api: client.ApiClient, namespace: str, name: str) -> None:
        self._apps = client.AppsV1Api(api)
        self._namespace = namespace
        self._name = name
        self._version = ""
        self._replicas = 0

    @property
    def label(self) -> str:
        return f"deployment/{self._name}"

    async def size(self) -> Size:
        try:
            found = await self._apps.read_namespaced_deployment(self._name, self._namespace, _request_timeout=TIMEOUT)
        except ERRORS as error:
            raise unavailable(f"{self.label} cannot be read", error) from error
        self._version = (found.metadata and found.metadata.resource_version) or ""
        # A Deployment without a count has one replica.
        count = found.spec.replicas
        self._replicas = 1 if count is None else count
        ready = (found.status and found.status.ready_replicas) or 0
        labels = found.spec.selector.match_labels or {}
        return Size(self._replicas, ready, ",".join(f"{key}={value}" for key, value in sorted(labels.items())))

    async def resize(self, replicas: int) -> None:
        seen = self._replicas
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._write(replicas)
            except ERRORS as error:
                if attempt == _ATTEMPTS or not (isinstance(error, ApiException) and error.status == 409):
                    raise unavailable(f"scale of {self.label} cannot be written", error) from error
            else:
                return
            await self.size()
            if self._replicas != seen:
                message = f"{self.label} was set to {self._replicas} by somebody else"
                raise TargetUnavailable(f"scale of {message}: HTTP 409", _REASONS[409])

    async def _write(self, replicas: int) -> None:
        # With the version that was read, the API refuses the patch when somebody else wrote since.
        body = {"metadata": {"resourceVersion": self._version}, "spec": {"replicas": replicas}}
        await self._apps.patch_namespaced_deployment_scale(
            self._name,
            self._namespace,
            body,
            field_manager=FIELD_MANAGER,
            _content_type="application/merge-patch+json",
            _request_timeout=TIMEOUT,
        )

    async def close(self) -> None:
        return


def unavailable(what: str, error: Exception) -> TargetUnavailable:
    """The same without the driver's words."""
    if isinstance(error, ApiException):
        return TargetUnavailable(f"{what}: HTTP {error.status}", _REASONS.get(error.status, "ApiError"))
    return TargetUnavailable(f"{what}: {type(error).__name__}")
