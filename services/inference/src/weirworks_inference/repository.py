"""The models on disk: `<root>/<model>/<version>/`, versions are numbers."""

import re
from dataclasses import dataclass
from pathlib import Path

from weirworks_inference.core.residency import ModelKey

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# What makes a folder a model: a graph, or the configuration of ONNX Runtime GenAI.
_MARKS = ("model.onnx", "genai_config.json", "card.toml")
# Name, modification time and size of every file.
Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A version's folder and what its files looked like."""

    folder: Path
    stamp: Stamp


class Repository:
    """Reads the folder; knows nothing of what is in memory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def scan(self) -> dict[ModelKey, Found]:
        """All versions that are there now."""
        found: dict[ModelKey, Found] = {}
        for folder in self._root.glob("*/*/"):
            name, version = folder.parent.name, folder.name
            if not _NAME.fullmatch(name) or not (version.isascii() and version.isdecimal()):
                continue
            stamp = _stamp(folder)
            if any(file in _MARKS for file, _, _ in stamp):
                found[name, version] = Found(folder, stamp)
        return found


def _stamp(folder: Path) -> Stamp:
    files = []
    try:
        for path in folder.iterdir():
            stat = path.stat()
            files.append((path.name, stat.st_mtime_ns, stat.st_size))
    except OSError:
        # A file that goes while it is looked at is there again or gone at the next look.
        return ()
    return tuple(sorted(files))
