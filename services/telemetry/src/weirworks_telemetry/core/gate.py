"""What of a caller's attributes may be kept: contents of prompts and answers only as keyed hashes."""

from collections.abc import Callable, Mapping

# Attributes of the GenAI semantic conventions, and of its older drafts, that hold what people wrote.
_CONTENT = (
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "input.value",
    "output.value",
)
_LONGEST = 1024


def holds_content(name: str) -> bool:
    """True for an attribute that holds what a person or a model wrote."""
    return any(name == known or name.startswith(f"{known}.") for known in _CONTENT)


def gated(attributes: Mapping[str, object], digest: Callable[[str], str]) -> dict[str, object]:
    """The attributes with contents replaced by `hmac:<digest>` and long texts cut."""
    kept: dict[str, object] = {}
    for name, value in attributes.items():
        if holds_content(name):
            kept[name] = f"hmac:{digest(str(value))}"
        elif isinstance(value, str):
            # PostgreSQL's text holds no NUL.
            kept[name] = value[:_LONGEST].replace("\0", "")
        else:
            kept[name] = value
    return kept
