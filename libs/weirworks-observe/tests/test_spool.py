from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weirworks_observe.spool import Spool, read_segment


def kill(spool: Spool) -> None:
    """What the kernel does to the files of a killed process."""
    spool._file.close()
    spool._lock.close()


messages = st.lists(st.binary(max_size=200), max_size=30)


@given(messages, st.integers(min_value=1, max_value=500))
def test_every_message_comes_back_in_order(sent: list[bytes], limit: int) -> None:
    with TemporaryDirectory() as folder:
        spool = Spool(Path(folder), limit)
        for message in sent:
            spool.append(message)
        spool.seal()
        assert [message for path in spool.sealed() for message in read_segment(path)] == sent
        spool.close()


@given(messages, st.integers(min_value=0, max_value=400))
def test_a_segment_cut_anywhere_gives_its_whole_messages(sent: list[bytes], kept: int) -> None:
    with TemporaryDirectory() as folder:
        spool = Spool(Path(folder))
        for message in sent:
            spool.append(message)
        (path,) = spool.segments()
        kill(spool)
        path.write_bytes(path.read_bytes()[:kept])
        read = read_segment(path)
        assert read == sent[: len(read)]


def test_a_new_process_finds_what_the_old_one_left(tmp_path: Path) -> None:
    old = Spool(tmp_path)
    old.append(b"left behind")
    kill(old)
    new = Spool(tmp_path)
    assert [read_segment(path) for path in new.sealed()] == [[b"left behind"]]
    new.close()


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    with pytest.raises(BlockingIOError, match="data_dir"):
        Spool(tmp_path)
    first.close()


def test_above_its_limit_the_oldest_goes(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=100, limit_bytes=450)
    for number in range(20):
        spool.append(bytes([number]) * 96)
    kept = [message[0] for path in spool.sealed() for message in read_segment(path)]
    assert kept == [16, 17, 18, 19]
    assert read_segment(tmp_path / "000000000001.spool") == []
    spool.close()
