"""Where the running suite is: a small file that `weir up` writes and later commands find."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path


class NoContext(Exception):
    """There is no suite of that name; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Context:
    """Addresses by service, and the supervisor's process."""

    pid: int
    data: str
    addresses: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)

    def address(self, service: str) -> str:
        """`host:port`. Raises NoContext."""
        try:
            return self.addresses[service]
        except KeyError:
            raise NoContext(f"the running suite has no {service}; start it with: weir up") from None


def context_file(name: str) -> Path:
    """The file of a context, under XDG_STATE_HOME."""
    state = os.environ.get("XDG_STATE_HOME")
    root = Path(state) if state else Path.home() / ".local" / "state"
    return root / "weirworks" / f"{name}.json"


def read_context(name: str) -> Context:
    """The context of a suite that runs. Raises NoContext."""
    router = os.environ.get("WEIR_ROUTER")
    if router:
        return Context(0, "", {"router": router})
    try:
        values = json.loads(context_file(name).read_text("utf-8"))
        context = Context(**values)
    except (OSError, ValueError, TypeError):
        raise NoContext(f"no suite {name!r} is running; start it with: weir up, or set WEIR_ROUTER=host:port") from None
    if not Path(f"/proc/{context.pid}").exists():
        raise NoContext(f"the suite {name!r} has ended; start it again with: weir up")
    return context


def write_context(name: str, context: Context) -> None:
    """Replaces the file in one step."""
    path = context_file(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(json.dumps(asdict(context), indent=2) + "\n", "utf-8")
    fresh.rename(path)


def remove_context(name: str) -> None:
    """Removes the file when it is this process's own."""
    path = context_file(name)
    try:
        if json.loads(path.read_text("utf-8"))["pid"] == os.getpid():
            path.unlink()
    except (OSError, ValueError, KeyError):
        return
