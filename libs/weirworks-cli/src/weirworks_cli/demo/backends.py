"""The router's settings for language models: real ones where keys are set, else the stand-ins."""

import json
import os
from pathlib import Path

from weirworks_cli.demo.standin import ARMS, Standins

_REAL = {
    "OPENAI_API_KEY": ("openai", "openai", "gpt-4.1-mini", 0.4, 1.6),
    "ANTHROPIC_API_KEY": ("anthropic", "anthropic", "claude-haiku-4-5", 1.0, 5.0),
}


def real_keys() -> list[str]:
    """The names of the keys that are set."""
    return [name for name in _REAL if os.environ.get(name)]


def backend_environment(standins: Standins, data: Path) -> dict[str, str]:
    """Environment of the router. Keys go through files that only this user can read."""
    backends = [
        {
            "name": arm.name,
            "api": "openai",
            "model": arm.name,
            "base_url": standins.urls[arm.name],
            "usd_per_request": arm.usd_per_request,
        }
        for arm in ARMS
    ]
    real = [_real_backend(name, data) for name in real_keys()]
    providers = [backend["name"] for backend in real] or ["bargain", "large"]
    bands = {"local": ["small", "large"], "experiment": ["small", providers[-1]], "provider": providers}
    return {
        "WEIRWORKS_ROUTER_BACKENDS": json.dumps([*backends, *real]),
        "WEIRWORKS_ROUTER_BANDS": json.dumps(bands),
    }


def _real_backend(variable: str, data: Path) -> dict[str, object]:
    name, api, model, price_in, price_out = _REAL[variable]
    data.mkdir(parents=True, exist_ok=True)
    key = data / f"{name}.key"
    key.touch(mode=0o600)
    key.write_text(os.environ[variable])
    return {
        "name": name,
        "api": api,
        "model": model,
        "api_key_file": str(key),
        "usd_per_million_input_tokens": price_in,
        "usd_per_million_output_tokens": price_out,
    }
