"""Is the archive there, and does it know us? C-ECHO, and a query of one study where it has DICOMweb."""

from ..errors import RetryLater
from .archive import Archive
from .commands import C_ECHO_RQ, request
from .contexts import UNCOMPRESSED, VERIFICATION
from .patience import Patience
from .requestor import open_association
from .status import read_status


def echo(archive: Archive) -> None:
    """Raises the coded error that says what is wrong: see open_association; PACS_STALLED where no answer came."""
    patience = Patience(archive.timeouts)
    with open_association(archive, [(VERIFICATION, UNCOMPRESSED)], patience=patience) as association:
        context = association.context_for(VERIFICATION)
        with patience.answering():
            try:
                association.send(context, request(C_ECHO_RQ, 1, VERIFICATION, has_data=False))
                _, response = association.next_command()
            except RetryLater as error:
                raise RetryLater("PACS_REQUEST_ABORTED" if error.code == "PACS_ABORTED" else error.code) from None
        meaning = read_status("echo", response)
        if not meaning.is_success:
            raise meaning.as_error()
