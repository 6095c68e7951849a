"""`dicom-assets receive`, its own process, and real senders."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from dicom_assets.pacs.commands import encode
from dicom_assets.pacs.wire import ABORT, ASSOCIATE_RJ, P_DATA
from tests.support.certificates import make_certificates
from tests.support.programs import find_program, needs, run
from tests.support.raw_peer import CT_CONTEXT, STUDY, RawPeer, asking, data_set, fragment, pdu, storing
from tests.support.receiver import Receiver, running_receiver
from tests.support.site import Site
from tests.support.waiting import wait_for

_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
#: File, and storescu's option that proposes its transfer syntax
_SENT = (
    ("CT_small.dcm", "-xe"),
    ("MR_small_implicit.dcm", "-xi"),
    ("MR_small_bigendian.dcm", "-xb"),
    ("MR_small_RLE.dcm", "-xr"),
    ("JPEG2000.dcm", "-xw"),
    ("SC_rgb_jpeg_dcmtk.dcm", "-xy"),
)
_SECONDS = 60


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with running_receiver(tmp_path_factory.mktemp("site")) as running:
        yield running


@needs("storescu")
@pytest.mark.parametrize(("name", "option"), _SENT)
def test_dcmtk_stores_in_each_transfer_syntax_and_its_bytes_are_kept(
    receiver: Receiver, name: str, option: str
) -> None:
    before = set(receiver.arrived())
    done = run("storescu", option, "127.0.0.1", receiver.port, _FILES / name)
    assert done.returncode == 0, done.stdout
    (arrived,) = set(receiver.arrived()) - before
    sent, kept = pydicom.dcmread(_FILES / name), pydicom.dcmread(arrived)
    assert kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    assert kept.PixelData == sent.PixelData
    assert arrived.stat().st_mode & 0o777 == 0o600
    assert str(sent.SOPInstanceUID) not in str(arrived)
    assert str(sent.StudyInstanceUID) not in str(arrived)


def test_what_is_acknowledged_lies_under_its_name_and_what_breaks_off_nowhere(receiver: Receiver) -> None:
    before = receiver.arrived()
    with RawPeer(receiver.port) as peer:
        peer.associated()
        for number in range(3):
            assert peer.status(storing(f"1.2.840.{number}"), data_set(f"1.2.840.{number}")) == 0x0000
            assert len(receiver.arrived()) == len(before) + number + 1
        command = fragment(CT_CONTEXT, 3, encode(storing("1.2.840.4")))
        peer.socket.sendall(pdu(P_DATA, command + fragment(CT_CONTEXT, 0, data_set("1.2.840.4"))))
        wait_for(lambda: receiver.unfinished() != [], _SECONDS)
    wait_for(lambda: receiver.unfinished() == [], _SECONDS)
    assert len(receiver.arrived()) == len(before) + 3


@pytest.mark.parametrize(
    ("uid", "content", "status"),
    [
        ("1.2.3", data_set("1.2.4"), 0xA900),
        ("1.2.3", data_set("1.2.3", sop_class="1.2.840.10008.5.1.4.1.1.4"), 0xA900),
        ("1.2.3", data_set("1.2.3", study=""), 0xC000),
        ("1.2.3", data_set("1.2.3", study="../../evil"), 0xC000),
        ("1.2.3", b"\xff" * 4000, 0xC000),
        ("1.2.3", b"", 0xC000),
        ("../../../tmp/evil", data_set("1.2.3"), 0x0117),
        ("", data_set("1.2.3"), 0x0117),
    ],
)
def test_what_is_no_instance_of_a_study_is_refused(receiver: Receiver, uid: str, content: bytes, status: int) -> None:
    before = receiver.arrived()
    with RawPeer(receiver.port) as peer:
        assert peer.associated().status(storing(uid), content) == status
        assert peer.echo() == 0x0000
    assert receiver.arrived() == before


def test_the_disk_is_refused_before_it_is_full(tmp_path: Path) -> None:
    with running_receiver(tmp_path, DICOM_RECEIVER_FREE_MEGABYTES="900000000") as receiver:
        with RawPeer(receiver.port) as peer:
            assert peer.associated().status(storing("1.2.3"), data_set("1.2.3") + bytes(100_000)) == 0xA700
            assert peer.echo() == 0x0000
        assert receiver.arrived() == receiver.unfinished() == []


@needs("storescu", "echoscu")
def test_settings_say_who_may(tmp_path: Path) -> None:
    variables = {
        "DICOM_CALLING_AE_TITLE": "RESEARCH",
        "DICOM_RECEIVER_CHECK_CALLED_AE_TITLE": "true",
        "DICOM_RECEIVER_CALLING_AE_TITLES": "CT1, CT2",
        "DICOM_RECEIVER_PEERS": "127.0.0.1, 127.0.1.0/24",
        "DICOM_RECEIVER_ASSOCIATIONS_A_PEER": "1",
    }
    with running_receiver(tmp_path, **variables) as receiver:
        assert run("echoscu", "-aet", "CT1", "-aec", "RESEARCH", "127.0.0.1", receiver.port).returncode == 0
        assert "Calling AE Title" in run("echoscu", "-aet", "X", "-aec", "RESEARCH", "127.0.0.1", receiver.port).stdout
        assert "Called AE Title" in run("echoscu", "-aet", "CT1", "-aec", "X", "127.0.0.1", receiver.port).stdout
        allowed = asking(calling="CT2", called="RESEARCH")
        with RawPeer(receiver.port, "127.0.2.1") as peer:
            assert peer.associate(allowed)[0] == ASSOCIATE_RJ
        with RawPeer(receiver.port, "127.0.1.9") as peer, RawPeer(receiver.port, "127.0.1.9") as second:
            assert peer.associate(allowed)[0] != ASSOCIATE_RJ
            assert peer.echo() == 0x0000
            assert second.associate(allowed)[0] == ASSOCIATE_RJ
        assert receiver.end() == 0
        said = receiver.said()
        assert "PEER_CALLING_AE_TITLE_REFUSED 1" in said
        assert "PEER_CALLED_AE_TITLE_REFUSED 1" in said
        assert "PEER_ADDRESS_REFUSED 1" in said
        assert "PEER_ASSOCIATIONS_REFUSED 1" in said


@needs("storescu")
def test_dcmtk_stores_by_tls_and_not_without(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    for path in tmp_path.glob("*.pem"):
        path.chmod(0o600)
    variables = {
        "DICOM_RECEIVER_TLS": "true",
        "DICOM_TLS_AUTHORITIES_FILE": str(made.authority),
        "DICOM_TLS_CERTIFICATE_FILE": str(made.archive),
    }
    with running_receiver(tmp_path / "site", **variables) as receiver:
        tls = ("+tls", made.ours, made.ours, "+cf", made.authority)
        file = _FILES / "CT_small.dcm"
        assert run("storescu", *tls, "127.0.0.1", receiver.port, file).returncode == 0
        assert run("storescu", "127.0.0.1", receiver.port, file).returncode != 0
        strangers = ("+tls", made.strangers, made.strangers, "+cf", made.authority)
        assert run("storescu", *strangers, "127.0.0.1", receiver.port, file).returncode != 0
        assert len(receiver.arrived()) == 1


@needs("storescu")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order(tmp_path: Path, number: int) -> None:
    with running_receiver(tmp_path) as receiver, RawPeer(receiver.port) as idle:
        assert run("storescu", "127.0.0.1", receiver.port, _FILES / "CT_small.dcm").returncode == 0
        idle.associated()
        assert receiver.end(number) == 0
        assert idle.until_the_end() == [ABORT]
        made_a_key, listening, counted = receiver.said().splitlines()
        assert made_a_key.startswith("A new pseudonym key")
        assert listening == f"listening on 0.0.0.0, port {receiver.port}"
        assert counted == "stored 1 instance"
        assert receiver.unfinished() == []


def test_a_killed_one_leaves_no_process_and_no_lock(tmp_path: Path) -> None:
    with running_receiver(tmp_path) as receiver, RawPeer(receiver.port) as peer:
        crew = receiver.crew()
        assert peer.associated().status(storing("1.2.3"), data_set("1.2.3")) == 0x0000
        receiver.process.kill()
        assert receiver.process.wait() == -signal.SIGKILL
        assert peer.until_the_end() in ([ABORT], [])
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in crew), _SECONDS)
    with running_receiver(tmp_path) as again:
        assert len(again.arrived()) == 1
        assert again.end() == 0


def test_a_port_in_use_is_said_and_fails(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        done = Site(tmp_path).run("receive", "--port", taken.getsockname()[1])
    assert done.returncode == 1
    assert "\nRECEIVER_PORT_BUSY" in done.stderr


@pytest.mark.parametrize("port", ["0", "65536", "eleven"])
def test_a_port_that_is_none_is_wrong_usage(tmp_path: Path, port: str) -> None:
    assert Site(tmp_path).run("receive", "--port", port).returncode == 2


@needs("storescu")
def test_several_senders_at_once(receiver: Receiver, tmp_path: Path) -> None:
    before = len(receiver.arrived())
    folders = []
    for sender in range(3):
        folders.append(tmp_path / str(sender))
        folders[-1].mkdir()
        for number in range(20):
            dataset = pydicom.dcmread(_FILES / "CT_small.dcm")
            dataset.StudyInstanceUID, dataset.SOPInstanceUID = f"{STUDY}.{number}", f"{STUDY}.{sender}.{number}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.save_as(folders[-1] / f"{number}.dcm")
    command = (find_program("storescu"), "+sd", "127.0.0.1", str(receiver.port))
    senders = [subprocess.Popen([*command, str(folder)]) for folder in folders]
    assert [sender.wait(_SECONDS) for sender in senders] == [0, 0, 0]
    assert len(receiver.arrived()) == before + 60


def test_it_says_nothing_of_what_it_takes(receiver: Receiver) -> None:
    with RawPeer(receiver.port) as peer:
        peer.associate(asking(calling="SURNAME^GIVEN"))
        assert peer.status(storing("1.2.3"), data_set("1.2.4")) == 0xA900
    assert receiver.said().splitlines()[1].startswith("listening on")
    assert "SURNAME" not in receiver.said()
    assert "1.2.3" not in receiver.said()
