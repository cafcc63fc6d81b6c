"""An append-only file of messages that survives the process.

Written before a request is answered, so that the event of every answered request reaches telemetry
even when the process is killed a moment later. Not fsynced: it outlives a killed process, not a
machine that loses power. Bounded: above its limit the oldest segment goes, with an error in the log,
because an inference plane must not stop when its telemetry has been away for days.
"""

import fcntl
import logging
import struct
from pathlib import Path

log = logging.getLogger(__name__)
_LENGTH = struct.Struct("<I")


class Spool:
    """Segments `<number>.spool` in a folder; the newest is written, older ones wait to be sent."""

    def __init__(
        self, folder: Path, segment_bytes: int = 4 * 1024 * 1024, limit_bytes: int = 1024 * 1024 * 1024
    ) -> None:
        """Raises BlockingIOError when another process writes there."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise BlockingIOError(f"another process keeps its events in {folder}; choose another data_dir") from None
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._limit_bytes = limit_bytes
        self._number = max((int(path.stem) for path in self.segments()), default=0)
        self._open_next()

    def segments(self) -> list[Path]:
        """All segments, oldest first."""
        return sorted(self._folder.glob("*.spool"), key=lambda path: int(path.stem))

    def sealed(self) -> list[Path]:
        """Segments that are not written any more, oldest first."""
        return [path for path in self.segments() if path != self._path]

    def append(self, message: bytes) -> None:
        """Writes one message; raises OSError when the disk refuses it."""
        self._file.write(_LENGTH.pack(len(message)) + message)
        self._size += _LENGTH.size + len(message)
        if self._size >= self._segment_bytes:
            self.seal()

    def seal(self) -> None:
        """Closes the current segment, so that it may be sent; does nothing while it is empty."""
        if self._size:
            self._file.close()
            self._open_next()

    def close(self) -> None:
        """Closes the current segment and removes it when it is empty."""
        self._file.close()
        if not self._size:
            self._path.unlink(missing_ok=True)
        self._lock.close()

    def _drop_oldest(self) -> None:
        """Removes segments until the rest is within the limit."""
        sizes = {path: path.stat().st_size for path in self.segments()}
        for path, size in sizes.items():
            if sum(sizes.values()) <= self._limit_bytes:
                return
            path.unlink(missing_ok=True)
            sizes[path] = 0
            log.error("events dropped", extra={"segment": path.name, "bytes": size})

    def _open_next(self) -> None:
        self._drop_oldest()
        self._number += 1
        self._path = self._folder / f"{self._number:012d}.spool"
        self._file = self._path.open("ab", buffering=0)
        self._size = 0


def read_segment(path: Path) -> list[bytes]:
    """The messages of a segment; a last one that was cut by a kill was never acknowledged and is left out.

    A segment that was dropped meanwhile has none.
    """
    try:
        wire = path.read_bytes()
    except FileNotFoundError:
        return []
    messages = []
    offset = 0
    while offset + _LENGTH.size <= len(wire):
        (length,) = _LENGTH.unpack_from(wire, offset)
        offset += _LENGTH.size
        if offset + length > len(wire):
            break
        messages.append(wire[offset : offset + length])
        offset += length
    return messages
