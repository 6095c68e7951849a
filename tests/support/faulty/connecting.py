"""Archives whose associations end, hang or are refused."""

import itertools
import socket
import struct
from collections.abc import Callable, Iterator

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE
from pynetdicom.presentation import PresentationContext

from dicom_assets.demo.archive import Step, StoredInstance

from .mode import PENDING, Mode, is_final, pretended

_TRANSIENT, _PRESENTATION, _LOCAL_LIMIT_EXCEEDED = 0x02, 0x03, 0x02
_ABSTRACT_SYNTAX_NOT_SUPPORTED = 0x03
_OUT_OF_RESOURCES = 0xA700


class RejectsEverySecondAssociation(Mode):
    """Rejects every second association: transient, local limit exceeded."""

    def __init__(self, archive: object) -> None:
        super().__init__(archive)
        self.numbers = itertools.count(1)

    def admits(self, association: Association) -> None:
        if next(self.numbers) % 2 == 0:
            association.acse.send_reject(_TRANSIENT, _PRESENTATION, _LOCAL_LIMIT_EXCEEDED)
            association.kill()


class AcceptsThreeContexts(Mode):
    """Accepts the first three presentation contexts that it knows and refuses the others."""

    def admits(self, association: Association) -> None:
        _accept_only(association, lambda place, _context: place < 3)


class OffersNoGet(Mode):
    """Refuses every context for C-GET."""

    def admits(self, association: Association) -> None:
        _accept_only(association, lambda _place, context: "Retrieve Information Model - GET" not in _name(context))


class SendsNotOverAssociationsOfOthers(Mode):
    """Accepts C-GET and does not take the role of a sender: no SCP/SCU role selection in its answer."""

    def admits(self, association: Association) -> None:
        association.requestor.primitive.user_information = [
            item
            for item in association.requestor.primitive.user_information
            if type(item).__name__ != "SCP_SCU_RoleSelectionNegotiation"
        ]


class EndsAfterEachQuery(Mode):
    """Aborts the association once a query is answered."""

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        say(response)
        if isinstance(response, C_FIND) and is_final(response):
            association.abort()


class AbortsInTheMiddle(Mode):
    """Sends two instances, then aborts the association."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield from itertools.islice(steps, 3)
        event.assoc.abort()


class AbortsInsteadOfAStatus(Mode):
    """Sends all, then aborts the association instead of the final response."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield from steps
        event.assoc.abort()


class ResetsInTheMiddleOfAnInstance(Mode):
    """Sends two instances, then cuts the TCP connection in the middle of the third."""

    def __init__(self, archive: object) -> None:
        super().__init__(archive)
        self.begun: dict[int, int] = {}

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        self.begun[id(association)] = self.begun.get(id(association), 0) + 1
        if self.begun[id(association)] == 3:
            _cut_after(association, instance.path.stat().st_size // 2)
        return go() if self.begun[id(association)] <= 3 else pretended(_OUT_OF_RESOURCES)


class SilentToRetrievals(Mode):
    """Takes C-GET and C-MOVE requests and answers nothing."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        self.hang()
        yield 0


class SilentInTheMiddle(Mode):
    """Sends four instances, then nothing more."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield from itertools.islice(steps, 5)
        if next(steps, None) is not None:
            self.hang()


class SilentInTheMiddleOfAnInstance(Mode):
    """Sends two instances, and of the third the first half."""

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        if self.is_third(instance.SOPInstanceUID):
            _pass_on(association, instance.path.stat().st_size // 2, self.hang)
        return go()


class Drips(Mode):
    """Sends responses to retrievals, and instances, one byte every twentieth of a second."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        self._slow_down(event.assoc)
        return steps

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        if association.is_requestor:
            self._slow_down(association)
        return go()

    def _slow_down(self, association: Association) -> None:
        wrapper = association.dul.socket
        pass_on = wrapper.send

        def send(data: bytes) -> None:
            for start in range(len(data)):
                if self.hang(0.05):
                    return
                pass_on(data[start : start + 1])

        wrapper.send = send


class PendingForEver(Mode):
    """Answers retrievals with one pending response after the other, and sends nothing."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield 1
        response = C_GET() if isinstance(event.request, C_GET) else C_MOVE()
        response.MessageIDBeingRespondedTo = event.request.MessageID
        response.AffectedSOPClassUID = event.request.AffectedSOPClassUID
        response.Status, response.NumberOfRemainingSuboperations = PENDING, 1
        for _ in range(300):
            if self.hang(0.1):
                return
            event.assoc.dimse.send_msg(response, event.context.context_id)


def _name(context: PresentationContext) -> str:
    return context.abstract_syntax.name


def _accept_only(association: Association, keep: Callable[[int, PresentationContext], bool]) -> None:
    """Of the contexts that would be accepted, refuse those that keep(place, context) is not true for."""
    send_accept = association.acse.send_accept

    def send() -> None:
        accepted = dict(sorted(association._accepted_cx.items()))
        for place, (number, context) in enumerate(accepted.items()):
            if not keep(place, context):
                context.result = _ABSTRACT_SYNTAX_NOT_SUPPORTED
                association._rejected_cx.append(association._accepted_cx.pop(number))
        send_accept()

    association.acse.send_accept = send


def _pass_on(association: Association, size: int, then: Callable[[], object]) -> None:
    """Let so many bytes pass, then call then(), and let nothing pass."""
    wrapper = association.dul.socket
    pass_on, left = wrapper.send, [size]

    def send(data: bytes) -> None:
        if left[0] > 0:
            pass_on(data[: left[0]])
            left[0] -= len(data)
            if left[0] <= 0:
                then()

    wrapper.send = send


def _cut_after(association: Association, size: int) -> None:
    def cut() -> None:
        # No lingering: what is closed is reset, not ended.
        connection = association.dul.socket.socket
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        association.dimse.msg_queue.put((None, None))  # or pynetdicom waits half a minute for the answer

    _pass_on(association, size, cut)


MODES = (
    RejectsEverySecondAssociation,
    AcceptsThreeContexts,
    OffersNoGet,
    SendsNotOverAssociationsOfOthers,
    EndsAfterEachQuery,
    AbortsInTheMiddle,
    AbortsInsteadOfAStatus,
    ResetsInTheMiddleOfAnInstance,
    SilentToRetrievals,
    SilentInTheMiddle,
    SilentInTheMiddleOfAnInstance,
    Drips,
    PendingForEver,
)
