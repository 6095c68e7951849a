"""C-STORE SCU (PS3.4 annex B) and STOW-RS: files go out as they are, from the disk, neither decoded nor transcoded."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import BadInput, DicomAssetsError, RetryLater
from .archive import Archive
from .association import Association
from .requestor import open_association
from .status import read_status

#: Seconds before another association is tried when one brought nothing; after the last of them it is given up.
PAUSES = (1.0, 3.0, 9.0)

STORED, REFUSED, AGAIN = "stored", "refused", "again"

# PS3.8 9.3.2.2: presentation context IDs are the odd numbers up to 255.
_CONTEXTS = 128


@dataclass(frozen=True)
class Parcel:
    """An instance in a Part 10 file. name: what it is called in reports. open: the file; raises DicomAssetsError where
    it must not go out. start, stop: its data set, in bytes of the file."""

    name: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    open: Callable[[], BinaryIO]
    start: int
    stop: int


@dataclass(frozen=True)
class Answer:
    """outcome: STORED, REFUSED, or AGAIN (not now). reason: reason code; of a stored one where the destination warned.
    status: of the response, where there was one."""

    outcome: str
    reason: str = ""
    status: int | None = None


#: One conversation: the answers it brought. What has none is asked in the next. Raises DicomAssetsError.
Converse = Callable[[Archive, Sequence[Parcel]], Iterator[tuple[Parcel, Answer]]]


def send_instances(
    destination: Archive,
    parcels: Sequence[Parcel],
    answered: Callable[[Parcel, Answer], object],
    pauses: Sequence[float] = PAUSES,
) -> None:
    """Store all of them; answered is called once for each that is stored or refused, as the answers come.

    What ends an association is tried again over a new one, last in the queue, so that one instance that the destination
    cannot bear does not keep the others. Raises the last error where conversations brought nothing len(pauses) + 1
    times in a row, and some instances were never tried; and BadInput as open_association.
    """
    converse = _converse_by(destination)
    left = {parcel.name: parcel for parcel in parcels}
    again: dict[str, Answer] = {}
    fruitless = 0
    while left:
        settled, failure, stuck = 0, None, ""
        try:
            for parcel, answer in converse(destination, tuple(left.values())):
                del left[parcel.name]
                if answer.outcome == AGAIN:
                    again[parcel.name], left[parcel.name] = answer, parcel
                    stuck = answer.reason
                else:
                    settled += 1
                    answered(parcel, answer)
        except RetryLater as error:
            failure = error
        fruitless = 0 if settled else fruitless + 1
        if fruitless > len(pauses):
            if stuck and left.keys() <= again.keys():
                for name, parcel in left.items():
                    answered(parcel, Answer(REFUSED, again[name].reason, again[name].status))
                return
            raise failure or RetryLater(stuck or "PACS_ABORTED")
        if (failure or stuck or not settled) and pauses:
            time.sleep(pauses[max(fruitless - 1, 0)] * random.uniform(0.5, 1.5))


def _converse_by(destination: Archive) -> Converse:
    if destination.dicomweb_url:
        from .stow import converse_by_stow

        return converse_by_stow
    return _converse_by_c_store


def _converse_by_c_store(destination: Archive, parcels: Sequence[Parcel]) -> Iterator[tuple[Parcel, Answer]]:
    """Over one association, those that its presentation contexts have room for."""
    kinds = dict.fromkeys((one.sop_class_uid, one.transfer_syntax_uid) for one in parcels)
    kinds = dict.fromkeys(list(kinds)[:_CONTEXTS])
    fitting = [one for one in parcels if (one.sop_class_uid, one.transfer_syntax_uid) in kinds]
    # One context for each pair, so that accepting one syntax does not shut out another.
    proposals = [(sop_class, [syntax]) for sop_class, syntax in kinds]
    try:
        with open_association(destination, proposals) as association:
            for number, parcel in enumerate(fitting):
                try:
                    answer = _store(association, parcel, number % 0xFFFF + 1)
                except RetryLater as error:  # the association is no more
                    yield parcel, Answer(AGAIN, error.code)
                    raise
                yield parcel, answer
                if answer.outcome == AGAIN:
                    return
    except BadInput as error:
        if error.code != "PACS_NO_COMMON_CONTEXT":
            raise
        yield from ((parcel, _NOT_ACCEPTED) for parcel in fitting)


_NOT_ACCEPTED = Answer(REFUSED, "SEND_SYNTAX_NOT_ACCEPTED")


def _store(association: Association, parcel: Parcel, message_id: int) -> Answer:
    context = association.context_for(parcel.sop_class_uid, parcel.transfer_syntax_uid)
    if context is None:
        return _NOT_ACCEPTED
    try:
        file = parcel.open()
    except DicomAssetsError as error:
        return Answer(REFUSED, error.code)
    with file:
        response = association.store(
            context, parcel.sop_class_uid, parcel.sop_instance_uid, file, parcel.start, parcel.stop, message_id
        )
    meaning = read_status("store", response)
    if meaning.is_success or meaning.meaning == "partial":
        return Answer(STORED, meaning.reason, response.status)
    return Answer(AGAIN if meaning.meaning == "again_later" else REFUSED, meaning.reason, response.status)
