"""`weir classify`, `embed`, `generate` and `routes explain`: what callers do, from a shell."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from weirworks_client import Classes, Generated, Planned, WeirClient, WeirError

from weirworks_cli.context import NoContext, read_context
from weirworks_cli.output import FAILED, PARTLY, explain, fail, print_json, print_table

T = TypeVar("T")
output = click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Form of the data.")


@click.command(epilog="Example: weir classify cat.png coffee.jpg -o json")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--top", default=3, show_default=True, help="Classes per picture.")
@click.option("--language", type=click.Choice(["en", "tr"]), default="en", help="Language of the labels.")
@click.option("--model", default="", help="Image model; the router's default otherwise.")
@output
@click.pass_obj
def classify(context: str, files: tuple[Path, ...], top: int, language: str, model: str, output: str) -> None:
    """Classify pictures: JPEG, PNG, TIFF or WebP."""

    async def each(weir: WeirClient) -> list[Classes | None]:
        answers: list[Classes | None] = []
        for file in files:
            try:
                answers.append(await weir.classify_image(file.read_bytes(), model=model, top_k=top, language=language))
            except WeirError as error:
                explain(error)
                answers.append(None)
        return answers

    answers = _run(context, each)
    if output == "json":
        print_json([_labels(answer) for answer in answers])
    else:
        rows = [
            (file.name, label.index, label.label, f"{label.probability:.3f}", "cache" if answer.cached else "model")
            for file, answer in zip(files, answers, strict=True)
            if answer is not None
            for label in answer.labels
        ]
        print_table(["file", "index", "label", "probability", "from"], rows)
    failed = sum(answer is None for answer in answers)
    sys.exit(0 if not failed else FAILED if failed == len(files) else PARTLY)


@click.command(epilog='Example: weir embed "Merhaba dünya" "Hello world" -o json')
@click.argument("texts", nargs=-1, required=True)
@click.option("--model", default="", help="Text model; the router's default otherwise.")
@output
@click.pass_obj
def embed(context: str, texts: tuple[str, ...], model: str, output: str) -> None:
    """Embed texts as unit vectors."""
    vectors = _run(context, lambda weir: weir.embed_text(texts, model=model))
    if output == "json":
        print_json([[round(float(x), 7) for x in row] for row in vectors.values])
    else:
        similarity = vectors.values @ vectors.values[0]
        rows = [
            (text[:40], language or "-", vectors.model, len(row), " ".join(f"{x:+.3f}" for x in row[:4]), f"{near:.3f}")
            for text, language, row, near in zip(texts, vectors.languages, vectors.values, similarity, strict=True)
        ]
        print_table(["text", "language", "model", "width", "first values", "cosine to first"], rows)


@click.command(epilog='Example: weir generate "Explain a weir in one sentence" --stream')
@click.argument("prompt")
@click.option("--stream", is_flag=True, help="Print pieces as they come.")
@click.option("--no-cache", is_flag=True, help="Skip the cache, both ways.")
@output
@click.pass_obj
def generate(context: str, prompt: str, stream: bool, no_cache: bool, output: str) -> None:
    """Answer a prompt."""
    if stream:
        _run(context, lambda weir: _print_stream(weir, prompt, no_cache))
        return
    answer = _run(context, lambda weir: weir.generate(prompt, skip_cache=no_cache))
    if output == "json":
        print_json({"text": answer.text, **_summary(answer)})
    else:
        sys.stdout.write(answer.text + "\n")
        _say_summary(answer)


@click.group()
def routes() -> None:
    """Look at routes."""


@routes.command(name="explain", epilog='Example: weir routes explain "Merhaba" -o json')
@click.argument("prompt")
@output
@click.pass_obj
def explain_route(context: str, prompt: str, output: str) -> None:
    """Say where a prompt would go, and why, without sending it."""
    plan = _run(context, lambda weir: weir.explain_route(prompt))
    values = {
        "score": plan.score,
        "band": plan.band,
        "backend": plan.backend,
        "reason": plan.reason,
        "confidence": plan.confidence,
        "expectedLatencySeconds": round(plan.expected_latency, 3),
        "expectedCostUsd": plan.expected_cost_usd,
        "fallbacks": plan.fallbacks,
        "features": plan.features,
    }
    if output == "json":
        print_json(values)
    else:
        print_table(["what", "value"], list(values.items()))


async def _print_stream(weir: WeirClient, prompt: str, no_cache: bool) -> None:
    async for part in weir.generate_stream(prompt, skip_cache=no_cache):
        if isinstance(part, str):
            sys.stdout.write(part)
            sys.stdout.flush()
        elif isinstance(part, Generated):
            sys.stdout.write("\n")
            _say_summary(part)


def _say_summary(answer: Generated) -> None:
    values = " ".join(f"{name}={value}" for name, value in _summary(answer).items())
    click.echo(values, err=True)


def _summary(answer: Generated) -> dict[str, Any]:
    plan: Planned = answer.planned
    return {
        "backend": answer.attempts[-1][0] if answer.attempts else plan.backend,
        "reason": plan.reason,
        "score": plan.score,
        "cached": answer.cached,
        "costUsd": answer.cost_usd,
        "seconds": round(answer.seconds, 3),
        "attempts": [f"{backend}:{outcome}" for backend, outcome in answer.attempts],
    }


def _labels(answer: Classes | None) -> list[dict[str, Any]] | None:
    if answer is None:
        return None
    return [
        {"index": each.index, "label": each.label, "probability": round(each.probability, 6)} for each in answer.labels
    ]


def _run(context: str, work: Callable[[WeirClient], Awaitable[T]]) -> T:
    """The result of `work`; ends the command with a sentence when there is no suite or it refuses."""

    async def inside() -> T:
        async with WeirClient(read_context(context).address("router")) as weir:
            return await work(weir)

    try:
        return asyncio.run(inside())
    except NoContext as error:
        fail(str(error))
    except WeirError as error:
        explain(error)
        sys.exit(FAILED)
