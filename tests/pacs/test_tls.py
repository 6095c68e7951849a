"""TLS on both sides of an association, against a real Orthanc and dcmtk."""

import contextlib
import io
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from dicom_assets.errors import BadInput, DicomAssetsError
from dicom_assets.pacs.archive import Archive, Tls
from dicom_assets.pacs.contexts import UNCOMPRESSED
from dicom_assets.pacs.echo import echo
from dicom_assets.pacs.find import find_studies
from dicom_assets.pacs.intake import Intake
from dicom_assets.pacs.patience import Patience
from dicom_assets.pacs.query import StudyQuery
from dicom_assets.pacs.receive import Receiver, open_receiver
from dicom_assets.pacs.requestor import open_association
from dicom_assets.pacs.retrieve import retrieve_instances
from tests.pacs.conftest import BRISK, HASTY, PATIENT
from tests.pacs.peers import Kept, keeping, serving
from tests.support.certificates import Certificates, make_certificates
from tests.support.orthanc import running_orthanc
from tests.support.ports import free_port
from tests.support.programs import find_program, needs

CT = "1.2.840.10008.5.1.4.1.1.2"

pytestmark = needs("Orthanc", "storescp", "storescu")


@dataclass(frozen=True)
class Secured:
    """An Orthanc that speaks TLS alone and demands a certificate of its peers, with one study."""

    archive: Archive
    certificates: Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Secured]:
    receiver_port = free_port()
    more = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(certificates.archive),
        "DicomTlsPrivateKey": str(certificates.archive),
        "DicomTlsTrustedCertificates": str(certificates.authority),
        "DicomTlsRemoteCertificateRequired": True,
        "DicomModalities": {
            "ours": {"AET": "DICOM_ASSETS", "Host": "127.0.0.1", "Port": receiver_port, "UseDicomTls": True}
        },
    }
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), more) as orthanc:
        archive = Archive(
            "127.0.0.1",
            orthanc.dicom_port,
            orthanc.ae_title,
            "DICOM_ASSETS",
            receiver_port=receiver_port,
            timeouts=PATIENT,
            tls=certificates.tls,
        )
        orthanc.upload([Path(get_testdata_file("CT_small.dcm"))])
        yield Secured(archive, certificates)


@pytest.mark.parametrize("way", ["get", "move"])
def test_a_study_is_found_and_retrieved(secured: Secured, way: str) -> None:
    (study,) = find_studies(secured.archive, StudyQuery())
    kept: list[Kept] = []
    archive = replace(secured.archive, retrieve=way)
    report = retrieve_instances(archive, study.study_instance_uid, None, keeping(kept.append), level="STUDY")
    assert (report.reason, len(kept)) == ("", 1)
    assert len(kept[0].data) > 38000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _: None, "PACS_TLS_REQUIRED"),
        (lambda c: Tls(c.strangers_authority, c.ours), "PACS_TLS_UNTRUSTED"),
        (lambda c: Tls(c.authority), "PACS_TLS_CLIENT_REFUSED"),
        (lambda c: Tls(c.authority, c.strangers), "PACS_TLS_CLIENT_REFUSED"),
        (lambda c: Tls(c.authority.with_name("absent.pem"), c.ours), "PACS_TLS_FILES"),
        (lambda c: Tls(c.ours, c.authority), "PACS_TLS_FILES"),
    ],
    ids=["plain", "unknown authority", "no certificate", "stranger's certificate", "no file", "no key"],
)
def test_what_is_wrong_with_tls_is_said(secured: Secured, change: object, code: str) -> None:
    with pytest.raises(DicomAssetsError) as raised:
        echo(replace(secured.archive, tls=change(secured.certificates), timeouts=BRISK))
    assert raised.value.code == code


def test_a_certificate_has_to_name_the_host(secured: Secured, tmp_path: Path) -> None:
    import trustme

    authority = trustme.CA()
    made = replace(secured.certificates, authority=tmp_path / "a.pem", archive=tmp_path / "b.pem")
    authority.cert_pem.write_to_path(made.authority)
    authority.issue_cert("elsewhere.invalid").private_key_and_cert_chain_pem.write_to_path(made.archive)
    with dcmtk_receiving(tmp_path, made) as port:
        archive = Archive("127.0.0.1", port, "STORESCP", "DICOM_ASSETS", timeouts=BRISK, tls=Tls(made.authority))
        with pytest.raises(BadInput, match="PACS_TLS_UNTRUSTED"):
            echo(archive)
        echo(replace(archive, tls=Tls(made.authority, check_host=False)))


def test_an_archive_without_tls_is_told_from_one_that_refuses(certificates: Certificates) -> None:
    with serving({}) as archive, pytest.raises(BadInput, match="PACS_TLS_NOT_OFFERED"):
        echo(replace(archive, tls=certificates.tls, timeouts=HASTY))


def test_what_is_pushed_in_plain_or_by_a_stranger_is_not_taken(secured: Secured, tmp_path: Path) -> None:
    """dcmtk's storescu against our receiver, while it is open for a C-MOVE that waits."""
    c, kept = secured.certificates, []
    archive = replace(secured.archive, receiver_port=free_port(), timeouts=BRISK)
    intake = Intake("1.3.6.1.4.1.5962.1.2.1.20040119072730.12322", None, keeping(kept.append), level="STUDY")
    file = get_testdata_file("CT_small.dcm")

    def push(*options: object) -> int:
        command = [find_program("storescu"), *map(str, options), "127.0.0.1", str(archive.receiver_port), file]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    with open_receiver(archive, intake, (), Patience(PATIENT)):
        assert push() != 0
        assert push("+tls", c.strangers, c.strangers, "+cf", c.authority) != 0
        assert push("+tla", "+cf", c.authority) != 0
        assert kept == []
        assert push("+tls", c.ours, c.ours, "+cf", c.authority) == 0
    assert len(kept) == 1


@contextlib.contextmanager
def dcmtk_receiving(folder: Path, certificates: Certificates) -> Iterator[int]:
    """storescp with TLS, which asks its peers for no certificate; its port."""
    port, pem = free_port(), str(certificates.archive)
    process = subprocess.Popen([find_program("storescp"), "+tls", pem, pem, "-ic", "-od", str(folder), str(port)])
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def test_an_instance_that_is_half_in_when_the_receiver_closes_is_never_read_undeciphered(
    certificates: Certificates,
) -> None:
    """What of it has arrived may complete it; what is still enciphered may not."""
    written, closing = threading.Event(), threading.Event()
    content, kept = bytes(110_000), []

    class Waiting:
        data = b""

        def write(self, piece: bytes | memoryview) -> None:
            self.data += bytes(piece)
            written.set()
            closing.wait(20)

        def keep(self) -> None:
            kept.append(self.data)

        def discard(self) -> None:
            pass

    archive = Archive("127.0.0.1", free_port(), "RECEIVER", "DICOM_ASSETS", timeouts=PATIENT, tls=certificates.tls)
    archive = replace(archive, receiver_port=archive.port)
    intake = Intake("1.2", ["1.2.3"], lambda *_: Waiting(), level="IMAGE")

    def push() -> None:
        with contextlib.suppress(DicomAssetsError), open_association(archive, [(CT, UNCOMPRESSED)]) as association:
            context = association.context_for(CT)
            association.store(context, CT, "1.2.3", io.BytesIO(content), 0, len(content))

    pushing = threading.Thread(target=push)
    later = threading.Timer(0.5, closing.set)
    with open_receiver(archive, intake, (), Patience(PATIENT)):
        pushing.start()
        assert written.wait(20)
        time.sleep(0.3)
        later.start()
    pushing.join()
    later.join()
    assert kept in ([], [content])
    assert bool(intake.stored) == bool(kept)


def test_a_peer_in_the_middle_of_a_handshake_does_not_keep_the_receiver_open(certificates: Certificates) -> None:
    timeouts = replace(PATIENT, acse=120)
    archive = Archive("", 0, "", "", receiver_port=free_port(), timeouts=timeouts, tls=certificates.tls)
    receiver = Receiver(archive, lambda *_: None, frozenset([CT]), Patience(PATIENT))
    closing = threading.Thread(target=receiver.close)
    with socket.create_connection(("127.0.0.1", archive.receiver_port)) as peer:
        peer.sendall(b"\x16\x03")
        time.sleep(0.3)
        closing.start()
        closing.join(30)
        assert not closing.is_alive()
