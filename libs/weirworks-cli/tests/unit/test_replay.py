"""`weir scalers replay`: what files it reads, and what it says of them."""

import csv
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from weirworks_cli.main import main
from weirworks_cli.recorded import Unreadable, read


def test_a_csv_of_counts_with_times_becomes_rates(tmp_path: Path) -> None:
    file = tmp_path / "load.csv"
    file.write_text("Time,Requests\n2026-01-01T00:00:00Z,20\n2026-01-01T00:00:10Z,30\n2026-01-01T00:00:30Z,10\n")
    recorded = read(file, None)
    assert recorded.loads == [2.0, 3.0, 0.0, 1.0]
    assert recorded.step == timedelta(seconds=10)
    assert recorded.start == datetime(2026, 1, 1, tzinfo=UTC)


def test_what_prometheus_answered_adds_up_over_its_series(tmp_path: Path) -> None:
    series = [{"metric": {}, "values": [[100, "1.5"], [115, "2"]]}, {"metric": {}, "values": [[100, "1"], [115, "1"]]}]
    file = tmp_path / "range.json"
    file.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": series}}))
    recorded = read(file, None)
    assert (recorded.loads, recorded.step) == ([2.5, 3.0], timedelta(seconds=15))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("a,b\n1,2\n", "no column of load", id="columns"),
        pytest.param("load\n1\n2\n", "--step", id="no times"),
        pytest.param("time,load\n1,2\n2,x\n", "line 3", id="not a number"),
        pytest.param("time,load\n1,2\n2,-3\n", "negative", id="negative"),
        pytest.param("time,load\n1,nan\n2,3\n", "not a number", id="nan"),
        pytest.param("time,load\n1,2\n", "fewer than two", id="one row"),
        pytest.param("time,load\n0,1\n1,1\n900000000,1\n", "not a series", id="a gap of years"),
        pytest.param('{"data": 3}', "not the answer of Prometheus", id="other json"),
        pytest.param("", "no column", id="empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_why(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "load"
    file.write_text(text)
    with pytest.raises(Unreadable, match=sentence):
        read(file, None)
    done = CliRunner().invoke(main, ["scalers", "replay", str(file), "--capacity", "10"])
    assert done.exit_code == 2
    assert sentence in done.output


def test_a_replay_says_what_forecasts_change(tmp_path: Path) -> None:
    minutes = np.arange(3 * 24 * 60)
    rates = [60 - 50 * math.cos(2 * math.pi * minute / 1440) for minute in minutes]
    loads = np.random.default_rng(1).poisson(np.array(rates) * 60) / 60
    file = tmp_path / "load.csv"
    file.write_text("time,load\n" + "".join(f"{60 * minute},{load}\n" for minute, load in enumerate(loads)))
    table, picture = tmp_path / "out.csv", tmp_path / "out.png"
    arguments = ["scalers", "replay", str(file), "--capacity", "10", "--lead-time", "240", "--interval", "60"]
    arguments += ["--warmup", "86400", "--csv", str(table), "--png", str(picture), "-o", "json"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["forecasting"]["lateRatio"] < 0.01
    assert said["forecasting"]["replicaHours"] < said["no forecasting"]["replicaHours"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 2 * 24 * 60
    assert {row["reason"] for row in rows} <= {"Forecast", "Load", "Steady", "AtMaximum", "AtMinimum"}


def test_terms_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "load.csv"
    file.write_text("time,load\n0,1\n60,1\n")
    done = CliRunner().invoke(main, ["scalers", "replay", str(file), "--capacity", "-1"])
    assert done.exit_code == 2
    assert "capacity" in done.output
