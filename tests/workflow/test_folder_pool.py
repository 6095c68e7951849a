"""A process that dies or hangs takes one file with it, and no other."""

import os
import signal
from collections.abc import Callable

import pytest

from dicom_assets.errors import DicomAssetsError, RetryLater
from dicom_assets.workflow import folder_pool
from dicom_assets.workflow.folder_pool import FolderPool

CHUNKS = [[b"%d" % (10 * tens + ones) for ones in range(10)] for tens in range(5)]
NAMES = [name for chunk in CHUNKS for name in chunk]


def work(workers: int, do: Callable[[bytes], tuple]) -> tuple[list[bytes], list[bytes]]:
    """Names that were done, and names that ended their process."""
    done, died = [], []
    with FolderPool(workers, lambda _number: do) as pool:
        for results, dead in pool.map(CHUNKS):
            done += [name for (name,) in results]
            died += dead
    return sorted(done, key=int), sorted(died, key=int)


def dies_of(*names: bytes) -> Callable[[bytes], tuple]:
    def do(name: bytes) -> tuple:
        if name in names:
            os.kill(os.getpid(), signal.SIGKILL)
        return (name,)

    return do


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_everything_is_done_once(workers: int) -> None:
    assert work(workers, lambda name: (name,)) == (NAMES, [])


@pytest.mark.parametrize("workers", [1, 3])
def test_a_file_that_ends_its_process_is_told_and_the_rest_is_done(workers: int) -> None:
    deadly = (b"0", b"17", b"18", b"49")
    assert work(workers, dies_of(*deadly)) == ([name for name in NAMES if name not in deadly], list(deadly))


def test_a_process_killed_for_another_reason_costs_no_file(tmp_path) -> None:
    def do(name: bytes) -> tuple:
        if name == b"25" and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return (name,)

    assert work(2, do) == (NAMES, [])


def test_a_file_that_takes_for_ever_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_pool, "_FILE_SECONDS", 0.2)

    def do(name: bytes) -> tuple:
        while name == b"33":
            pass
        return (name,)

    assert work(2, do) == ([name for name in NAMES if name != b"33"], [b"33"])


def test_an_error_of_the_machine_stops_all_and_no_process_stays() -> None:
    pids = set()

    def do(name: bytes) -> tuple:
        if name == b"21":
            raise RetryLater("DISK_FULL")
        return (os.getpid(),)

    with pytest.raises(DicomAssetsError, match="DISK_FULL"), FolderPool(2, lambda _number: do) as pool:
        for results, _died in pool.map(CHUNKS):
            pids |= {pid for (pid,) in results}
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("deadly", [(), (b"5",), (b"3", b"9", b"40")])
def test_large_results_are_sent_before_the_chunk_is_done(
    monkeypatch: pytest.MonkeyPatch, deadly: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(folder_pool, "_MOST_VALUES", 100)
    do, sizes, done, died = dies_of(*deadly), [], [], []
    with FolderPool(2, lambda _number: lambda name: (*do(name), ("1.2.3",) * 60)) as pool:
        for results, dead in pool.map(CHUNKS):
            sizes.append(len(results))
            done += [name for name, _uids in results]
            died += dead
    assert max(sizes) == 2
    assert sorted([*done, *died], key=int) == NAMES
    assert sorted(died, key=int) == list(deadly)


def test_large_names_and_results_do_not_block() -> None:
    chunks = [[b"x" * 4000] * 40] * 6
    with FolderPool(2, lambda _number: lambda name: (name * 10,)) as pool:
        assert sum(len(results) for results, _died in pool.map(chunks)) == 240
