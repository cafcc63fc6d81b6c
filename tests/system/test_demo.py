"""The demo with a short day: what it prints and what it finds."""

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT, WEIR


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, models: Path) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("demo")
    facts, chart = folder / "facts.json", folder / "day.png"
    done = subprocess.run(
        [*WEIR, "demo", "--day", "100", "--report", str(facts), "--chart", str(chart)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=420,
        env={name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")},
    )
    assert facts.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert "stand-ins" in done.stdout
    return {**json.loads(facts.read_text("utf-8")), "stdout": done.stdout, "code": done.returncode}


@pytest.mark.timeout(500)
def test_photos_are_what_they_show(report: dict) -> None:
    assert report["photosAsExpected"]
    assert {index for index, *_ in report["photos"]["cat"]} == {281, 282, 285}
    assert report["photos"]["coffee"][0][0] == 967


def test_the_cache_is_faster_than_the_model(report: dict) -> None:
    speed_ups = sorted(report["cacheSpeedUp"].values())
    assert speed_ups[len(speed_ups) // 2] > 1


def test_models_load_themselves_answer_warm_and_leave_when_idle(report: dict) -> None:
    facts = report["residency"]
    turkish, english = facts["languages"]
    assert (turkish["language"], turkish["model"]) == ("tr", "use-multilingual")
    assert (english["language"], english["model"]) == ("en", "minilm")
    for each in (turkish, english):
        assert each["warmSeconds"] < each["coldSeconds"]
        assert each["similar"] > each["unlike"] + 0.2
    assert facts["unloadReason"] == "Idle"
    assert facts["unloadedBytes"] < facts["loadedBytes"] - 100_000_000


def test_prompts_go_where_their_difficulty_says(report: dict) -> None:
    bands = {"simple": "local", "medium": "experiment", "complex": "provider"}
    assert all(prompt["band"] == bands[prompt["kind"]] for prompt in report["prompts"])
    hard = [prompt["attempts"] for prompt in report["prompts"] if prompt["kind"] == "complex"]
    assert [["bargain", "Http503"], ["large", "Answered"]] in hard
    assert [["bargain", "Answered"]] in hard


def test_the_forecast_grows_the_replicas_before_the_load_crosses_their_capacity(report: dict) -> None:
    day = report["forecasting"]
    assert day["mostReplicas"] > day["decisions"][0]["from"]
    ahead = [
        decision
        for decision in day["decisions"]
        if decision["reason"] == "Forecast"
        and decision["to"] > decision["from"]
        and decision["load"] < decision["from"] * decision["capacity"]
    ]
    assert ahead
    assert all(decision["forecastReplicas"] > decision["reactive"] for decision in ahead)
    assert not any(decision["reason"] == "Forecast" for decision in report["reactive"]["decisions"])


def test_the_same_day_is_later_without_forecasting(report: dict) -> None:
    reactive, forecasting = report["reactive"], report["forecasting"]
    assert reactive["requests"] == forecasting["requests"]
    assert forecasting["late"] < reactive["late"]
    assert forecasting["costUsd"] < 0.5 * forecasting["allProviderCostUsd"]
    assert 0.2 < forecasting["hitRatio"] < 0.5


def test_an_interrupted_demo_leaves_no_process() -> None:
    with subprocess.Popen(
        [*WEIR, "demo", "--day", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "ready" in line:
                break
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=90)
    assert process.returncode == 130
    assert len(family) >= 7
    assert not [child for child in psutil.wait_procs(family, timeout=30)[1] if child.status() != psutil.STATUS_ZOMBIE]
