import pickle
from pathlib import Path

import pytest
from weirworks_models.torchfile import read_checkpoint

MAGIC = 0x1950A86A20F9469CFC6C


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("a pickle ran",)


def test_a_pickle_that_asks_for_another_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + pickle.dumps(Evil(), 2))
    with pytest.raises(ValueError, match="not allowed"):
        read_checkpoint(path)
    assert capsys.readouterr().out == ""


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(pickle.dumps(1))
    with pytest.raises(ValueError, match="not a legacy"):
        read_checkpoint(path)
