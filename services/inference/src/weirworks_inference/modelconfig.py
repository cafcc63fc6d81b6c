"""Triton's ModelConfig of a model, in so far as the model has one."""

from weirworks_rpc.oip import configs

from weirworks_inference.core.types import TensorSpec
from weirworks_inference.model import Loaded, Model


def shape_of(spec: TensorSpec) -> list[int]:
    """Sizes; -1 for one that varies."""
    return [dimension if isinstance(dimension, int) else -1 for dimension in spec.shape]


def config_pb(model: Model, loaded: Loaded) -> configs.ModelConfig:
    """Tensors, batching, warm-up, and where it runs with what could not be had."""
    config = configs.ModelConfig(name=model.name, platform="onnxruntime_onnx", backend="onnxruntime")
    config.version_policy.latest.num_versions = 1
    card, placement = loaded.card, loaded.placement
    batched = loaded.execution is not None and loaded.execution.batches
    if batched:
        config.max_batch_size = card.batch.rows
        config.dynamic_batching.max_queue_delay_microseconds = round(card.batch.delay * 1e6)
        config.dynamic_batching.preserve_ordering = False
    if loaded.session is not None:
        for spec in loaded.session.signature.inputs:
            config.input.add(name=spec.name, data_type=_type(spec), dims=shape_of(spec)[1 if batched else 0 :])
        for spec in loaded.session.signature.outputs:
            config.output.add(name=spec.name, data_type=_type(spec), dims=shape_of(spec)[1 if batched else 0 :])
    groups = configs.ModelInstanceGroup
    config.instance_group.add(
        name=model.name, count=1, kind=groups.KIND_GPU if placement.on_device else groups.KIND_CPU
    )
    config.default_model_filename = card.graph
    config.parameters["task"].string_value = card.task.value
    config.parameters["providers"].string_value = ",".join(placement.providers)
    config.parameters["missing_providers"].string_value = "; ".join(placement.missing)
    config.parameters["sha256"].string_value = loaded.digest
    return config


def _type(spec: TensorSpec) -> int:
    name = "STRING" if spec.datatype == "BYTES" else spec.datatype
    return int(configs.DataType.Value(f"TYPE_{name}"))
