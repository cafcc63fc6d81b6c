"""Resizes a Deployment: reads and patches its `/scale` and nothing else."""

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException

from weirworks_autoscaler.providers.protocol import Size, TargetUnavailable

_TIMEOUT = 5.0
_FIELD_MANAGER = "weirworks-autoscaler"


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

    @property
    def label(self) -> str:
        return f"deployment/{self._name}"

    async def size(self) -> Size:
        try:
            scale = await self._apps.read_namespaced_deployment_scale(
                self._name, self._namespace, _request_timeout=_TIMEOUT
            )
        except (TimeoutError, ApiException, aiohttp.ClientError) as error:
            raise TargetUnavailable(f"scale of {self.label} cannot be read: {_why(error)}") from error
        self._version = (scale.metadata and scale.metadata.resource_version) or ""
        replicas = (scale.spec and scale.spec.replicas) or 0
        return Size(replicas, scale.status.replicas if scale.status else 0)

    async def resize(self, replicas: int) -> None:
        # With the version that was read, the API refuses the patch when somebody else wrote since.
        body = {"metadata": {"resourceVersion": self._version}, "spec": {"replicas": replicas}}
        try:
            await self._apps.patch_namespaced_deployment_scale(
                self._name,
                self._namespace,
                body,
                field_manager=_FIELD_MANAGER,
                _content_type="application/merge-patch+json",
                _request_timeout=_TIMEOUT,
            )
        except (TimeoutError, ApiException, aiohttp.ClientError) as error:
            raise TargetUnavailable(f"scale of {self.label} cannot be written: {_why(error)}") from error

    async def close(self) -> None:
        return


def _why(error: Exception) -> str:
    return f"HTTP {error.status}" if isinstance(error, ApiException) else type(error).__name__
