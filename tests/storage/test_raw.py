"""Instances on their way into a raw folder: what counts, what is the same, what is a conflict."""

import resource
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_assets.errors import DicomAssetsError, RetryLater
from dicom_assets.storage.arrivals import Arrivals
from dicom_assets.storage.manifests import RawInstance
from dicom_assets.storage.raw import RawFolder
from dicom_assets.storage.set_aside import RECORD, SetAside, SetAsideFolder
from dicom_assets.storage.tables import read_sealed

STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
CT = "1.2.840.10008.5.1.4.1.1.2"


def name_of(uid: str) -> str:
    return uid.replace(".", "-") + ".dcm"


def data_set(uid: str, *, syntax: str = ExplicitVRLittleEndian, **values: object) -> bytes:
    """A CT slice, as it is encoded on the wire."""
    slice_ = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    del slice_[0x00431029:0x00450000]  # private elements, which implicit VR would not tell alike
    slice_.remove_private_tags()
    slice_.SOPInstanceUID = uid
    for keyword, value in values.items():
        setattr(slice_, keyword, value)
    buffer = BytesIO()
    plain = Dataset(slice_)
    pydicom.filewriter.write_dataset(_stream(buffer, syntax), plain)
    return buffer.getvalue()


def _stream(buffer: BytesIO, syntax: str) -> pydicom.filebase.DicomBytesIO:
    stream = pydicom.filebase.DicomFileLike(buffer)
    stream.is_little_endian, stream.is_implicit_VR = True, syntax == ImplicitVRLittleEndian
    return stream


@dataclass
class Bench:
    """A raw folder that can be opened again and again, as in run after run."""

    root: Path
    elsewhere: dict[str, tuple[Path, RawInstance]] = field(default_factory=dict)
    not_wanted: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        return self.root / "raw"

    @property
    def aside(self) -> SetAsideFolder:
        return SetAsideFolder(self.root / "aside", name_of)

    def run(self, *arrivals: tuple[str, str, bytes]) -> tuple[RawFolder, Arrivals]:
        """What came in one run: SOPInstanceUID, transfer syntax, data set."""
        folder = RawFolder(self.folder, self.aside, STUDY, name_of)
        folder.open()
        before = folder.aside.conflicts()
        with Arrivals(folder, self.elsewhere, self.not_wanted).opened() as open_for:
            for uid, syntax, content in arrivals:
                arrival = open_for.begin(CT, uid, syntax)
                for start in range(0, len(content), 10_000):
                    arrival.write(memoryview(content)[start : start + 10_000])
                arrival.keep()
            open_for.settle()
        folder.aside.settle(before & open_for.accepted - open_for.conflicts)
        folder.aside.write()
        return folder, open_for

    def set_aside(self) -> list[SetAside]:
        return read_sealed(self.root / "aside" / RECORD, SetAside)

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_arrives_is_kept_byte_for_byte_behind_a_header_of_ours(bench: Bench) -> None:
    content = data_set("1.2.1")
    folder, _ = bench.run(("1.2.1", ExplicitVRLittleEndian, content))
    (row,) = folder.verified.values()
    assert bench.files() == {name_of("1.2.1")}
    assert (bench.folder / row.file).read_bytes()[-len(content) :] == content
    assert (row.sop_class_uid, row.transfer_syntax_uid) == (CT, ExplicitVRLittleEndian)
    assert row.series_instance_uid == pydicom.dcmread(bench.folder / row.file).SeriesInstanceUID
    assert row.size == (bench.folder / row.file).stat().st_size
    assert (bench.folder / row.file).stat().st_mode & 0o777 == 0o600
    assert bench.run()[0].verified == folder.verified  # read back, by another run


def test_what_is_discarded_or_was_left_by_a_killed_run_leaves_nothing(bench: Bench) -> None:
    folder = RawFolder(bench.folder, bench.aside, STUDY, name_of)
    folder.open()
    with Arrivals(folder).opened() as arrivals:
        arrivals.begin(CT, "1.2.1", ExplicitVRLittleEndian).discard()
        assert bench.files() == set()
        arrivals.begin(CT, "1.2.2", ExplicitVRLittleEndian).write(b"half")
        assert arrivals.settle() == 0
    assert len(bench.files()) == 1
    assert bench.run()[0].verified == {}
    assert bench.files() == set()


def test_the_same_twice_is_one(bench: Bench) -> None:
    content = data_set("1.2.1")
    folder, arrivals = bench.run(*[("1.2.1", ExplicitVRLittleEndian, content)] * 3)
    assert len(folder.verified) == 1
    assert not arrivals.conflicts
    assert bench.set_aside() == []
    assert bench.files() == {name_of("1.2.1")}


@pytest.mark.parametrize("in_one_run", [True, False])
def test_other_content_is_a_conflict_and_the_first_stays(bench: Bench, in_one_run: bool) -> None:
    first = ("1.2.1", ExplicitVRLittleEndian, data_set("1.2.1"))
    other = ("1.2.1", ExplicitVRLittleEndian, data_set("1.2.1", PatientName="Somebody^Else"))
    if in_one_run:
        folder, arrivals = bench.run(first, other)
    else:
        bench.run(first)
        folder, arrivals = bench.run(other)
    assert arrivals.conflicts == {"1.2.1"}
    kept = (bench.folder / folder.verified["1.2.1"].file).read_bytes()
    assert kept.endswith(first[2])
    (row,) = bench.set_aside()
    assert (row.reason, row.sop_instance_uid, row.settled) == ("INSTANCE_CONFLICT", "1.2.1", False)
    assert (bench.root / "aside" / row.file).read_bytes().endswith(other[2])
    bench.run(other)  # the same once more: it is there already
    assert bench.set_aside() == [row]
    assert bench.aside.conflicts() == {"1.2.1"}
    bench.run(first)  # the archive has been mended
    assert bench.aside.conflicts() == set()
    assert (bench.root / "aside" / row.file).is_file()


def test_a_person_settles_a_conflict_by_deleting_one_of_the_two(bench: Bench) -> None:
    first, other = data_set("1.2.1"), data_set("1.2.1", PatientName="Somebody^Else")
    folder, _ = bench.run(*(("1.2.1", ExplicitVRLittleEndian, content) for content in (first, other)))
    (row,) = bench.set_aside()
    aside, raw = bench.root / "aside" / row.file, bench.folder / folder.verified["1.2.1"].file
    aside.rename(aside.with_suffix(".away"))
    assert bench.aside.conflicts() == set()
    aside.with_suffix(".away").rename(aside)
    raw.unlink()
    folder, arrivals = bench.run(("1.2.1", ExplicitVRLittleEndian, other))
    assert (bench.aside.conflicts(), arrivals.conflicts) == (set(), set())
    assert raw.read_bytes().endswith(other)


@pytest.mark.parametrize(("values", "is_conflict"), [({}, False), ({"PatientName": "Somebody^Else"}, True)])
def test_another_transfer_syntax_is_compared_by_its_elements(bench: Bench, values: dict, is_conflict: bool) -> None:
    first = data_set("1.2.1")
    other = data_set("1.2.1", syntax=ImplicitVRLittleEndian, **values)
    folder, arrivals = bench.run(("1.2.1", ExplicitVRLittleEndian, first), ("1.2.1", ImplicitVRLittleEndian, other))
    assert bool(arrivals.conflicts) is is_conflict
    assert folder.verified["1.2.1"].transfer_syntax_uid == ExplicitVRLittleEndian


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content[:-500], "INSTANCE_CUT_SHORT"),
        (lambda content: content.replace(STUDY.encode(), b"1.3.7" + STUDY.encode()[5:]), "INSTANCE_NOT_OF_STUDY"),
        (lambda content: content.replace(b"1.2.1\0", b"1.2.2\0"), "INSTANCE_NOT_OF_STUDY"),
        (lambda _content: b"no data set at all", "INSTANCE_CUT_SHORT"),
    ],
    ids=["cut short", "another study", "another instance", "rubbish"],
)  # fmt: skip
def test_what_is_no_whole_instance_of_the_study_is_set_aside(bench: Bench, change: object, reason: str) -> None:
    folder, arrivals = bench.run(("1.2.1", ExplicitVRLittleEndian, change(data_set("1.2.1"))))
    assert folder.verified == {}
    assert [row.reason for row in bench.set_aside()] == [reason]
    assert arrivals.cut_short == ({"1.2.1"} if reason == "INSTANCE_CUT_SHORT" else set())
    folder, _ = bench.run(("1.2.1", ExplicitVRLittleEndian, data_set("1.2.1")))
    assert set(folder.verified) == {"1.2.1"}


def test_a_file_that_was_damaged_since_is_not_taken_for_the_instance(bench: Bench) -> None:
    folder, _ = bench.run(("1.2.1", ExplicitVRLittleEndian, data_set("1.2.1")))
    path = bench.folder / folder.verified["1.2.1"].file
    path.write_bytes(path.read_bytes()[:-100])
    assert bench.run()[0].verified == {}
    assert [row.reason for row in bench.set_aside()] == ["INSTANCE_CUT_SHORT"]


@pytest.mark.parametrize("wanted", [True, False])
def test_what_another_batch_holds_is_compared_too(bench: Bench, tmp_path: Path, wanted: bool) -> None:
    earlier = Bench(tmp_path / "earlier")
    folder, _ = earlier.run(
        ("1.2.1", ExplicitVRLittleEndian, data_set("1.2.1")), ("1.2.2", ExplicitVRLittleEndian, data_set("1.2.2"))
    )
    bench.elsewhere = {uid: (folder.path_of(uid), row) for uid, row in folder.verified.items()}
    bench.not_wanted = frozenset() if wanted else frozenset(bench.elsewhere)
    changed = data_set("1.2.2", PatientID="another")
    mine, arrivals = bench.run(
        ("1.2.1", ExplicitVRLittleEndian, data_set("1.2.1")), ("1.2.2", ExplicitVRLittleEndian, changed)
    )
    assert arrivals.conflicts == {"1.2.2"}
    assert set(mine.verified) == ({"1.2.1"} if wanted else set())
    assert earlier.run()[0].verified == folder.verified


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files of this process may have 100 kB; a longer one fails as on a full disk."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_said_and_what_came_before_it_stays(bench: Bench) -> None:
    folder = RawFolder(bench.folder, bench.aside, STUDY, name_of)
    folder.open()
    with pytest.raises(RetryLater, match="DISK_FULL"), Arrivals(folder).opened() as arrivals:
        arrival = arrivals.begin(CT, "1.2.1", ExplicitVRLittleEndian)
        arrival.write(data_set("1.2.1"))
        arrival.keep()
        arrivals.begin(CT, "1.2.2", ExplicitVRLittleEndian).write(bytes(200_000))
    assert set(bench.run()[0].verified) == {"1.2.1"}


def test_what_is_not_listed_is_set_aside(bench: Bench) -> None:
    folder, _ = bench.run(*((uid, ExplicitVRLittleEndian, data_set(uid)) for uid in ("1.2.1", "1.2.2")))
    folder.drop_unlisted({"1.2.2"})
    assert set(folder.verified) == {"1.2.2"}
    assert [row.reason for row in bench.set_aside()] == ["INSTANCE_NOT_LISTED"]
    assert bench.files() == {name_of("1.2.2")}


def test_a_conflict_is_on_record_before_either_content_counts(bench: Bench) -> None:
    folder = RawFolder(bench.folder, bench.aside, STUDY, name_of)
    folder.open()
    with Arrivals(folder).opened() as arrivals:
        for content in (data_set("1.2.1"), data_set("1.2.1", PatientName="Somebody^Else")):
            arrival = arrivals.begin(CT, "1.2.1", ExplicitVRLittleEndian)
            arrival.write(content)
            arrival.keep()
        folder.path_of("1.2.1").mkdir()  # where the first was to lie: as far as a killed process comes
        with pytest.raises(DicomAssetsError):
            arrivals.settle()
    assert bench.aside.conflicts() == {"1.2.1"}
