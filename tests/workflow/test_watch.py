"""The watched folder: what is whole leaves it for incoming, what can't be taken for quarantine, the rest stays."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from dicom_assets.errors import BadInput
from dicom_assets.settings import Settings
from dicom_assets.storage.file_trees import FileTree, opened_tree
from dicom_assets.storage.incoming import Incoming, instances_in, waiting_studies
from dicom_assets.storage.set_aside import RECORD, SetAside
from dicom_assets.storage.tables import read_sealed
from dicom_assets.workflow import watch as watch_module
from dicom_assets.workflow import watcher as watcher_module
from dicom_assets.workflow.watch import check_watch_folder, watch, watch_state
from dicom_assets.workflow.watcher import QUIET, Watcher
from tests.storage.arriving import STUDY, file_name, incoming_at, study_key
from tests.support.handed import IMAGES, copy_medium, kill_when_there_are, make_zip, medium_entries, part10
from tests.support.one_key import zones_at
from tests.support.waiting import wait_for

_SETTLE = 100.0
_SECONDS = 60
_WATCH_AT_ONCE = """
import sys, threading
from pathlib import Path
from dicom_assets.settings import Settings
from dicom_assets.workflow import watch, watcher
from tests.storage.arriving import incoming_at
watcher.QUIET, watch._PAUSE = 0.0, 0.01
settings = Settings.from_env()
with incoming_at(settings.restricted_root / "incoming").opened() as incoming:
    watch.watch(settings, incoming, threading.Event())
"""


class Watched:
    """A folder, a watcher that looks when it is told to, and its clock."""

    def __init__(self, root: Path, incoming: Incoming, clock: SimpleNamespace) -> None:
        self.folder, self.zones = root / "watched", zones_at(root)
        self.incoming, self.clock = incoming, clock
        self.watcher = self.new_watcher()

    def new_watcher(self) -> Watcher:
        return Watcher(self.zones, self.incoming, _SETTLE, threading.Event())

    def look(self, seconds_later: float = 0.0) -> None:
        self.clock.now += seconds_later
        with opened_tree(self.folder) as tree:
            self.watcher.look(tree)

    def put(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    @property
    def there(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))

    @property
    def files(self) -> list[str]:
        return [name for name in self.there if (self.folder / name).is_file()]

    @property
    def kept(self) -> int:
        return sum(len(instances_in(study.folder)) for study in waiting_studies(self.incoming.folder))

    @property
    def quarantine(self) -> Path:
        return self.zones.restricted / "quarantine" / "watched"

    @property
    def set_aside(self) -> list[tuple[str, str]]:
        """(suffix, reason) of the files in quarantine; every one has its record."""
        rows = read_sealed(self.quarantine / RECORD, SetAside)
        there = {path.name for path in self.quarantine.iterdir()} if self.quarantine.is_dir() else {RECORD}
        assert there == {row.file for row in rows} | {RECORD}
        return sorted((Path(row.file).suffix, row.reason) for row in rows)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(watcher_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    (tmp_path / "watched").mkdir()
    with incoming_at(tmp_path / "restricted" / "incoming").opened() as incoming:
        yield Watched(tmp_path, incoming, clock)


def test_a_file_is_taken_when_it_has_not_changed_for_a_while(watched: Watched) -> None:
    path = watched.put("a/b/1.dcm", part10("1.2.1"))
    watched.look()
    watched.look(QUIET - 1)
    assert watched.kept == 0
    status = path.stat()
    path.write_bytes(part10("1.2.2"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    watched.look(2)
    watched.look(QUIET - 1)
    assert watched.kept == 0 and path.is_file()
    watched.look(2)
    (kept,) = instances_in(watched.incoming.folder / study_key(STUDY))
    assert kept.name == file_name("1.2.2") and kept.read_bytes() == part10("1.2.2")
    assert not path.exists()


def test_a_folder_goes_when_it_has_been_empty_for_a_while_and_the_root_stays(watched: Watched) -> None:
    watched.put("a/b/1.dcm", part10("1.2.1"))
    (watched.folder / "made by somebody").mkdir()
    watched.look()
    watched.look(QUIET)
    assert watched.there == ["a", "a/b", "made by somebody"]
    watched.look(_SETTLE)
    assert watched.there == ["a", "made by somebody"]
    watched.look(_SETTLE)
    watched.look(_SETTLE)
    assert watched.there == ["made by somebody"]


def test_what_is_no_dicom_stays_and_is_looked_at_again_when_it_changes(watched: Watched) -> None:
    path = watched.put("notes.txt", b"no DICOM")
    make_zip(watched.folder / "papers.zip", {"paper": b"no DICOM"})
    watched.put(".hidden/1.dcm", part10("1.2.5"))
    for _ in range(3):
        watched.look(_SETTLE)
    assert watched.there == [".hidden", ".hidden/1.dcm", "notes.txt", "papers.zip"]
    assert watched.watcher.left == {"NOT_DICOM": 2} and watched.watcher.waiting == 0
    path.write_bytes(part10("1.2.1"))
    watched.look()
    watched.look(QUIET)
    assert watched.kept == 1 and watched.set_aside == []


def test_links_and_pipes_are_passed_over(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(part10("1.2.1"))
    (watched.folder / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(watched.folder / "pipe")
    watched.look()
    watched.look(QUIET)
    assert watched.kept == 0 and watched.there == ["link", "pipe"]
    assert watched.watcher.left == {"LINK_NOT_FOLLOWED": 1, "NOT_A_FILE": 1}


def test_a_file_that_is_cut_short_is_waited_for(watched: Watched) -> None:
    whole = part10("1.2.1", more=b"pixels" * 9)
    path = watched.put("1.dcm", whole[:-5])
    watched.look()
    watched.look(QUIET)
    watched.look(_SETTLE - QUIET - 1)
    assert watched.there == ["1.dcm"]
    path.write_bytes(whole)
    watched.look()
    watched.look(QUIET)
    assert watched.kept == 1 and watched.there == [] and watched.set_aside == []


def test_one_that_stays_cut_short_goes_into_quarantine(watched: Watched) -> None:
    content = part10("1.2.1", more=b"pixels" * 9)[:-5]
    watched.put("somebody's name.dcm", content)
    watched.put("2.dcm", bytes(128) + b"DICM" + b"garbage" * 30)
    watched.look()
    watched.look(QUIET)
    watched.look(_SETTLE)
    assert watched.there == [] and watched.kept == 0
    assert watched.set_aside == [(".dcm", "FILE_CUT_SHORT"), (".dcm", "FILE_DAMAGED")]
    assert content in [path.read_bytes() for path in watched.quarantine.glob("*.dcm")]
    assert not list(watched.quarantine.glob("*name*"))
    assert watched.watcher.set_aside == {"FILE_CUT_SHORT": 1, "FILE_DAMAGED": 1}


def test_a_zip_without_its_end_is_waited_for(watched: Watched, tmp_path: Path) -> None:
    whole = make_zip(tmp_path / "some.zip", {"1": part10("1.2.1"), "2": part10("1.2.2"), "3": b"text"}).read_bytes()
    path = watched.put("some.zip", whole[:-30])
    watched.look()
    watched.look(QUIET)
    assert watched.kept == 0 and watched.there == ["some.zip"]
    path.write_bytes(whole)
    watched.look()
    watched.look(QUIET)
    assert watched.kept == 2 and watched.there == []


def test_a_zip_with_a_refused_entry_goes_into_quarantine_after_the_good_ones_were_taken(watched: Watched) -> None:
    make_zip(watched.folder / "some.zip", {"1": part10("1.2.1"), "2": part10("1.2.2", more=b"pixels" * 9)[:-5]})
    watched.look()
    watched.look(QUIET)
    watched.look(_SETTLE)
    assert watched.kept == 1 and watched.there == []
    assert watched.set_aside == [(".zip", "FILE_CUT_SHORT")]


def test_a_whole_medium_is_taken_together(watched: Watched) -> None:
    files = copy_medium(watched.folder / "cd")
    watched.look()
    last = files.pop()
    content = last.read_bytes()
    last.unlink()
    watched.look(QUIET)
    watched.look(QUIET)
    assert watched.kept == 0
    last.write_bytes(content)
    watched.look()
    watched.look(QUIET)
    assert watched.kept == IMAGES and watched.files == []
    assert watched.set_aside == [] and watched.watcher.counts["missing"] == 0


def test_what_a_medium_lacks_is_waited_for_and_then_recorded(watched: Watched) -> None:
    copy_medium(watched.folder / "cd")[0].unlink()
    watched.put("cd/beside.dcm", part10("1.2.1"))
    watched.look()
    watched.look(QUIET)
    assert watched.kept == 1, "what the DICOMDIR does not name waits for nothing"
    watched.look(_SETTLE)
    assert watched.kept == IMAGES and watched.set_aside == [(".dicomdir", "MEDIA_INCOMPLETE")]
    assert watched.watcher.counts["missing"] == 1


def test_a_damaged_image_of_a_medium_is_missing_from_it(watched: Watched) -> None:
    files = copy_medium(watched.folder / "cd")
    files[0].write_bytes(files[0].read_bytes()[:-1])
    watched.look()
    watched.look(QUIET)
    assert watched.set_aside == []
    watched.look(_SETTLE)
    watched.look(_SETTLE)
    assert watched.kept == IMAGES - 1
    assert watched.set_aside == [(".dcm", "FILE_CUT_SHORT"), (".dicomdir", "MEDIA_INCOMPLETE")]


def test_a_medium_in_a_zip_that_lacks_files_is_set_aside_whole(watched: Watched) -> None:
    entries = medium_entries()
    entries.pop(min(entries))
    make_zip(watched.folder / "cd.zip", entries)
    watched.look()
    watched.look(QUIET)
    watched.look(_SETTLE)
    assert watched.kept == len(entries) - 1 and watched.set_aside == [(".zip", "MEDIA_INCOMPLETE")]


def test_a_dicomdir_that_cannot_be_read_keeps_nobody_waiting(watched: Watched) -> None:
    copy_medium(watched.folder)
    watched.put("DICOMDIR", b"not one")
    watched.look()
    watched.look(QUIET)
    assert watched.kept == IMAGES and watched.files == ["DICOMDIR"]
    watched.look(_SETTLE)
    assert watched.set_aside == [(".dicomdir", "MEDIA_UNREADABLE")]


def test_a_file_that_is_exchanged_while_it_is_taken_is_not_lost(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = watched.put("1.dcm", part10("1.2.1"))
    remove = FileTree.remove

    def remove_late(tree: FileTree, name: bytes, signature: object) -> bool:
        monkeypatch.setattr(FileTree, "remove", remove)
        path.write_bytes(part10("1.2.2"))
        return tree.remove(name, signature)

    watched.look()
    monkeypatch.setattr(FileTree, "remove", remove_late)
    watched.look(QUIET)
    assert path.read_bytes() == part10("1.2.2")
    watched.look()
    watched.look(QUIET)
    assert watched.kept == 2 and watched.there == []


def test_what_was_taken_and_not_removed_is_there_once(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.put("1.dcm", part10("1.2.1"))
    monkeypatch.setattr(FileTree, "remove", lambda *_: False)  # as after a crash
    watched.look()
    watched.look(QUIET)
    monkeypatch.undo()
    monkeypatch.setattr(watcher_module, "time", SimpleNamespace(monotonic=lambda: watched.clock.now))
    watched.watcher = watched.new_watcher()
    watched.look()
    watched.look(QUIET)
    assert watched.kept == 1 and watched.there == [] and watched.watcher.counts["already_here"] == 1


def test_a_full_disk_leaves_all_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path, monkeypatch)
    monkeypatch.setattr(watcher_module, "QUIET", 0.0)
    monkeypatch.setattr(watch_module, "_PAUSE", 0.01)
    (tmp_path / "watched" / "1.dcm").write_bytes(part10("1.2.1"))
    zones, stop = zones_at(tmp_path), threading.Event()
    with incoming_at(zones.incoming, reserve=1 << 60).opened() as incoming:
        thread = threading.Thread(target=watch, args=(settings, incoming, stop))
        thread.start()
        wait_for(lambda: (state := watch_state(zones)) is not None and state.code == "DISK_FULL", _SECONDS)
        stop.set()
        thread.join(_SECONDS)
    assert not thread.is_alive() and (tmp_path / "watched" / "1.dcm").is_file()
    assert watch_state(zones).waiting == 1


def test_a_folder_that_is_not_there_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path, monkeypatch)
    monkeypatch.setattr(watcher_module, "QUIET", 0.0)
    monkeypatch.setattr(watch_module, "_PAUSE", 0.01)
    (tmp_path / "watched").rmdir()
    zones, stop = zones_at(tmp_path), threading.Event()
    with incoming_at(zones.incoming).opened() as incoming:
        thread = threading.Thread(target=watch, args=(settings, incoming, stop))
        thread.start()
        wait_for(lambda: (state := watch_state(zones)) is not None and state.code == "WATCH_FOLDER_MISSING", _SECONDS)
        (tmp_path / "watched").mkdir()
        (tmp_path / "watched" / "1.dcm").write_bytes(part10("1.2.1"))
        wait_for(lambda: watch_state(zones).taken == 1, _SECONDS)
        stop.set()
        thread.join(_SECONDS)
    assert watch_state(zones).code == ""


@pytest.mark.parametrize("place", ["restricted", "restricted/below", "released", ".", "keys"])
def test_a_watched_folder_among_our_own_data_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    settings = settings_of(tmp_path, monkeypatch, place)
    with pytest.raises(BadInput, match="WATCH_FOLDER_OVERLAPS"):
        check_watch_folder(settings)


def settings_of(root: Path, monkeypatch: pytest.MonkeyPatch, watched: str = "watched") -> Settings:
    (root / "watched").mkdir()
    for name, value in variables(root).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DICOM_WATCH_FOLDER", str(root / watched))
    return Settings.from_env()


def variables(root: Path) -> dict[str, str]:
    return {
        "DICOM_RESTRICTED_ROOT": str(root / "restricted"),
        "DICOM_RELEASED_ROOT": str(root / "released"),
        "DICOM_PSEUDONYM_KEY_FILE": str(root / "keys" / "pseudonym.key"),
        "DICOM_WATCH_FOLDER": str(root / "watched"),
        "DICOM_ARRIVAL_SETTLE_SECONDS": "0",
    }


def test_killed_again_and_again_it_loses_nothing_and_has_nothing_twice(tmp_path: Path) -> None:
    folder = tmp_path / "watched"
    uids = [f"1.2.{number}" for number in range(160)]
    for number, uid in enumerate(uids):
        path = folder / str(number % 7) / f"{number}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(part10(uid))
    shutil.copytree(folder / "0", folder / "again")
    copy_medium(folder / "cd")
    make_zip(folder / "some.zip", {f"{number}": part10(f"1.3.{number}") for number in range(50)})
    for number in range(8):
        (folder / f"cut {number}").write_bytes(part10("1.2.1", more=b"pixels" * number)[: -1 - number])
    expected = len(uids) + IMAGES + 50
    kept = tmp_path / "restricted" / "incoming"
    for instances in (1, 90, 180, None):
        process = subprocess.Popen([sys.executable, "-c", _WATCH_AT_ONCE], env=os.environ | variables(tmp_path))
        if instances is None:
            wait_for(lambda: not [path for path in folder.rglob("*") if path.is_file()], _SECONDS)
        kill_when_there_are(process, kept, instances or expected)
    names = [path.name for study in waiting_studies(kept) for path in instances_in(study.folder)]
    assert len(names) == len(set(names)) == expected
    assert {file_name(uid) for uid in uids} <= set(names)
    quarantine = zones_at(tmp_path).quarantine("watched", "")
    aside = [path for path in quarantine.iterdir() if path.suffix == ".dcm"]
    rows = {row.file: row.reason for row in read_sealed(quarantine / RECORD, SetAside)}
    assert 8 <= len(aside) <= 8 + 3 and all(rows[path.name] == "FILE_CUT_SHORT" for path in aside)
