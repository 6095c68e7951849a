import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dicom_assets.errors import Refused
from dicom_assets.storage.atomic import (
    LONG_AGO,
    UNFINISHED,
    create_exclusively,
    exclusive_lock,
    remove_unfinished,
    write_file,
    write_if_changed,
)


def test_files_and_folders_that_we_make_are_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "restricted" / "a" / "file"
    write_file(path, b"x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_unchanged_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert write_if_changed(path, b"x")
    before = path.stat()
    assert not write_if_changed(path, b"x")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert write_if_changed(path, b"y")


def test_a_file_is_created_once(tmp_path: Path) -> None:
    assert create_exclusively(tmp_path / "key", b"first")
    assert not create_exclusively(tmp_path / "key", b"second")
    assert (tmp_path / "key").read_bytes() == b"first"
    assert not list(tmp_path.glob(f"*{UNFINISHED}"))


def test_a_lock_is_held_by_one_process_and_freed_by_its_death(tmp_path: Path) -> None:
    lock = tmp_path / "batch.lock"
    code = (
        "import sys, time; from pathlib import Path; from dicom_assets.storage.atomic import exclusive_lock\n"
        "with exclusive_lock(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, lock], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Refused, match="BATCH_BUSY"), exclusive_lock(lock):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with exclusive_lock(lock):
        pass


def test_a_killed_writer_leaves_nothing_under_a_final_name(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dicom_assets.storage.atomic import write_file\n"
        "n = 0\nprint('on', flush=True)\n"
        "while True:\n    n += 1\n    write_file(Path(sys.argv[1]) / str(n), bytes([n % 256]) * 300000)"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()
        time.sleep(0.3)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    remove_unfinished(tmp_path)
    files = list(tmp_path.iterdir())
    assert files
    for path in files:
        assert path.read_bytes() == bytes([int(path.name) % 256]) * 300000


def test_what_others_may_be_writing_stays(tmp_path: Path) -> None:
    old, new = tmp_path / f"a{UNFINISHED}", tmp_path / f"b{UNFINISHED}"
    for path in (old, new):
        path.write_bytes(b"half")
    long_ago = time.time() - 2 * LONG_AGO
    os.utime(old, (long_ago, long_ago))
    remove_unfinished(tmp_path, LONG_AGO)
    assert list(tmp_path.iterdir()) == [new]


def test_what_cannot_get_its_name_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "folder", b"identifies")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
