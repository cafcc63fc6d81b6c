"""What the controller asks of the Kubernetes API beside the targets' scales."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio import client, watch
from kubernetes.aio.client.exceptions import ApiException

from weirworks_autoscaler.controller.resource import GROUP, KIND, PLURAL, VERSION, Resource
from weirworks_autoscaler.providers.kubernetes import FIELD_MANAGER, TIMEOUT

Item = dict[str, Any]


class Cluster:
    """InferenceScalers of one namespace, or of all for an empty one."""

    def __init__(self, api: client.ApiClient, namespace: str, identity: str) -> None:
        self._custom = client.CustomObjectsApi(api)
        self._core = client.CoreV1Api(api)
        self._hpas = client.AutoscalingV2Api(api)
        self._namespace = namespace
        self._identity = identity

    async def list(self) -> tuple[list[Item], str]:
        """All scalers, and the version to watch from. Raises the client's errors."""
        found = await self._listing()(*self._where(), _request_timeout=TIMEOUT)
        return list(found["items"]), found["metadata"]["resourceVersion"]

    async def watch(self, version: str, seconds: int) -> AsyncIterator[tuple[str, Item]]:
        """Changes since `version`, for at most so long: (ADDED, MODIFIED or DELETED, item)."""
        async with watch.Watch() as changes:  # type: ignore[no-untyped-call]
            stream = changes.stream(self._listing(), *self._where(), resource_version=version, timeout_seconds=seconds)
            async for event in stream:
                if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                    yield event["type"], event["raw_object"]

    async def write_status(self, resource: Resource, status: Item) -> None:
        """Replaces the status. An object that is gone meanwhile is no error."""
        try:
            await self._custom.patch_namespaced_custom_object_status(
                GROUP,
                VERSION,
                resource.namespace,
                PLURAL,
                resource.name,
                {"status": status},
                field_manager=FIELD_MANAGER,
                _content_type="application/merge-patch+json",
                _request_timeout=TIMEOUT,
            )
        except ApiException as error:
            if error.status != 404:
                raise

    async def hpa_targets(self) -> dict[tuple[str, str], str]:
        """(namespace, Deployment) → the name of the HorizontalPodAutoscaler that resizes it."""
        if self._namespace:
            found = await self._hpas.list_namespaced_horizontal_pod_autoscaler(
                self._namespace, _request_timeout=TIMEOUT
            )
        else:
            found = await self._hpas.list_horizontal_pod_autoscaler_for_all_namespaces(_request_timeout=TIMEOUT)
        targets = {}
        for each in found.items:
            if each.metadata and each.spec.scale_target_ref.kind == "Deployment":
                targets[each.metadata.namespace or "", each.spec.scale_target_ref.name] = each.metadata.name or ""
        return targets

    async def unschedulable(self, namespace: str, selector: str) -> int:
        """Pods that the scheduler found no node for."""
        found = await self._core.list_namespaced_pod(
            namespace, label_selector=selector, field_selector="status.phase=Pending", _request_timeout=TIMEOUT
        )
        reasons = [each.reason for pod in found.items for each in (pod.status and pod.status.conditions) or []]
        return reasons.count("Unschedulable")

    async def tell(self, resource: Resource, kind: str, reason: str, message: str) -> None:
        """An event on the scaler; `kind` is Normal or Warning."""
        now = datetime.now(UTC)
        reference = client.V1ObjectReference(
            api_version=f"{GROUP}/{VERSION}",
            kind=KIND,
            namespace=resource.namespace,
            name=resource.name,
            uid=resource.uid,
        )
        event = client.CoreV1Event(
            metadata=client.V1ObjectMeta(generate_name=f"{resource.name}.", namespace=resource.namespace),
            involved_object=reference,
            type=kind,
            reason=reason,
            message=message[:1024],
            first_timestamp=now,
            last_timestamp=now,
            count=1,
            source=client.V1EventSource(component=FIELD_MANAGER),
            reporting_component=FIELD_MANAGER,
            reporting_instance=self._identity,
        )
        await self._core.create_namespaced_event(resource.namespace, event, _request_timeout=TIMEOUT)

    def _listing(self) -> Any:
        if self._namespace:
            return self._custom.list_namespaced_custom_object
        return self._custom.list_cluster_custom_object

    def _where(self) -> tuple[str, ...]:
        return (GROUP, VERSION, self._namespace, PLURAL) if self._namespace else (GROUP, VERSION, PLURAL)
