"""The Open Inference Protocol: live, ready, metadata and infer."""

from importlib.metadata import version

from weirworks_rpc import Call
from weirworks_rpc.oip import messages

from weirworks_inference.core.types import TensorShape, TensorSpec
from weirworks_inference.engine import Engine
from weirworks_inference.errors import InvalidTensor, ModelNotFound
from weirworks_inference.repository import Model
from weirworks_inference.tensors import TensorProblem, read_inputs, write_outputs


class OipServicer:
    """Answers `inference.GRPCInferenceService`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def server_live(self, _request: messages.ServerLiveRequest, _call: Call) -> messages.ServerLiveResponse:
        return messages.ServerLiveResponse(live=True)

    async def server_ready(self, _request: messages.ServerReadyRequest, _call: Call) -> messages.ServerReadyResponse:
        return messages.ServerReadyResponse(ready=True)

    async def model_ready(self, request: messages.ModelReadyRequest, _call: Call) -> messages.ModelReadyResponse:
        """True for a model that is in memory or loadable on demand."""
        try:
            model = self._engine.repository.find(request.name, request.version)
        except ModelNotFound:
            return messages.ModelReadyResponse(ready=False)
        return messages.ModelReadyResponse(ready=model.ready)

    async def server_metadata(
        self, _request: messages.ServerMetadataRequest, _call: Call
    ) -> messages.ServerMetadataResponse:
        return messages.ServerMetadataResponse(
            name="weirworks-inference", version=version("weirworks-inference"), extensions=[]
        )

    async def model_metadata(
        self, request: messages.ModelMetadataRequest, _call: Call
    ) -> messages.ModelMetadataResponse:
        model = self._engine.repository.find(request.name, request.version)
        signature = (await self._engine.repository.load(model)).session.signature
        response = messages.ModelMetadataResponse(
            name=model.name, versions=_versions(self._engine, model), platform="onnxruntime_onnx"
        )
        for spec in signature.inputs:
            response.inputs.add(name=spec.name, datatype=spec.datatype, shape=_shape(spec))
        for spec in signature.outputs:
            response.outputs.add(name=spec.name, datatype=spec.datatype, shape=_shape(spec))
        return response

    async def model_infer(self, request: messages.ModelInferRequest, call: Call) -> messages.ModelInferResponse:
        model = self._engine.repository.find(request.model_name, request.model_version)
        shapes = [TensorShape(tensor.name, tensor.datatype, tuple(tensor.shape)) for tensor in request.inputs]
        problems = [
            (f"inputs[{shape.name}].shape", "sizes must not be negative") for shape in shapes if _negative(shape)
        ]
        if problems:
            raise InvalidTensor(model.name, problems)
        try:
            inputs = read_inputs(request)
        except TensorProblem as error:
            raise InvalidTensor(model.name, [error.problem]) from None
        wanted = [output.name for output in request.outputs]
        names, arrays = await self._engine.infer(model, inputs, shapes, wanted, call)
        response = messages.ModelInferResponse(model_name=model.name, model_version=model.version, id=request.id)
        write_outputs(response, dict(zip(names, arrays, strict=True)))
        return response


def _negative(tensor: TensorShape) -> bool:
    return any(size < 0 for size in tensor.shape)


def _shape(spec: TensorSpec) -> list[int]:
    return [dimension if isinstance(dimension, int) else -1 for dimension in spec.shape]


def _versions(engine: Engine, model: Model) -> list[str]:
    return [each.version for each in engine.repository.models() if each.name == model.name]
