"""What the inference tests share: engines, and graphs that are optimised once for all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from weirworks_engines import Engines, running_engines
from weirworks_inference.settings import InferenceSettings


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    with running_engines(tmp_path_factory.mktemp("engines")) as running:
        yield running


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every test's service keeps its optimised graphs."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture
def settings_of(graphs: Path, tmp_path: Path) -> Callable[..., InferenceSettings]:
    """Settings of a service with a data folder of its own."""

    def make(models: Path, **fields: Any) -> InferenceSettings:
        return InferenceSettings(models=models, data_dir=tmp_path / "data", optimized_dir=graphs, **fields)

    return make
