"""The whole product as a user meets it: `weir up` and the commands after it."""

import json
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest
from weirworks_cli.demo.photos import demo_photos
from weirworks_engines import running_engines

from tests.conftest import Up, weir_up

PHOTOS = {photo.name: photo for photo in demo_photos()}


def test_real_photos_get_their_classes(up: Up) -> None:
    done = up.weir("classify", *(str(photo.path) for photo in PHOTOS.values()), "-o", "json")
    answers = dict(zip(PHOTOS, json.loads(done.stdout), strict=True))
    assert {each["index"] for each in answers["cat"]} == {281, 282, 285}
    for name, photo in PHOTOS.items():
        assert answers[name][0]["index"] in photo.expected, answers[name]
        assert 0 < answers[name][0]["probability"] <= 1


def test_labels_speak_turkish(up: Up) -> None:
    done = up.weir("classify", str(PHOTOS["coffee"].path), "--language", "tr", "-o", "json")
    assert json.loads(done.stdout)[0][1]["label"] == "fincan"


def test_one_bad_file_among_good_ones_is_told(up: Up, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    done = up.weir("classify", str(PHOTOS["cat"].path), str(bad), "-o", "json", check=False)
    assert done.returncode == 3
    assert json.loads(done.stdout)[1] is None
    assert "INVALID_IMAGE" in done.stderr


def test_similar_sentences_are_near(up: Up) -> None:
    texts = ["A cat sits on the mat", "A feline rests on a rug", "Stock prices fell today"]
    vectors = json.loads(up.weir("embed", *texts, "-o", "json").stdout)

    def cosine(one: int, other: int) -> float:
        return sum(a * b for a, b in zip(vectors[one], vectors[other], strict=True))

    assert cosine(0, 0) == pytest.approx(1, abs=1e-5)
    assert cosine(0, 1) > 0.4 > 0.2 > cosine(0, 2)


def test_a_route_is_explained(up: Up) -> None:
    plan = json.loads(up.weir("routes", "explain", "Merhaba", "-o", "json").stdout)
    assert plan["band"] == "local"
    assert {"score", "backend", "reason", "confidence", "expectedLatencySeconds", "expectedCostUsd"} <= plan.keys()


def test_everything_is_healthy_and_listed(up: Up) -> None:
    check = up.weir("check")
    assert check.stdout.count("SERVING") == 5
    models = json.loads(up.weir("models", "list", "-o", "json").stdout)
    names = {"models/lite0/versions/1", "models/minilm/versions/1", "models/use-multilingual/versions/1"}
    assert {model["name"] for model in models} == names
    scalers = json.loads(up.weir("scalers", "list", "-o", "json").stdout)
    assert scalers[0]["target"] == "processes/inference"


def test_without_a_suite_the_commands_say_what_to_do(up: Up) -> None:
    done = up.weir("--context", "nobody", "check", check=False)
    assert done.returncode == 1
    assert "weir up" in done.stderr


def test_a_second_suite_on_the_same_data_is_refused(up: Up) -> None:
    done = up.weir("--context", "second", "up", "--data", str(up.folder), check=False)
    assert done.returncode == 1
    assert "another suite uses" in done.stderr


def test_every_metrics_page_is_served(up: Up) -> None:
    for name, address in up.context.metrics.items():
        with urlopen(f"http://{address}/metrics", timeout=10) as page:
            text = page.read().decode()
        assert "weirworks_rpc_handled" in text, name
        assert "process_cpu_seconds_total" in text


def test_stores_of_the_operators_own_are_used_instead_of_the_embedded_ones(tmp_path: Path, models: Path) -> None:
    stores = tmp_path / "stores"
    stores.mkdir()
    with running_engines(stores) as engines:
        own = {
            "WEIRWORKS_TELEMETRY_POSTGRES_URL": engines.postgres_url,
            "WEIRWORKS_CACHE_POSTGRES_URL": engines.postgres_url,
            "WEIRWORKS_CACHE_REDIS_URL": engines.redis_url,
        }
        with weir_up(tmp_path, "own", **own) as up:
            names = " ".join(" ".join(child.cmdline()) for child in psutil.Process(up.process.pid).children())
            assert "valkey-server" not in names
            assert "bin/postgres" not in names
            up.weir("embed", "hello")
        with psycopg.connect(engines.postgres_url) as connection:
            assert connection.execute("SELECT count(*) FROM decision_events").fetchone() == (1,)


def test_load_is_answered_whole(up: Up) -> None:
    done = up.weir("load", "--rate", "20", "--seconds", "2")
    row = done.stdout.splitlines()[1].split()
    assert row[0] == row[1] == "40"
    assert row[-1] == "-"
