"""Requests that were right until somebody touched them: mutants of tensors and pictures, from a seed.

Most mutations know the message's structure, so that mutants get past decoding and into the checks behind it;
the rest flip, cut and insert bytes.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError, Message
from weirworks.inference.v1.image_pb2 import ClassifyImageRequest
from weirworks_rpc.oip import messages

_NAMES = ("", "x", "a", "b", "image", "input_ids", "attention_mask", "\N{SNOWMAN}", "../../etc", "x" * 300)
_TYPES = ("", "FP32", "FP16", "BF16", "INT64", "INT8", "UINT64", "BOOL", "BYTES", "FP64", "FP128", "fp32")
_SIZES = (-(2**63), -1, 0, 1, 2, 3, 8, 1000, 2**31, 2**63 - 1)
_MODELS = ("identity", "batched", "strings", "adder", "lite0", "minilm", "broken", "nothing", "", "..", "identity/1")
_VERSIONS = ("", "1", "2", "-1", "01", "latest", "9" * 40)
_KEYS = (
    "priority",
    "timeout",
    "sequence_id",
    "sequence_start",
    "binary_data",
    "classification",
    "shared_memory_region",
    "triton_enable_empty_final_response",
    "",
)
# How often bytes are touched after the structure was.
_RAW_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Mutant:
    """A call's method and bytes, and whether the bytes are still a message of its type."""

    method: str
    wire: bytes
    decodes: bool


class Mutator:
    """An endless row of mutants; the same seed gives the same row."""

    def __init__(self, seed: int, requests: Sequence[messages.ModelInferRequest], pictures: Sequence[bytes]) -> None:
        self._chance = random.Random(seed)
        self._requests = requests
        self._pictures = pictures

    def next(self) -> Mutant:
        """The next one."""
        if self._chance.random() < 0.3:
            return self._finished("/weirworks.inference.v1.ModelService/ClassifyImage", self._picture())
        request = messages.ModelInferRequest()
        request.CopyFrom(self._chance.choice(self._requests))
        for _ in range(self._chance.randint(1, 3)):
            self._chance.choice(self._tensor_changes())(request)
        return self._finished("/inference.GRPCInferenceService/ModelInfer", request)

    def _finished(self, method: str, message: Message) -> Mutant:
        wire = message.SerializeToString()
        if self._chance.random() < _RAW_SHARE:
            wire = self._touched(wire)
        try:
            type(message).FromString(wire)
        except (DecodeError, UnicodeDecodeError):
            return Mutant(method, wire, decodes=False)
        return Mutant(method, wire, decodes=True)

    def _picture(self) -> ClassifyImageRequest:
        image = self._chance.choice(self._pictures)
        if self._chance.random() < 0.9:
            image = self._touched(image)
        return ClassifyImageRequest(
            image=image,
            model=self._chance.choice(("", "", "", "lite0", "minilm", "nothing")),
            top_k=self._chance.choice((0, 0, 1, 3, 101, 2**32 - 1)),
            label_language=self._chance.choice(("", "", "en", "tr", "xx")),
        )

    def _tensor_changes(self) -> list[Callable[[messages.ModelInferRequest], None]]:
        return [
            self._change_tensor,
            self._change_tensor,
            self._change_contents,
            self._change_raw,
            self._change_parameters,
            self._change_outputs,
            self._change_head,
            self._change_number,
        ]

    def _change_tensor(self, request: messages.ModelInferRequest) -> None:
        if not request.inputs:
            request.inputs.add()
        tensor = self._chance.choice(request.inputs)
        what = self._chance.randrange(4)
        if what == 0:
            tensor.name = self._chance.choice(_NAMES)
        elif what == 1:
            tensor.datatype = self._chance.choice(_TYPES)
        elif what == 2 and tensor.shape:
            tensor.shape[self._chance.randrange(len(tensor.shape))] = self._chance.choice(_SIZES)
        else:
            shape = [self._chance.choice(_SIZES) for _ in range(self._chance.randint(0, 5))]
            del tensor.shape[:]
            tensor.shape.extend(shape)

    def _change_contents(self, request: messages.ModelInferRequest) -> None:
        for tensor in request.inputs:
            contents = tensor.contents
            kind = self._chance.randrange(5)
            count = self._chance.randint(0, 6)
            if kind == 0:
                contents.fp32_contents.extend(self._chance.uniform(-1e38, 1e38) for _ in range(count))
            elif kind == 1:
                contents.int64_contents.extend(self._chance.randint(-(2**63), 2**63 - 1) for _ in range(count))
            elif kind == 2:
                contents.int_contents.extend(self._chance.randint(-(2**31), 2**31 - 1) for _ in range(count))
            elif kind == 3:
                contents.bytes_contents.extend(self._chance.randbytes(3) for _ in range(count))
            else:
                contents.bool_contents.extend(self._chance.random() < 0.5 for _ in range(count))
        if self._chance.random() < 0.7:
            del request.raw_input_contents[:]

    def _change_raw(self, request: messages.ModelInferRequest) -> None:
        raw = request.raw_input_contents
        what = self._chance.randrange(3)
        if what == 0 or not raw:
            raw.append(self._chance.randbytes(self._chance.randint(0, 64)))
        elif what == 1:
            del raw[self._chance.randrange(len(raw))]
        else:
            place = self._chance.randrange(len(raw))
            raw[place] = self._touched(raw[place])

    def _change_parameters(self, request: messages.ModelInferRequest) -> None:
        holders = [request, *request.inputs, *request.outputs]
        value = self._chance.choice(holders).parameters[self._chance.choice(_KEYS)]
        kind = self._chance.randrange(4)
        if kind == 0:
            value.int64_param = self._chance.choice(_SIZES)
        elif kind == 1:
            value.string_param = self._chance.choice(_NAMES)
        elif kind == 2:
            value.bool_param = True
        else:
            value.double_param = self._chance.choice((float("nan"), float("inf"), -1.5))

    def _change_outputs(self, request: messages.ModelInferRequest) -> None:
        for _ in range(self._chance.randint(1, 3)):
            request.outputs.add(name=self._chance.choice(("y", "sum", "logits", "last_hidden_state", *_NAMES)))

    def _change_head(self, request: messages.ModelInferRequest) -> None:
        request.model_name = self._chance.choice(_MODELS)
        request.model_version = self._chance.choice(_VERSIONS)
        request.id = self._chance.choice(_NAMES)

    def _change_number(self, request: messages.ModelInferRequest) -> None:
        if request.inputs and self._chance.random() < 0.5:
            del request.inputs[self._chance.randrange(len(request.inputs))]
        elif request.inputs:
            request.inputs.add().CopyFrom(self._chance.choice(request.inputs))

    def _touched(self, data: bytes) -> bytes:
        """A few bytes flipped, cut out, doubled or put in."""
        touched = bytearray(data)
        for _ in range(self._chance.randint(1, 4)):
            place = self._chance.randrange(len(touched) + 1)
            what = self._chance.randrange(4)
            if what == 0 and place < len(touched):
                touched[place] = self._chance.randrange(256)
            elif what == 1:
                del touched[place : place + self._chance.randint(1, 8)]
            elif what == 2:
                touched[place:place] = self._chance.randbytes(self._chance.randint(1, 8))
            else:
                touched[place:place] = touched[max(0, place - 8) : place]
        return bytes(touched)
