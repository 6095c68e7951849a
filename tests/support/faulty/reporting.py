"""Archives that say something else of a retrieval than what became of it, or end it with other than success."""

from collections.abc import Callable, Iterator

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association

from dicom_assets.demo.archive import Step, StoredInstance

from .mode import SUCCESS, Mode, is_final, is_retrieve, pretended
from .sending import NeverSendsOne

_CANNOT_STORE, _WARNING = 0xC000, 0xB000


class GivesNoCounts(NeverSendsOne):
    """Never sends one instance of a study, reports success, and gives no counts of sub-operations."""

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        if is_retrieve(response):
            response.NumberOfRemainingSuboperations = response.NumberOfCompletedSuboperations = None
            response.NumberOfFailedSuboperations = response.NumberOfWarningSuboperations = None
        say(response)


class CountsWrongly(Mode):
    """Sends all, and counts nine completed, one failed and one remaining in a final response of success."""

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        if is_retrieve(response) and is_final(response):
            response.NumberOfCompletedSuboperations, response.NumberOfFailedSuboperations = 9, 1
        say(response)


class SendsNoPendingResponses(Mode):
    """Sends all, and no response but the final one."""

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        if not is_retrieve(response) or is_final(response):
            say(response)


class WarnsThoughAllCame(Mode):
    """Sends all, and ends with 0xB000 and a count of warnings."""

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        if is_retrieve(response) and response.Status == SUCCESS:
            response.Status = _WARNING
            response.NumberOfWarningSuboperations = response.NumberOfCompletedSuboperations
            response.NumberOfCompletedSuboperations = 0
        say(response)


class FailsToSendOne(Mode):
    """Cannot send one instance of a study, says so in its counts and ends with 0xB000."""

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        return pretended(_CANNOT_STORE) if self.is_third(instance.SOPInstanceUID) else go()


class _Refuses(Mode):
    status = 0

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield 1
        yield self.status, None


class CannotCountMatches(_Refuses):
    """Answers every retrieval with 0xA701: out of resources, unable to calculate the number of matches."""

    status = 0xA701


class RefusesSuboperations(_Refuses):
    """Answers every retrieval with 0xA702: out of resources, unable to perform sub-operations."""

    status = 0xA702


class DoesNotKnowTheDestination(_Refuses):
    """Answers every C-MOVE with 0xA801: move destination unknown."""

    status = 0xA801


class GivesUpAtOne(Mode):
    """Ends with 0xC000 at the first instance that it cannot send, though others would follow."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield next(steps)
        for status, instance in steps:
            if self.is_third(instance.SOPInstanceUID):
                yield 0xC000, None
                return
            yield status, instance


class EndsWithAnUnknownStatus(Mode):
    """Sends one instance, then ends with the status 0x1234, which the standard does not know."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield next(steps)
        yield next(steps)
        yield 0x1234, None


MODES = (
    GivesNoCounts,
    CountsWrongly,
    SendsNoPendingResponses,
    WarnsThoughAllCame,
    FailsToSendOne,
    CannotCountMatches,
    RefusesSuboperations,
    DoesNotKnowTheDestination,
    GivesUpAtOne,
    EndsWithAnUnknownStatus,
)
