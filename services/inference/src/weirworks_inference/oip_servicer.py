"""The Open Inference Protocol: live, ready, metadata, configuration, infer and its stream."""

from collections.abc import AsyncIterator
from importlib.metadata import version
from time import monotonic

from weirworks_rpc import Call, WeirError
from weirworks_rpc.oip import messages
from weirworks_rpc.streams import in_order

from weirworks_inference.classification import rankings_of
from weirworks_inference.engine import Engine, execution_of
from weirworks_inference.errors import InvalidTensor, ModelNotFound
from weirworks_inference.execution import Terms, Work
from weirworks_inference.model import Loaded, Model
from weirworks_inference.modelconfig import config_pb, shape_of
from weirworks_inference.parameters import read_parameters
from weirworks_inference.runtime.protocol import Array
from weirworks_inference.tensors import TensorProblem, read_inputs, write_output
from weirworks_inference.wire import Contents, read_request

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "logging",
    "model_configuration",
    "model_repository",
    "parameters",
    "schedule_policy",
    "statistics",
    "trace",
)
# Requests of one stream that are on their way at once; more wait in the transport.
_AT_ONCE = 64


# Methods whose requests the servicer decodes itself.
RAW = frozenset({"ModelInfer"})


class OipServicer:
    """Answers the inference half of `inference.GRPCInferenceService`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def server_live(self, _request: messages.ServerLiveRequest, _call: Call) -> messages.ServerLiveResponse:
        return messages.ServerLiveResponse(live=True)

    async def server_ready(self, _request: messages.ServerReadyRequest, _call: Call) -> messages.ServerReadyResponse:
        return messages.ServerReadyResponse(ready=True)

    async def model_ready(self, request: messages.ModelReadyRequest, _call: Call) -> messages.ModelReadyResponse:
        """True for a model that is in memory or loadable on demand."""
        try:
            model = self._engine.find(request.name, request.version)
        except ModelNotFound:
            return messages.ModelReadyResponse(ready=False)
        return messages.ModelReadyResponse(ready=model.ready)

    async def server_metadata(
        self, _request: messages.ServerMetadataRequest, _call: Call
    ) -> messages.ServerMetadataResponse:
        return messages.ServerMetadataResponse(
            name="weirworks-inference", version=version("weirworks-inference"), extensions=EXTENSIONS
        )

    async def model_metadata(
        self, request: messages.ModelMetadataRequest, call: Call
    ) -> messages.ModelMetadataResponse:
        model, loaded = await self._loaded(request.name, request.version, call)
        versions = self._engine.residents.shelf.versions(model.name)
        response = messages.ModelMetadataResponse(name=model.name, versions=versions, platform="onnxruntime_onnx")
        if loaded.session is not None:
            for spec in loaded.session.signature.inputs:
                response.inputs.add(name=spec.name, datatype=spec.datatype, shape=shape_of(spec))
            for spec in loaded.session.signature.outputs:
                response.outputs.add(name=spec.name, datatype=spec.datatype, shape=shape_of(spec))
        return response

    async def model_config(self, request: messages.ModelConfigRequest, call: Call) -> messages.ModelConfigResponse:
        model, loaded = await self._loaded(request.name, request.version, call)
        return messages.ModelConfigResponse(config=config_pb(model, loaded))

    async def model_infer(self, wire: bytes, call: Call) -> messages.ModelInferResponse:
        return await self._infer(*read_request(wire), call)

    async def _infer(
        self, request: messages.ModelInferRequest, contents: Contents, call: Call
    ) -> messages.ModelInferResponse:
        model = self._engine.find(request.model_name, request.model_version)
        asked = read_parameters(request)
        with model.in_use():
            loaded = model.loaded or await self._engine.residents.load(model, call.time_remaining())
            execution = execution_of(model, loaded)
            form = (
                tuple([(tensor.name, tensor.datatype, tuple(tensor.shape)) for tensor in request.inputs]),
                tuple([output.name for output in request.outputs]),
            )
            fitting = execution.known(form) or execution.check(form)
            inputs = fitting.read(contents)
            if inputs is None:
                inputs = _read(request, contents, model)
            rankings = rankings_of(request, execution.datatypes)
            now = monotonic()
            remaining = call.time_remaining().total_seconds()
            patience = min(remaining, asked.patience) if asked.patience else remaining
            terms = Terms(fitting.rows, now, now + patience, asked.priority)
            size = fitting.size or sum(map(len, contents))
            job = execution.job(Work(inputs, fitting.outputs), fitting.group, terms, size)
            done = await self._engine.infer(model, job, call)
        response = messages.ModelInferResponse(model_name=model.name, model_version=model.version, id=request.id)
        for name, array in zip(fitting.outputs, done.value, strict=True):
            if name in rankings:
                write_output(response, name, "BYTES", rankings[name].of(array, loaded.card))
            else:
                write_output(response, name, execution.datatypes[name], array)
        if asked.marks_end:
            response.parameters["triton_final_response"].bool_param = True
        return response

    async def model_stream_infer(
        self, requests: AsyncIterator[messages.ModelInferRequest], call: Call
    ) -> AsyncIterator[messages.ModelStreamInferResponse]:
        """One answer for each request, in their order; an error is told in its place and the stream goes on."""
        async for answer in in_order(requests, lambda request: self._streamed(request, call), _AT_ONCE):
            yield answer

    async def _streamed(self, request: messages.ModelInferRequest, call: Call) -> messages.ModelStreamInferResponse:
        try:
            answer = await self._infer(request, request.raw_input_contents, call)
            return messages.ModelStreamInferResponse(infer_response=answer)
        except WeirError as error:
            head = messages.ModelInferResponse(
                model_name=request.model_name, model_version=request.model_version, id=request.id
            )
            text = f"{error.code.name}: {error.message}"
            return messages.ModelStreamInferResponse(error_message=text, infer_response=head)

    async def _loaded(self, name: str, wanted: str, call: Call) -> tuple[Model, Loaded]:
        model = self._engine.find(name, wanted)
        return model, await self._engine.residents.load(model, call.time_remaining())


def _read(request: messages.ModelInferRequest, contents: Contents, model: Model) -> dict[str, Array]:
    try:
        return read_inputs(request, contents)
    except TensorProblem as error:
        raise InvalidTensor(model.name, [error.problem]) from None
