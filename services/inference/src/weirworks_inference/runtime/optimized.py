"""Graphs as ONNX Runtime's optimiser left them, kept beside the service because the model volume may be read-only.

The optimiser runs in a process of its own: a file that crashes it, or that eats all memory, then costs that
process and not the service, and what optimising needed is given back. The key of a graph is everything that
its form depends on.
"""

import hashlib
import json
import logging
import platform
import subprocess
import sys
from pathlib import Path

from weirworks_inference.runtime.options import Defaults
from weirworks_inference.runtime.protocol import LoadFailed, Source

log = logging.getLogger(__name__)
_PATIENCE = 300.0
# Above protobuf's limit a graph keeps its weights in files beside it, which a copy elsewhere would not find.
_LARGEST = 1_900_000_000
_OUTSIDE = ("*.data", "*.onnx_data", "*.weight", "*.bin")


class OptimizedGraphs:
    """A folder of optimised graphs, shared by processes that name the same one."""

    def __init__(self, folder: Path, *, isolate: bool = True) -> None:
        self.folder = folder
        self._isolate = isolate
        self._machine = _machine()

    def find_or_make(self, source: Source, defaults: Defaults) -> Path | None:
        """The optimised file; None where the original must be loaded. Raises LoadFailed."""
        if not self._isolate or not _is_whole(source.graph):
            return None
        # Not before the first load: a start would take a tenth longer.
        import onnxruntime

        key = hashlib.sha256(json.dumps([source.digest, onnxruntime.__version__, *self._machine]).encode())
        target = self.folder / f"{source.folder.parent.name}-{key.hexdigest()[:24]}.onnx"
        if not target.exists():
            self._make(source, defaults, target)
        return target if target.exists() else None

    def clear(self) -> int:
        """Removes all graphs; returns how many. Loaded ones are not touched by that."""
        files = list(self.folder.glob("*.onnx")) if self.folder.exists() else []
        for file in files:
            file.unlink(missing_ok=True)
        return len(files)

    def _make(self, source: Source, defaults: Defaults, target: Path) -> None:
        threads = source.card.session.threads or defaults.threads
        command = [sys.executable, "-m", "weirworks_inference.runtime.optimizer"]
        arguments = [str(source.graph), str(target), str(threads)]
        try:
            done = subprocess.run(  # noqa: S603  (our own module on a path of the repository)
                [*command, *arguments], capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise LoadFailed(f"{source.graph.name} did not load within {_PATIENCE:.0f} s") from None
        if done.returncode < 0:
            raise LoadFailed(f"{source.graph.name} ends ONNX Runtime by signal {-done.returncode}")
        if done.returncode == 1:
            log.warning("model refused", extra={"file": str(source.graph), "why": done.stdout[-500:]})
            raise LoadFailed(f"{source.graph.name} is not a model that ONNX Runtime can run")
        if done.returncode != 0:
            # It loads but cannot be kept, on a full or read-only disk say: the original does as well, slower.
            log.warning("optimised graph not kept", extra={"file": str(source.graph), "why": done.stderr[-500:]})


def _is_whole(graph: Path) -> bool:
    return graph.stat().st_size < _LARGEST and not any(any(graph.parent.glob(pattern)) for pattern in _OUTSIDE)


def _machine() -> tuple[str, str]:
    """The architecture and a digest of the CPU's features: optimised layouts fit one kind of CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return platform.machine(), hashlib.sha256(features.encode()).hexdigest()
