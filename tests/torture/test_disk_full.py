"""A disk that is full at any point: a clear code, nothing torn under a final name, nothing lost of what was
acknowledged; and once there is room the same again goes on and ends in the same bytes.

DISK_POINTS=100 python -m pytest -q -s tests/torture/test_disk_full.py
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dicom_assets.errors import DicomAssetsError
from dicom_assets.settings import DEFAULTS, Settings
from dicom_assets.storage.mapping import mapped_batches
from dicom_assets.storage.sealing import is_sealed
from dicom_assets.storage.vault import read_table
from dicom_assets.workflow.arrivals import plan_arrivals
from dicom_assets.workflow.job import job_of
from tests.support.ports import free_port
from tests.support.programs import needs, run
from tests.support.site import Site, snapshot
from tests.support.small_disk import Room, SmallDisk, needs_small_disk, small_disk
from tests.torture.support_judge import Outcome, files_below, judge, judge_incoming
from tests.torture.support_pushing import push
from tests.torture.support_sites import KEY, new_site, put, receiving
from tests.torture.support_studies import Pushed, make_conflict, make_study
from tests.torture.support_worker import work

pytestmark = needs_small_disk()

POINTS = int(os.environ.get("DISK_POINTS", "4"))
#: Of them: while instances arrive
RECEIVING = max(1, POINTS // 4)
#: And by commands of their own, which take their time
COMMANDS = max(1, POINTS // 20)
#: Bytes that `run` needs beyond a batch's: Dagster's database
_DATABASE = 400_000
#: Which root lies on the small disk, and whether it lacks bytes or files
_LAYOUTS = ("restricted", "released", "both")
_LACKS = ("bytes", "bytes", "bytes", "files")


@dataclass(frozen=True)
class Point:
    """Of what the work needs of the disk at most, a share is free when it begins."""

    layout: str
    lacks: str
    share: float

    def reached(self, disk: SmallDisk, needed: Room) -> AbstractContextManager[None]:
        if self.lacks == "files":
            return disk.leaving_files(int(needed.files * self.share))
        return disk.leaving_bytes(int(needed.bytes * self.share))


def points(count: int) -> list[Point]:
    """Each layout and lack with shares from end to end."""
    return [
        Point(_LAYOUTS[at % len(_LAYOUTS)], _LACKS[at // len(_LAYOUTS) % len(_LACKS)], ((at + 1) * 0.618) % 1)
        for at in range(count)
    ]


@dataclass(frozen=True)
class Undisturbed:
    """needed: of the disk, at most. files: of the released root, with their digests."""

    needed: Room
    outcome: Outcome
    files: dict[str, tuple]


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> list[Pushed]:
    """Three studies: one whole, one with two contents of an instance, one with an instance that is blocked."""
    folder = tmp_path_factory.mktemp("pushed")
    whole, disputed, blocked = make_study(folder, 1, 3), make_study(folder, 2, 2), make_study(folder, 3, 1, 9)
    blocked += make_study(folder, 3, 1, is_blocked=True)
    return [*whole, *disputed, make_conflict(disputed[0]), *blocked]


@contextmanager
def site_on_small_disk(folder: Path, layout: str) -> Iterator[tuple[Site, SmallDisk]]:
    place = folder if layout == "both" else folder / layout
    place.mkdir(parents=True)
    with small_disk(place) as disk:
        yield new_site(disk.folder if layout == "both" else disk.folder.parent), disk


def attempt(site: Site) -> str:
    """Everything that arrived, from plan to release; the code with which it ended, empty where it is done."""
    try:
        work(job_of(Settings.from_env({name: value for name, value in site.environment.items() if name in DEFAULTS})))
    except DicomAssetsError as error:
        return error.code
    return ""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, pushed: list[Pushed]) -> Callable[[str], Undisturbed]:
    """By layout."""

    @cache
    def of_layout(layout: str) -> Undisturbed:
        with site_on_small_disk(tmp_path_factory.mktemp("undisturbed") / "site", layout) as (site, disk):
            put(site, pushed)
            before = disk.used
            with disk.watched():
                assert attempt(site) == ""
            return Undisturbed(disk.most.less(before), judge(site.zones, pushed), snapshot(site.zones.released))

    return of_layout


def check_nothing_torn(site: Site, pushed: list[Pushed], whole: Undisturbed) -> None:
    """Every file with a final name is whole, and no original is lost."""
    originals = {one.sha256 for one in pushed}
    kept = [files_below(site.zones.restricted / area) for area in ("incoming", "raw", "quarantine")]
    held = {digest for files in kept for digest in files.values()}
    assert held <= originals
    made = {Path(file).name: digest for file, digest in whole.outcome.released.items()}
    released = files_below(site.zones.released)
    for file, digest in [*released.items(), *files_below(site.zones.restricted / "staging").items()]:
        assert digest == made[Path(file).name], "torn"
    # Past the audit log, which has no room for a line.
    parts = [read_table(site.zones.mapping(batch)).to_pydict() for batch in mapped_batches(site.zones)]
    rows = {
        file: (old, new)
        for part in parts
        for file, old, new in zip(
            *(part[name] for name in ("Anonymized Filename", "sha256_original", "sha256_anonymized")), strict=True
        )
    }
    assert {file: rows[file][1] for file in released} == released, "released without its row"
    assert originals <= held | {rows[file][0] for file in released}, "lost"
    for path in [*site.zones.restricted.rglob("*"), *site.zones.released.rglob("*")]:
        if path.suffix == ".parquet" and is_sealed(path):
            read_table(path)
        elif path.suffix == ".parquet":
            pq.read_metadata(path)
        elif path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.name == "closed":
            assert path.read_bytes() in (b"closing", b"closed")


@needs("storescu")
def test_what_is_acknowledged_while_the_disk_fills_up_is_kept(tmp_path: Path, pushed: list[Pushed]) -> None:
    """Without a reserve, so that the disk is full in the middle; what is refused is taken once there is room."""
    sent = [one for one in pushed if not one.content]
    with receiving_on_small_disk(tmp_path / "undisturbed") as (_, port, disk):
        before = disk.used
        with disk.watched():
            assert push(port, sent) == sent
        needed = disk.most.less(before)
    refused = 0
    for number, point in enumerate(points(RECEIVING)):
        with receiving_on_small_disk(tmp_path / str(number)) as (site, port, disk):
            with point.reached(disk, needed):
                acknowledged = push(port, sent)
                assert judge_incoming(site.zones, KEY, set(acknowledged), set(sent)) == len(acknowledged)
                left = [one for one in sent if one not in acknowledged]
                assert "Refused: OutOfResources" in run("storescu", "-v", "127.0.0.1", port, left[0].path).stdout
            assert push(port, left) == left
            assert judge_incoming(site.zones, KEY, set(sent), set(sent)) == len(sent)
        refused += len(left)
    print(f"receiving at {RECEIVING} points of a full disk: {refused} instances refused with A700, then taken")


@contextmanager
def receiving_on_small_disk(folder: Path, reserve: int = 0) -> Iterator[tuple[Site, int, SmallDisk]]:
    """reserve: megabytes that stay free."""
    with site_on_small_disk(folder, "both") as (site, disk):
        site.variables["DICOM_RECEIVER_FREE_MEGABYTES"] = str(reserve)
        port = free_port()
        with receiving(site, port):
            yield site, port, disk


@needs("storescu")
def test_the_reserve_stays_free(tmp_path: Path, pushed: list[Pushed]) -> None:
    sent = [one for one in pushed if not one.content]
    with receiving_on_small_disk(tmp_path / "site", reserve=2) as (_, port, disk):
        with disk.leaving_bytes((2 << 20) + 3 * sent[0].path.stat().st_size):
            acknowledged = push(port, sent)
            assert set() < set(acknowledged) < set(sent)
            assert disk.free.bytes > (2 << 20) - 2 * sent[0].path.stat().st_size
        assert push(port, sent) == sent


def test_a_batch_of_arrivals_goes_on_when_there_is_room_again(
    tmp_path: Path, pushed: list[Pushed], whole: Callable[[str], Undisturbed]
) -> None:
    ended: Counter[str] = Counter()
    for number, point in enumerate(points(POINTS - RECEIVING)):
        with site_on_small_disk(tmp_path / str(number), point.layout) as (site, disk):
            put(site, pushed)
            with point.reached(disk, whole(point.layout).needed):
                code = attempt(site)
                check_nothing_torn(site, pushed, whole(point.layout))
            ended[code or "enough room"] += 1
            assert code in ("", "DISK_FULL"), point
            assert attempt(site) == "", point
            assert judge(site.zones, pushed) == whole(point.layout).outcome
            assert snapshot(site.zones.released) == whole(point.layout).files
    assert ended["DISK_FULL"]
    print(f"a batch at {POINTS - RECEIVING} points of a full disk: {dict(ended)}, all recovered")


def test_a_run_says_that_the_disk_is_full(
    tmp_path: Path, pushed: list[Pushed], whole: Callable[[str], Undisturbed]
) -> None:
    """Dagster's database lies on the same disk."""
    ended: Counter[str] = Counter()
    for number, point in enumerate(points(COMMANDS)):
        with site_on_small_disk(tmp_path / str(number), "both") as (site, disk):
            put(site, pushed)
            (request,) = plan_arrivals(site.zones, 0, keep_originals=False)
            with disk.leaving_bytes(int(point.share * (whole("both").needed.bytes + _DATABASE))):
                done = site.run("run", request.batch)
                check_nothing_torn(site, pushed, whole("both"))
            assert done.returncode == 1
            code = done.stderr.splitlines()[-1].partition(":")[0]
            assert code in ("DISK_FULL", "FILE_OPERATION_FAILED")
            ended[code] += 1
            assert site.run("run", request.batch).returncode == 3
            assert judge(site.zones, pushed) == whole("both").outcome
    print(f"`run` at {COMMANDS} points of a full disk: {dict(ended)}, all recovered")


def test_an_upload_goes_on_when_there_is_room_again(tmp_path: Path, pushed: list[Pushed]) -> None:
    source = pushed[0].folder
    for number, point in enumerate(points(COMMANDS)):
        with site_on_small_disk(tmp_path / str(number), "both") as (site, disk):
            site.variables["DICOM_RECEIVER_FREE_MEGABYTES"] = "0"
            with disk.leaving_bytes(int(point.share * sum(one.path.stat().st_size for one in pushed))):
                done = site.run("upload", source)
                assert done.returncode in (1, 3)
                assert "DISK_FULL" in done.stderr
                assert set(files_below(site.zones.incoming).values()) < {one.sha256 for one in pushed}
            assert site.run("upload", source).returncode == 3  # for the conflict
            assert sorted(files_below(site.zones.incoming).values()) == sorted(one.sha256 for one in pushed)
            assert source.is_dir()
