"""Checks a request's tensors against what the model declares, and explains every mismatch."""

from collections.abc import Sequence
from math import prod

from weirworks_inference.core.types import Signature, TensorShape, TensorSpec

Problem = tuple[str, str]


def check_inputs(signature: Signature, given: Sequence[TensorShape], max_elements: int) -> list[Problem]:
    """All mismatches as (field, what would be right); empty when the request fits.

    A named dimension must have one size in the whole request, so that `[batch, tokens]` of two inputs agree.
    """
    problems: list[Problem] = []
    declared = {spec.name: spec for spec in signature.inputs}
    seen: set[str] = set()
    sizes: dict[str, tuple[int, str]] = {}
    for tensor in given:
        field = f"inputs[{tensor.name}]"
        spec = declared.get(tensor.name)
        if spec is None:
            problems.append((field, f"unknown input; the model takes {', '.join(sorted(declared))}"))
        elif tensor.name in seen:
            problems.append((field, "given twice"))
        else:
            seen.add(tensor.name)
            problems += _check_one(spec, tensor, field, sizes)
    problems += [(f"inputs[{name}]", "missing") for name in declared if name not in seen]
    elements = sum(prod(tensor.shape) for tensor in given if all(size >= 0 for size in tensor.shape))
    if elements > max_elements:
        problems.append(("inputs", f"{elements} elements; the model takes at most {max_elements} in one request"))
    return problems


def check_outputs(signature: Signature, wanted: Sequence[str]) -> list[Problem]:
    """All names that are not outputs of the model."""
    known = {spec.name for spec in signature.outputs}
    rule = f"unknown output; the model gives {', '.join(sorted(known))}"
    return [(f"outputs[{name}]", rule) for name in wanted if name not in known]


def _check_one(spec: TensorSpec, tensor: TensorShape, field: str, sizes: dict[str, tuple[int, str]]) -> list[Problem]:
    problems: list[Problem] = []
    if tensor.datatype != spec.datatype:
        problems.append((f"{field}.datatype", f"{tensor.datatype or 'none'} given; must be {spec.datatype}"))
    if len(tensor.shape) != len(spec.shape):
        wanted = _text(spec)
        problems.append((f"{field}.shape", f"{len(tensor.shape)} dimensions given; must be {wanted}"))
        return problems
    for position, (size, rule) in enumerate(zip(tensor.shape, spec.shape, strict=True)):
        place = f"{field}.shape[{position}]"
        if size < 1:
            problems.append((place, f"{size} given; must be at least 1"))
        elif isinstance(rule, int):
            if size != rule:
                problems.append((place, f"{size} given; must be {rule}"))
        else:
            known, where = sizes.setdefault(rule, (size, place))
            if known != size:
                problems.append((place, f"{size} given; {rule!r} is {known} in {where}"))
    return problems


def _text(spec: TensorSpec) -> str:
    return "[" + ", ".join(str(dimension) for dimension in spec.shape) + "]"
