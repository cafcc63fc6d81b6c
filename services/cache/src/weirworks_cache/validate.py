"""The rules of requests that a type cannot say."""

from datetime import timedelta

from weirworks.cache.v1.cache_service_pb2 import StoreEntryRequest
from weirworks.cache.v1.entry_pb2 import EntryKey
from weirworks_rpc import Violation
from weirworks_rpc.requests import refuse

MAX_VALUE = 4 * 1024 * 1024
_MAX_TTL = timedelta(days=30)


def check_key(key: EntryKey) -> None:
    """Raises InvalidFields with every violation."""
    refuse(_key_problems(key))


def check_store(request: StoreEntryRequest) -> None:
    """Raises InvalidFields with every violation."""
    problems = _key_problems(request.key)
    if not 1 <= len(request.value) <= MAX_VALUE:
        problems.append(Violation("value", f"{len(request.value)} bytes given; 1 to {MAX_VALUE}"))
    if request.HasField("ttl"):
        seconds = request.ttl.seconds + request.ttl.nanos / 1e9
        if not 0 < seconds <= _MAX_TTL.total_seconds():
            problems.append(Violation("ttl", "must be above 0 and at most 30 days"))
    refuse(problems)


def _key_problems(key: EntryKey) -> list[Violation]:
    problems = []
    if not key.operation:
        problems.append(Violation("key.operation", "must not be empty"))
    if len(key.input_digest) != 32:
        problems.append(Violation("key.input_digest", f"{len(key.input_digest)} bytes given; must be 32"))
    if len(key.parameters) > 64:
        problems.append(Violation("key.parameters", f"{len(key.parameters)} given; at most 64"))
    return problems
