"""Parts 1 to 3 of the demo: photos, the cache, and prompts."""

import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from weirworks_client import Classes, WeirClient

from weirworks_cli.demo.photos import demo_photos

PROMPTS = (
    ("simple", "Merhaba"),
    ("simple", "Hello, how are you?"),
    ("medium", "Bu göğüs röntgeninde pnömoni var mı?"),
    ("medium", "Compare TCP with UDP and explain when to use each"),
    (
        "complex",
        "Hasta verilerini analiz ederek COVID-19, pnömoni ve normal akciğer dokusu arasındaki farkları karşılaştır",
    ),
    (
        "complex",
        "Analyze the contract clause, compare it with GDPR, explain why it fails and design a compliant Python API",
    ),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One answered picture: seconds and classes."""

    name: str
    seconds: float
    classes: Classes
    expected: bool


async def show_photos(weir: WeirClient, console: Console) -> list[Shown]:
    """Classifies every photo; the first call loads the model."""
    table = Table("photo", "time", "model run", "1st", "2nd", "3rd", title="Photos from installed packages")
    shown = []
    for photo in demo_photos():
        started = time.perf_counter()
        classes = await weir.classify_image(photo.path.read_bytes(), top_k=3)
        seconds = time.perf_counter() - started
        shown.append(Shown(photo.name, seconds, classes, classes.labels[0].index in photo.expected))
        cells = [f"{each.label} ({each.index}) {each.probability:.1%}" for each in classes.labels]
        table.add_row(photo.name, f"{seconds * 1e3:.1f} ms", f"{classes.stages['run'] * 1e3:.1f} ms", *cells)
    console.print(table)
    return shown


async def show_cache(weir: WeirClient, console: Console, first: list[Shown]) -> list[tuple[str, float, float]]:
    """The same photos again; (name, first seconds, cached seconds) of each."""
    table = Table("photo", "from the model", "from the cache", "speed-up", title="The same photos again")
    pairs = []
    for photo, before in zip(demo_photos(), first, strict=True):
        image = photo.path.read_bytes()
        # The first answer of a model includes its load, so a warm one is the fair figure to compare with.
        started = time.perf_counter()
        await weir.classify_image(image, top_k=3, skip_cache=True)
        model = time.perf_counter() - started
        started = time.perf_counter()
        again = await weir.classify_image(image, top_k=3)
        cached = time.perf_counter() - started
        assert again.cached and again.labels == before.classes.labels, "the cache answered with something else"
        pairs.append((photo.name, model, cached))
        table.add_row(photo.name, f"{model * 1e3:.1f} ms", f"{cached * 1e3:.1f} ms", f"{model / cached:.1f}×")
    console.print(table)
    return pairs


async def show_prompts(weir: WeirClient, console: Console) -> list[dict[str, object]]:
    """Prompts by difficulty, in Turkish and English: where each went and why."""
    table = Table("prompt", "score", "reason", "tried", "cost", "time", title="Prompts")
    facts: list[dict[str, object]] = []
    for kind, prompt in PROMPTS:
        answer = await weir.generate(prompt)
        tried = " → ".join(f"{name}: {outcome}" for name, outcome in answer.attempts)
        planned = answer.planned
        table.add_row(
            prompt if len(prompt) < 44 else prompt[:41] + "…",
            f"{planned.score:.0f}",
            planned.reason,
            tried,
            f"${answer.cost_usd:.4f}",
            f"{answer.seconds * 1e3:.0f} ms",
        )
        facts.append(
            {
                "kind": kind,
                "prompt": prompt,
                "score": planned.score,
                "band": planned.band,
                "reason": planned.reason,
                "attempts": answer.attempts,
                "costUsd": answer.cost_usd,
            }
        )
    console.print(table)
    return facts
