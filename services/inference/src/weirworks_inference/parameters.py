"""What a ModelInferRequest asks for beside its tensors: priority, time in the line, and what we refuse."""

from dataclasses import dataclass

from weirworks_rpc import NotOffered
from weirworks_rpc.oip import messages

from weirworks_inference.errors import InvalidTensor

# Triton counts from 1, the most urgent; 0 is the middle of what it allows.
_USUAL, _LOWEST = 5, 9
_SHARED = ("shared_memory_region", "shared_memory_offset", "shared_memory_byte_size")


@dataclass(frozen=True, slots=True)
class Asked:
    """Priority (0 first), longest time in the line in seconds (0: no limit of its own), and stream manners."""

    priority: int = _USUAL
    patience: float = 0.0
    marks_end: bool = False


_NOTHING = Asked()


def read_parameters(request: messages.ModelInferRequest) -> Asked:
    """What the parameters say. Raises NotOffered for what this server does not do, InvalidTensor for nonsense."""
    for tensors in (request.inputs, request.outputs):
        for tensor in tensors:
            if tensor.parameters and any(name in tensor.parameters for name in _SHARED):
                raise NotOffered("shared memory", "send tensors in the message; this server maps no memory of callers")
    parameters = request.parameters
    if not parameters:
        return _NOTHING
    for name in ("sequence_id", "sequence_start", "sequence_end"):
        if name in parameters and _number(parameters[name]) not in (0, ""):
            raise NotOffered(name, "models keep no state between requests")
    problems = []
    priority = _number(parameters["priority"]) if "priority" in parameters else 0
    patience = _number(parameters["timeout"]) if "timeout" in parameters else 0
    if not isinstance(priority, int) or priority < 0:
        problems.append(("parameters[priority]", "must be a number from 1, the most urgent; 0 is the usual"))
    if not isinstance(patience, int) or patience < 0:
        problems.append(("parameters[timeout]", "must be microseconds"))
    if problems:
        raise InvalidTensor(request.model_name, problems)
    level = min(int(priority), _LOWEST) - 1 if priority else _USUAL
    marks = "triton_enable_empty_final_response" in parameters
    return Asked(level, int(patience) / 1e6, marks and parameters["triton_enable_empty_final_response"].bool_param)


def _number(value: messages.InferParameter) -> int | str | float | bool:
    kind = value.WhichOneof("parameter_choice")
    found: int | str | float | bool = getattr(value, kind) if kind else 0
    return found
