"""ONNX Runtime GenAI: decoders that keep their attention's past between tokens.

The folder is as its model builder writes it: `genai_config.json`, the graph, `tokenizer.json`. The package is
an extra of its own (`weirworks-inference[genai]`); without it such models do not load and say why.
"""

import json
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from weirworks_inference.runtime.options import Defaults
from weirworks_inference.runtime.protocol import Generator, LoadFailed, Placement, RunFailed, Source, TokenStream


class GenaiRuntime:
    """Loads decoders."""

    def __init__(self, defaults: Defaults) -> None:
        self._defaults = defaults

    def load(self, source: Source) -> Generator:
        try:
            import onnxruntime_genai
        except ImportError:
            raise LoadFailed("this build has no ONNX Runtime GenAI; install weirworks-inference[genai]") from None
        names = source.card.session.providers or self._defaults.providers
        try:
            config = onnxruntime_genai.Config(str(source.folder))
            config.clear_providers()
            for name in names:
                if name != "cpu":
                    config.append_provider(name)
            model = onnxruntime_genai.Model(config)
            tokenizer = Tokenizer.from_file(str(source.folder / "tokenizer.json"))
            settings = json.loads((source.folder / "genai_config.json").read_text("utf-8"))
            return GenaiGenerator(onnxruntime_genai, model, tokenizer, settings)
        # The binding raises plain RuntimeError, the tokenizer plain Exception.
        except Exception as error:
            raise LoadFailed("the folder is not a model that ONNX Runtime GenAI can run") from error


class GenaiGenerator:
    """One decoder in memory."""

    def __init__(self, library: Any, model: Any, tokenizer: Tokenizer, settings: dict[str, Any]) -> None:
        self._library = library
        self._model = model
        self._tokenizer = tokenizer
        self._context = int(settings["model"]["context_length"])
        ends = settings["model"]["eos_token_id"]
        self._ends = frozenset(ends if isinstance(ends, list) else [ends])
        self._placement = Placement((str(model.device_type).lower(),))

    @property
    def placement(self) -> Placement:
        return self._placement

    def encode(self, prompt: str) -> list[int]:
        return list(self._tokenizer.encode(prompt).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens)))

    def start(self, prompt: Sequence[int], max_tokens: int) -> TokenStream:
        if not prompt or len(prompt) >= self._context:
            raise RunFailed(f"{len(prompt)} tokens do not fit a window of {self._context}")
        try:
            parameters = self._library.GeneratorParams(self._model)
            parameters.set_search_options(max_length=min(self._context, len(prompt) + max_tokens), do_sample=False)
            generator = self._library.Generator(self._model, parameters)
            generator.append_tokens(list(prompt))
        except RuntimeError as error:
            raise RunFailed(str(error)) from error
        return _Stream(generator, self._ends)


class _Stream:
    def __init__(self, generator: Any, ends: frozenset[int]) -> None:
        self._generator = generator
        self._ends = ends

    def next(self) -> int | None:
        try:
            if self._generator.is_done():
                return None
            self._generator.generate_next_token()
            token = int(self._generator.get_next_tokens()[0])
            return None if token in self._ends else token
        except RuntimeError as error:
            raise RunFailed(str(error)) from error
