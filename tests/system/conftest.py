from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Up, weir_up


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Up]:
    with weir_up(tmp_path_factory.mktemp("suite"), "test", WEIRWORKS_ROUTER_EVENT_INTERVAL="PT0.2S") as running:
        yield running
