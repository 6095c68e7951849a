"""Only what was released goes out, only what is missing, and only what was acknowledged counts."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from dicom_assets.cli import main
from dicom_assets.defs.delivery import deliver_released
from dicom_assets.defs.resources import PacsResource, StorageResource
from dicom_assets.errors import BadInput, Refused
from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.part10 import read_head
from dicom_assets.storage.atomic import exclusive_lock
from dicom_assets.storage.audit import last_lines
from dicom_assets.storage.deliveries import BEGUN, COMMITTED, REFUSED, STORED, DeliveryRecord
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.deliver import DeliveryReport, deliver
from dicom_assets.workflow.destination import address_of, destination_of, digest_of
from dicom_assets.workflow.job import no_progress
from dicom_assets.workflow.withdraw import begin_release, finish_release
from tests.support.destination import Destination
from tests.support.one_key import zones_at
from tests.support.orthanc import running_orthanc
from tests.support.ports import free_port
from tests.support.programs import find_program, needs
from tests.support.released import instance_file, release, uid_of

AT_ONCE = (0.01, 0.01, 0.01)
#: What lends our AE title to a destination
OURS = Archive("", 1, "", "DICOM_ASSETS")


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    return zones_at(tmp_path)


@pytest.fixture
def files(zones: Zones) -> list[str]:
    return [instance_file(zones.released, 1, number) for number in range(4)]


def sent(zones: Zones, destination: Archive, batch: str) -> DeliveryReport:
    return deliver(zones, destination, batch, pauses=AT_ONCE)


def states(zones: Zones, destination: Archive, batch: str, files: list[str]) -> list[str]:
    record = DeliveryRecord(zones, batch, digest_of(destination), {uid_of(file) for file in files})
    return [row.state if (row := record.known.get(uid_of(file))) else "" for file in files]


def counts(report: DeliveryReport) -> tuple[int, int, int, int, int]:
    return report.released, report.already_there, report.sent, len(report.refused), report.not_sent


def test_what_is_released_goes_out_byte_for_byte_and_only_once(zones: Zones, files: list[str]) -> None:
    batch = release(zones, files)
    with Destination().running() as there:
        assert counts(sent(zones, there.archive(), batch)) == (4, 0, 4, 0, 0)
        for file in files:
            whole = (zones.released / file).read_bytes()
            assert whole.endswith(there.held[uid_of(file)])
            assert len(there.held[uid_of(file)]) > 30_000
        assert counts(sent(zones, there.archive(), batch)) == (4, 4, 0, 0, 0)
        assert len(there.seen) == 4
        assert states(zones, there.archive(), batch, files) == [STORED] * 4


def test_each_delivery_leaves_a_line_in_the_audit_log_even_where_nobody_listens(zones: Zones, files: list[str]) -> None:
    batch = release(zones, files)
    nobody = destination_of(f"127.0.0.1:{free_port()}:NOBODY", OURS)
    report = sent(zones, nobody, batch)
    assert report.failure.code in ("PACS_PORT_CLOSED", "PACS_UNREACHABLE")
    assert "DICOM_DELIVERY_TO" in report.failure.__notes__[0]
    assert counts(report) == (4, 0, 0, 0, 4)
    assert states(zones, nobody, batch, files) == [BEGUN] * 4
    told = [line.subject for line in last_lines(zones) if line.event == "delivery"]
    assert told == [f"{batch} to {address_of(nobody)}"]


def test_a_destination_that_lists_is_believed_and_what_it_lost_is_sent_again(zones: Zones, files: list[str]) -> None:
    batch = release(zones, files)
    with Destination(lists=True).running() as there:
        there.held[uid_of(files[3])] = b"came by another way"
        assert counts(sent(zones, there.archive(), batch)) == (4, 1, 3, 0, 0)
        del there.held[uid_of(files[0])]
        assert counts(sent(zones, there.archive(), batch)) == (4, 3, 1, 0, 0)
        assert there.seen[-1] == uid_of(files[0])


def test_other_content_under_the_same_uid_is_sent_again_although_it_is_listed(zones: Zones, files: list[str]) -> None:
    batch = release(zones, files)
    with Destination(lists=True).running() as there:
        sent(zones, there.archive(), batch)
        instance_file(zones.released, 1, 2, comment="by other rules")
        release(zones, files, batch=batch)
        assert counts(sent(zones, there.archive(), batch)) == (4, 3, 1, 0, 0)
        assert there.seen[4:] == [uid_of(files[2])]


def test_an_instance_that_another_batch_has_sent_there_is_not_sent_again(zones: Zones, files: list[str]) -> None:
    first, second = release(zones, files[:3]), release(zones, files)
    with Destination().running() as there:
        assert counts(sent(zones, there.archive(), first)) == (3, 0, 3, 0, 0)
        assert counts(sent(zones, there.archive(), second)) == (4, 3, 1, 0, 0)


def test_what_was_begun_and_never_acknowledged_is_sent_although_it_is_listed(zones: Zones, files: list[str]) -> None:
    """An older version may be what is listed."""
    batch = release(zones, files)
    with Destination(lists=True).running() as there:
        there.answers = lambda _uid: None
        assert sent(zones, there.archive(), batch).refused  # each was tried, none acknowledged
        there.held = dict.fromkeys(map(uid_of, files), b"older")
        there.answers = lambda _uid: 0x0000
        assert counts(sent(zones, there.archive(), batch)) == (4, 0, 4, 0, 0)


def _appended(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0\0")


def _one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def _link_to_a_copy(path: Path) -> None:
    copy = path.with_suffix(".copy")
    path.rename(copy)
    path.symlink_to(copy)


def _folder_is_a_link(path: Path) -> None:
    """Of the series; the files of the other series stay as they are."""
    moved = path.parent.with_name("moved")
    path.parent.rename(moved)
    path.parent.symlink_to(moved)


def _named_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _not_dicom(path: Path) -> None:
    path.write_bytes(b"x" * 400)


TAMPERED = [_appended, _one_bit, _link_to_a_copy, _folder_is_a_link, _named_pipe, _not_dicom, Path.unlink]


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda function: function.__name__)
def test_a_released_file_that_is_not_as_it_was_proved_stays(zones: Zones, files: list[str], tamper) -> None:
    other = instance_file(zones.released, 2, 0)
    batch = release(zones, [*files[:1], other])
    tamper(zones.released / files[0])
    with Destination().running() as there:
        report = sent(zones, there.archive(), batch)
        assert report.refused == ((files[0], "FILE_NOT_AS_RECORDED"),)
        assert there.seen == [uid_of(other)]
    assert states(zones, there.archive(), batch, [files[0], other]) == [REFUSED, STORED]


def test_a_file_outside_the_released_root_stays_whatever_the_record_says(zones: Zones, files: list[str]) -> None:
    raw = instance_file(zones.restricted / "raw", 1, 9)
    batch = release(zones, [*files, f"../restricted/raw/{raw}"])
    with Destination().running() as there:
        report = sent(zones, there.archive(), batch)
        assert [code for _, code in report.refused] == ["FILE_NOT_AS_RECORDED"]
        assert uid_of(raw) not in there.seen


def test_a_file_that_no_mapping_row_speaks_of_stays(zones: Zones, files: list[str]) -> None:
    batch = release(zones, files[:3])
    finish_release(zones, batch, "inputs", files)
    with Destination().running() as there:
        assert sent(zones, there.archive(), batch).refused == ((files[3], "FILE_NOT_AS_RECORDED"),)
        assert set(there.seen) == set(map(uid_of, files[:3]))


def test_what_is_withheld_or_lies_beside_the_release_is_never_sent(zones: Zones, files: list[str]) -> None:
    batch = release(zones, files[:2], withheld=2)
    with Destination().running() as there:
        assert counts(sent(zones, there.archive(), batch)) == (2, 0, 2, 0, 0)
        assert set(there.seen) == set(map(uid_of, files[:2]))


def test_nothing_goes_out_before_the_release_is_finished_or_while_it_is_worked_on(
    zones: Zones, files: list[str]
) -> None:
    batch = release(zones, files)
    with Destination().running() as there:
        with exclusive_lock(zones.lock(batch)), pytest.raises(Refused, match="BATCH_BUSY"):
            sent(zones, there.archive(), batch)
        zones.ledger(batch, "validation_report").unlink()
        with pytest.raises(BadInput, match="STAGE_NOT_RUN"):
            sent(zones, there.archive(), batch)
        begin_release(zones, batch, files)
        with pytest.raises(BadInput, match="BATCH_NOT_RELEASED"):
            sent(zones, there.archive(), batch)
        with pytest.raises(BadInput, match="BATCH_UNKNOWN"):
            sent(zones, there.archive(), "cohort-20260131-777")
        assert there.associations == 0


def test_what_is_committed_is_recorded_and_what_is_denied_is_sent_again(zones: Zones, files: list[str]) -> None:
    batch = release(zones, files)
    with Destination(vouches=True, forgets={uid_of(files[1])}).running() as there:
        report = sent(zones, there.archive(), batch)
        assert (counts(report), report.committed, report.commitment_offered) == ((4, 0, 3, 1, 0), 3, True)
        assert report.refused == ((files[1], "SEND_NOT_COMMITTED"),)
        assert states(zones, there.archive(), batch, files) == [COMMITTED, REFUSED, COMMITTED, COMMITTED]
        there.forgets.clear()
        there.asked_to_vouch.clear()
        report = sent(zones, there.archive(), batch)
        assert (counts(report), report.committed) == ((4, 3, 1, 0, 0), 4)
        assert there.asked_to_vouch == [uid_of(files[1])]


def test_a_destination_without_commitment_is_said_to_have_none(zones: Zones, files: list[str]) -> None:
    with Destination().running() as there:
        report = sent(zones, there.archive(), release(zones, files))
        assert (report.committed, report.commitment_offered) == (0, False)


def test_a_killed_delivery_records_nothing_that_was_not_acknowledged(zones: Zones, files: list[str]) -> None:
    batch = release(zones, files)
    code = (
        "import sys\n"
        "from dicom_assets.pacs.archive import Archive; from dicom_assets.settings import Settings\n"
        "from dicom_assets.workflow.deliver import deliver; from dicom_assets.workflow.job import zones_of\n"
        "there = Archive('127.0.0.1', int(sys.argv[1]), 'ELSEWHERE', 'DICOM_ASSETS')\n"
        "deliver(zones_of(Settings.from_env()), there, sys.argv[2])"
    )
    with Destination().running() as there:
        third, go_on = threading.Event(), threading.Event()

        def answers(_uid: str) -> int:
            if len(there.seen) == 3:
                third.set()
                go_on.wait(60)
            return 0x0000

        there.answers = answers
        command = [sys.executable, "-c", code, str(there.port), batch]
        process = subprocess.Popen(command, env=os.environ | environment(zones))
        try:
            assert third.wait(60)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            go_on.set()
        assert STORED not in states(zones, there.archive(), batch, files)
        assert counts(sent(zones, there.archive(), batch)) == (4, 0, 4, 0, 0)
        assert set(there.held) == set(map(uid_of, files))


def environment(zones: Zones) -> dict[str, str]:
    return {
        "DICOM_RESTRICTED_ROOT": str(zones.restricted),
        "DICOM_RELEASED_ROOT": str(zones.released),
        "DICOM_PSEUDONYM_KEY_FILE": str(zones.restricted.parent / "key"),
        "DICOM_RECEIVER_PORT": str(free_port()),
    }


def command(zones: Zones, capsys, monkeypatch, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `dicom-assets send`."""
    for name, value in environment(zones).items():
        monkeypatch.setenv(name, value)
    code = main(["send", *arguments])
    return code, *capsys.readouterr()


def test_the_command_says_in_one_json_object_what_became_of_it(
    zones: Zones, files: list[str], capsys, monkeypatch
) -> None:
    compressed = instance_file(zones.released, 2, 0, "SC_rgb_jpeg_dcmtk.dcm")
    batch = release(zones, [*files, compressed])
    with Destination(vouches=True).running() as there:
        to = f"127.0.0.1:{there.port}:ELSEWHERE"
        code, out, err = command(zones, capsys, monkeypatch, batch, "--to", to, "--json")
        assert code == 3
        assert json.loads(out) == {
            "destination_kind": "dicom", "released": 5, "already_there": 0, "sent": 4, "committed": 4, "not_sent": 0,
            "refused": [{"file": compressed, "code": "SEND_SYNTAX_NOT_ACCEPTED"}],
        }  # fmt: skip
        assert "1 refused: SEND_SYNTAX_NOT_ACCEPTED" in err
        code, out, err = command(zones, capsys, monkeypatch, batch, "--to", to)
        assert (code, compressed in err) == (3, True)
        assert "4 already there, 0 sent, 1 refused" in out
        release(zones, files, batch=batch)
        assert command(zones, capsys, monkeypatch, batch, "--to", to)[0] == 0
    code, out, err = command(zones, capsys, monkeypatch, batch, "--to", "127.0.0.1:104")
    assert (code, out, err.split(":")[0]) == (2, "", "DELIVERY_TO_MALFORMED")


def test_the_command_fails_where_nobody_answers(zones: Zones, files: list[str], capsys, monkeypatch) -> None:
    monkeypatch.setattr("dicom_assets.commands.send.PAUSES", AT_ONCE)
    batch = release(zones, files)
    to = f"127.0.0.1:{free_port()}:NOBODY"
    code, out, err = command(zones, capsys, monkeypatch, batch, "--to", to, "--json")
    assert (code, json.loads(out)["not_sent"]) == (1, 4)
    assert err.startswith("PACS_")


@needs("Orthanc")
def test_a_real_orthanc_takes_it_vouches_for_it_and_gets_back_what_it_lost(zones: Zones, tmp_path: Path) -> None:
    sources = ("CT_small.dcm", "MR_small_RLE.dcm", "SC_rgb_jpeg_dcmtk.dcm")
    files = [instance_file(zones.released, 1, number, source) for number, source in enumerate(sources)]
    batch = release(zones, files)
    (tmp_path / "orthanc").mkdir()
    with running_orthanc(tmp_path / "orthanc") as orthanc:
        ours = replace(OURS, receiver_port=orthanc.receiver_port)
        there = destination_of(f"127.0.0.1:{orthanc.dicom_port}:{orthanc.ae_title}", ours)
        report = sent(zones, there, batch)
        assert (counts(report), report.committed) == ((3, 0, 3, 0, 0), 3)  # reported over an association of its own
        assert {uid: data_set(file) for uid, file in orthanc.files().items()} == {
            uid_of(file): data_set((zones.released / file).read_bytes()) for file in files
        }
        orthanc.delete_instance(uid_of(files[2]))
        assert counts(sent(zones, there, batch)) == (3, 2, 1, 0, 0)
        assert len(orthanc.files()) == 3


@needs("Orthanc")
def test_a_dicomweb_destination_gets_the_same_and_only_once(zones: Zones, tmp_path: Path) -> None:
    sources = ("CT_small.dcm", "MR_small_RLE.dcm", "SC_rgb_jpeg_dcmtk.dcm")
    files = [instance_file(zones.released, 1, number, source) for number, source in enumerate(sources)]
    batch = release(zones, files)
    (zones.released / files[2]).write_bytes(b"tampered")
    (tmp_path / "orthanc").mkdir()
    with running_orthanc(tmp_path / "orthanc") as orthanc:
        there = destination_of(orthanc.dicomweb_url, OURS)
        report = sent(zones, there, batch)
        assert (report.destination_kind, counts(report)) == ("dicomweb", (3, 0, 2, 1, 0))
        assert report.refused == ((files[2], "FILE_NOT_AS_RECORDED"),)
        assert {uid: data_set(file) for uid, file in orthanc.files().items()} == {
            uid_of(file): data_set((zones.released / file).read_bytes()) for file in files[:2]
        }
        orthanc.delete_instance(uid_of(files[1]))
        assert counts(sent(zones, there, batch)) == (3, 1, 1, 1, 0)


def data_set(file: bytes) -> bytes:
    return file[read_head(file).data_at :]


@needs("storescp")
def test_dcmtk_takes_what_it_knows_and_nothing_is_transcoded_for_it(zones: Zones, tmp_path: Path) -> None:
    plain = instance_file(zones.released, 1, 0)
    compressed = instance_file(zones.released, 1, 1, "SC_rgb_jpeg_dcmtk.dcm")
    batch = release(zones, [plain, compressed])
    (tmp_path / "came").mkdir()
    port = free_port()
    process = subprocess.Popen([find_program("storescp"), "+B", "-od", tmp_path / "came", str(port)])
    try:
        wait_for(port)
        there = destination_of(f"127.0.0.1:{port}:STORESCP", OURS)
        assert sent(zones, there, batch).refused == ((compressed, "SEND_SYNTAX_NOT_ACCEPTED"),)
    finally:
        process.kill()
        process.wait()
    (came,) = (tmp_path / "came").iterdir()
    assert data_set(came.read_bytes()) == data_set((zones.released / plain).read_bytes())


def wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError("nobody listens")


def test_the_job_sends_one_batch_to_the_settings_destination(zones: Zones, files: list[str], monkeypatch) -> None:
    batch = release(zones, files)
    for name, value in environment(zones).items():
        monkeypatch.setenv(name, value)
    with Destination().running() as there:
        resources = {"storage": StorageResource(), "pacs": PacsResource(), "progress": no_progress}
        config = {"ops": {"send_released": {"config": {"batch": batch}}}}
        with pytest.raises(dg.Failure, match="DELIVERY_NOT_CONFIGURED"):
            deliver_released.execute_in_process(run_config=config, resources=resources)
        monkeypatch.setenv("DICOM_DELIVERY_TO", f"127.0.0.1:{there.port}:ELSEWHERE")
        done = deliver_released.execute_in_process(run_config=config, resources=resources)
        assert set(there.held) == set(map(uid_of, files))
        assert str(there.port) not in "".join(map(str, done.all_events))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("pacs.example.org:104:ARCHIVE", "pacs.example.org:104:ARCHIVE"),
        ("[::1]:104:A B", "::1:104:A B"),
        ("https://pacs.example.org/dicom-web", "https://pacs.example.org/dicom-web/"),
    ],
)
def test_a_destination_is_a_dicom_address_or_a_url(text: str, kind: str) -> None:
    assert address_of(destination_of(text, OURS)) == kind


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:104", "host:0:AE", "host:70000:AE", "host:104:", "host:104:SEVENTEEN_LETTERS", "host:104:A\\B",
     "https://user:secret@host/", "https://host/?q=1", "ftp://host/", "https://"],
)  # fmt: skip
def test_what_is_no_destination_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="DELIVERY_TO_MALFORMED"):
        destination_of(text, OURS)


def test_one_destination_has_one_record_however_it_is_written() -> None:
    lends = replace(OURS, calling_ae_title="OTHER", dicomweb_authorization="Basic abc")
    assert digest_of(destination_of("Host:104:AE", OURS)) == digest_of(destination_of("host:104:AE", lends))
    assert destination_of("host:104:AE", lends).dicomweb_authorization == ""
    assert len({digest_of(destination_of(one, OURS)) for one in ("h:104:AE", "h:105:AE", "h:104:AF", "http://h/")}) == 4
