import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis
from weirworks_engines import running_engines

CHILD = """
import sys, time
from pathlib import Path
from weirworks_engines import running_engines
with running_engines(Path(sys.argv[1])) as engines:
    print(engines.postgres_url, engines.redis_url, flush=True)
    time.sleep(60)
"""


def test_both_answer_and_keep_their_data(tmp_path: Path) -> None:
    with running_engines(tmp_path) as engines:
        with psycopg.connect(engines.postgres_url) as connection:
            connection.execute("CREATE TABLE t AS SELECT 7 AS x")
            known = connection.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'").fetchone()
            assert known == (1,)
        with redis.Redis.from_url(engines.redis_url) as client:
            assert client.ping()
    with running_engines(tmp_path) as engines, psycopg.connect(engines.postgres_url) as connection:
        assert connection.execute("SELECT x FROM t").fetchone() == (7,)


def test_several_start_at_once(tmp_path: Path) -> None:
    def one(name: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        with running_engines(folder) as engines, psycopg.connect(engines.postgres_url):
            return engines.postgres_url

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(one, ["a", "b", "c"]))) == 3


def test_they_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        postgres, valkey = parent.stdout.readline().rsplit(" ", 1)
        parent.send_signal(signal.SIGKILL)
    assert _goes_away(lambda: psycopg.connect(postgres, connect_timeout=1).close())
    client = redis.Redis.from_url(valkey.strip(), socket_timeout=1)
    assert _goes_away(client.ping)
    client.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_they_run_as_another_user() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        code = CHILD.replace("time.sleep(60)", "")
        readable = os.access(Path(sys.executable).resolve(), os.X_OK) and _others_may_read(Path(sys.executable))
        if not readable:
            pytest.skip("this Python lies in a folder that only root can read")
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code, name],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HOME": name},
            cwd=name,
        )
        assert done.returncode == 0, done.stderr
        assert "postgresql://" in done.stdout


def _others_may_read(path: Path) -> bool:
    places = [path, path.resolve()]
    return all(parent.stat().st_mode & 0o001 for place in places for parent in place.parents)


def _goes_away(ask: "object") -> bool:
    assert callable(ask)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            ask()
        except (psycopg.OperationalError, redis.RedisError, OSError):
            return True
        time.sleep(0.05)
    return False
