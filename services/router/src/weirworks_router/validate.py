"""The rules of requests that a type cannot say."""

import math

from weirworks.router.v1.generate_pb2 import GenerateRequest
from weirworks_rpc import Violation
from weirworks_rpc.requests import refuse

_LONGEST = 200_000
_MOST_TOKENS = 32_768


def check_generate(request: GenerateRequest) -> None:
    """Raises InvalidFields with every violation."""
    problems = _prompt_problems(request.prompt)
    if len(request.system_prompt) > _LONGEST:
        rule = f"{len(request.system_prompt)} characters given; at most {_LONGEST}"
        problems.append(Violation("system_prompt", rule))
    if request.max_output_tokens > _MOST_TOKENS:
        problems.append(Violation("max_output_tokens", f"{request.max_output_tokens} given; at most {_MOST_TOKENS}"))
    if request.HasField("temperature") and not (math.isfinite(request.temperature) and 0 <= request.temperature <= 2):
        problems.append(Violation("temperature", "must be 0 to 2"))
    refuse(problems)


def check_prompt(prompt: str) -> None:
    """Raises InvalidFields."""
    refuse(_prompt_problems(prompt))


def _prompt_problems(prompt: str) -> list[Violation]:
    if not prompt.strip():
        return [Violation("prompt", "must not be empty")]
    if len(prompt) > _LONGEST:
        return [Violation("prompt", f"{len(prompt)} characters given; at most {_LONGEST}")]
    return []
