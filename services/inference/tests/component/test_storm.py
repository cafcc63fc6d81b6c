"""Ten thousand requests of every kind at once, with callers that leave and models that come and go.

What must hold: every answer is its own request's, every request is answered or refused, nothing is INTERNAL,
and nothing is left behind.
"""

import asyncio
import inspect
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from weirworks.inference.v1.image_pb2 import ClassifyImageRequest, ClassifyImageResponse
from weirworks.inference.v1.model_service_pb2 import LoadModelRequest, UnloadModelRequest
from weirworks.inference.v1.text_pb2 import EmbedTextRequest, EmbedTextResponse
from weirworks_inference.app import InferenceApp
from weirworks_inference.settings import InferenceSettings
from weirworks_rpc import open_channel
from weirworks_rpc.oip import messages
from weirworks_testkit.calls import tensor_request
from weirworks_testkit.pictures import picture
from weirworks_testkit.running import running, until
from weirworks_testkit.tiny_models import write_identity, write_repository

REQUESTS, AT_ONCE = 10_000, 96
INFER = "/inference.GRPCInferenceService/ModelInfer"
MODELS = "/weirworks.inference.v1.ModelService"
COLOURS = ("red", "green", "blue")
PICTURES = [picture(colour, (24, 20), "JPEG") for colour in COLOURS]
WORDS = {"hello": 1, "world": 2, "merhaba": 3}
# Every way a request may be refused here.
REFUSALS = {
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "FAILED_PRECONDITION",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
}


class Storm:
    """One run; `outcomes` counts what became of requests, `wrong` names answers that were not their own."""

    def __init__(self, channel: grpc.aio.Channel, seed: int) -> None:
        self._channel = channel
        self._chance = random.Random(seed)
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def send(self, tag: int) -> None:
        """One request of some kind, tagged; perhaps its caller leaves or has no patience."""
        kind = self._chance.choices(
            [self._tensor, self._tensor, self._picture, self._text, self._bad, self._operate],
            weights=[30, 25, 15, 15, 10, 5],
        )[0]
        method, wire, check = kind(tag)
        patience = self._chance.choices([30.0, 0.02, 0.0005], weights=[85, 10, 5])[0]
        call = self._channel.unary_unary(method)(wire, timeout=patience)
        if self._chance.random() < 0.1:
            asyncio.get_running_loop().call_later(self._chance.random() * 0.02, call.cancel)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            self.outcomes[error.code().name] += 1
            return
        except asyncio.CancelledError:
            self.outcomes["CANCELLED"] += 1
            return
        self.outcomes["OK"] += 1
        if not check(answer):
            self.wrong.append(f"{method} {tag}")

    def _tensor(self, tag: int) -> tuple[str, bytes, Callable[[bytes], bool]]:
        rows, width = self._chance.randint(1, 3), self._chance.choice((2, 2, 3))
        values = np.full((rows, width), tag, np.float32)
        model = self._chance.choice(("identity", "batched", "batched", "batched"))

        def check(wire: bytes) -> bool:
            answer = messages.ModelInferResponse.FromString(wire)
            return answer.raw_output_contents[0] == values.tobytes() and list(answer.outputs[0].shape) == [rows, width]

        return INFER, tensor_request(model, x=values).SerializeToString(), check

    def _picture(self, tag: int) -> tuple[str, bytes, Callable[[bytes], bool]]:
        request = ClassifyImageRequest(image=PICTURES[tag % 3], top_k=1)

        def check(wire: bytes) -> bool:
            return ClassifyImageResponse.FromString(wire).classifications[0].label == COLOURS[tag % 3]

        return f"{MODELS}/ClassifyImage", request.SerializeToString(), check

    def _text(self, tag: int) -> tuple[str, bytes, Callable[[bytes], bool]]:
        word = list(WORDS)[tag % 3]
        count = 1 + tag % 7

        def check(wire: bytes) -> bool:
            (vector,) = EmbedTextResponse.FromString(wire).embeddings
            return bool(np.allclose(vector.values, np.eye(4)[WORDS[word]])) and vector.tokens == count

        request = EmbedTextRequest(texts=[" ".join([word] * count)], model="minilm")
        return f"{MODELS}/EmbedText", request.SerializeToString(), check

    def _bad(self, tag: int) -> tuple[str, bytes, Callable[[bytes], bool]]:
        requests = [
            tensor_request("broken", x=np.ones((1, 1), np.float32)),
            tensor_request("nothing", x=np.ones((1, 1), np.float32)),
            tensor_request("identity", y=np.ones((1, 1), np.float32)),
        ]
        return INFER, requests[tag % 3].SerializeToString(), lambda _wire: False

    def _operate(self, tag: int) -> tuple[str, bytes, Callable[[bytes], bool]]:
        name = self._chance.choice(("models/identity", "models/batched", "models/lite0", "models/minilm"))
        if tag % 2:
            return f"{MODELS}/UnloadModel", UnloadModelRequest(name=name).SerializeToString(), lambda _wire: True
        reload = self._chance.random() < 0.3
        request = LoadModelRequest(name=name, reload=reload)
        return f"{MODELS}/LoadModel", request.SerializeToString(), lambda _wire: True


def own_tasks() -> int:
    """Tasks but for those in which grpc waits for the next call."""
    return sum(inspect.iscoroutine(task.get_coro()) for task in asyncio.all_tasks())


@pytest.mark.timeout(600)
async def test_ten_thousand_requests_are_each_answered_right_or_refused(
    tmp_path: Path, settings_of: Callable[..., InferenceSettings]
) -> None:
    repository = write_repository(tmp_path / "models")
    write_identity(repository, "batched")
    (repository / "batched" / "1" / "card.toml").write_text('task = "tensor"\n[batch]\nrows = 8\n')
    metrics = CollectorRegistry()
    app = InferenceApp(settings_of(repository, queue_limit=24, log_level="ERROR"), metrics)
    async with running(app) as where, open_channel(where) as channel:
        storm = Storm(channel, seed=4)
        # The service's own loops have begun by the time of an answer.
        await storm.send(0)
        before = own_tasks()
        tags = iter(range(1, REQUESTS))

        async def caller() -> None:
            for tag in tags:
                await storm.send(tag)

        await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
        assert storm.wrong == []
        assert sum(storm.outcomes.values()) == REQUESTS
        assert set(storm.outcomes) <= {"OK", *REFUSALS}
        assert storm.outcomes["OK"] > REQUESTS / 2
        for refusal in ("CANCELLED", "DEADLINE_EXCEEDED", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "NOT_FOUND"):
            assert storm.outcomes[refusal] > 0, refusal
        models = app._residents.shelf.models()
        await until(lambda: all(model.busy == 0 for model in models) and app._lane.waiting == 0)
        await until(lambda: own_tasks() <= before)
        in_flight = metrics.get_sample_value("weirworks_rpc_in_flight", {"method": INFER})
        assert in_flight == 0
        app._engine.ledger.settle()
        counted = sum(model.statistics.success.count for model in models)
        assert counted >= storm.outcomes["OK"] / 2
