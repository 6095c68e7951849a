"""Released files on their way out: nothing but what was released, below its root, and as it was when it was proved."""

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import BadInput, Refused, from_os_error
from ..pacs.part10 import LARGEST_HEAD, FileHead, NotPart10, read_head
from ..pacs.send import Parcel
from ..storage.ledger import require_stage
from ..storage.mapping import read_part
from ..storage.zones import Zones
from .withdraw import read_release, report_stands


@dataclass(frozen=True)
class Outgoing:
    """One released instance. file: <patient>/<study>/<series>/<instance>.dcm below root. sha256: as it was proved;
    empty where nothing says so."""

    root: Path
    file: str
    sha256: str

    @property
    def sop_instance_uid(self) -> str:
        return Path(self.file).stem

    @property
    def series(self) -> tuple[str, str]:
        """StudyInstanceUID and SeriesInstanceUID, both new."""
        folder = Path(self.file).parent
        return folder.parent.name, folder.name


def released_instances(zones: Zones, batch: str, why: str = "delivery") -> list[Outgoing]:
    """why: for the audit log, since the mapping is read. Raises BadInput: BATCH_NOT_RELEASED, also while a release is
    under way; STAGE_NOT_RUN where what it rests on has changed since."""
    files = _released_files(zones, batch)
    part = read_part(zones, batch, ("Anonymized Filename", "sha256_anonymized"), why=why)
    proved = dict(zip(part["Anonymized Filename"], part["sha256_anonymized"], strict=True))
    return [Outgoing(zones.released, file, proved.get(file, "")) for file in files]


def listed_instances(zones: Zones, batch: str) -> list[Outgoing]:
    """The same, by the list of the batch's report instead of the mapping, which may have been destroyed. Raises as
    released_instances(), and BadInput("PACK_REPORT_DIFFERS") where the report is not as it was written."""
    files = _released_files(zones, batch)
    if not report_stands(zones, batch):
        raise BadInput("PACK_REPORT_DIFFERS")
    lines = zones.report(batch, "sha256").read_text("utf-8").splitlines()
    proved = {file: digest for digest, file in (line.split("  ", 1) for line in lines)}
    return [Outgoing(zones.released, file, proved.get(file, "")) for file in files]


def _released_files(zones: Zones, batch: str) -> tuple[str, ...]:
    release = read_release(zones, batch)
    if not release.inputs:
        raise BadInput("BATCH_NOT_RELEASED")
    require_stage(zones, batch, "validation_report")
    return release.files


def parcel_of(outgoing: Outgoing) -> Parcel:
    """Raises Refused("FILE_NOT_AS_RECORDED"). Its content is looked at when it is opened to be sent."""
    with open_released(outgoing) as file:
        head = _head_of(file)
        stop = os.fstat(file.fileno()).st_size
    if head.sop_instance_uid != outgoing.sop_instance_uid:
        raise Refused("FILE_NOT_AS_RECORDED")
    return Parcel(
        name=outgoing.file,
        sop_class_uid=head.sop_class_uid,
        sop_instance_uid=head.sop_instance_uid,
        transfer_syntax_uid=head.transfer_syntax_uid,
        open=functools.partial(_proved, outgoing, head),
        start=head.data_at,
        stop=stop,
    )


def _proved(outgoing: Outgoing, head: FileHead) -> BinaryIO:
    """The open file, whose bytes have the digest that was recorded when it was proved."""
    file = open_released(outgoing)
    try:
        if hashlib.file_digest(file, "sha256").hexdigest() != outgoing.sha256 or _head_of(file) != head:
            raise Refused("FILE_NOT_AS_RECORDED")
    except BaseException as error:
        file.close()
        raise from_os_error(error) if isinstance(error, OSError) else error from None
    return file


def open_released(outgoing: Outgoing) -> BinaryIO:
    """A file of its own below the released root: no link anywhere on the way, and nothing that leads out of it."""
    root = outgoing.root.resolve()
    path = root / outgoing.file
    try:
        if path.resolve(strict=True) != path or not path.is_relative_to(root) or not path.is_file():
            raise Refused("FILE_NOT_AS_RECORDED")
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except (OSError, RuntimeError):
        raise Refused("FILE_NOT_AS_RECORDED") from None


def _head_of(file: BinaryIO) -> FileHead:
    file.seek(0)
    try:
        head = read_head(file.read(LARGEST_HEAD))
    except NotPart10:
        head = None
    if head is None:
        raise Refused("FILE_NOT_AS_RECORDED")
    return head
