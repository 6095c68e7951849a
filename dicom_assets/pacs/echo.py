"""Is the archive there, and does it know us? C-ECHO."""

from pynetdicom import build_context
from pynetdicom.sop_class import Verification

from ..errors import RetryLater
from .archive import Archive
from .association import open_association
from .contexts import UNCOMPRESSED
from .status import read_status
from .watch import Watch


def echo(archive: Archive) -> None:
    """Raises the coded error that says what is wrong: see open_association; PACS_STALLED where no answer came."""
    watch = Watch(archive.timeouts)
    with open_association(archive, [build_context(Verification, UNCOMPRESSED)], watch=watch) as association:
        try:
            with watch.answering():
                meaning = read_status("echo", association.send_c_echo(), is_first=True)
        except RuntimeError:
            # pynetdicom's for an association that has ended meanwhile.
            raise RetryLater("PACS_ABORTED") from None
        if watch.stalled:
            raise RetryLater("PACS_STALLED")
        if not meaning.is_success:
            raise meaning.as_error()
