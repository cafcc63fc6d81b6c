from collections.abc import Iterator

import pytest
from weirworks_engines import Engines, running_engines


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    with running_engines(tmp_path_factory.mktemp("engines")) as running:
        yield running
