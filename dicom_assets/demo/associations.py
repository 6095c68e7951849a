"""What pynetdicom's associations lack: they answer at once, lose no answer to themselves, and close their sockets."""

import socket
import threading
from contextlib import suppress

from pynetdicom import evt
from pynetdicom.association import Association

_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)  #: Linux only


class _PromptSocket(socket.socket):
    """Acknowledges what it has received before it waits for more. TCP_QUICKACK holds for the next packets only. May be
    shut down after the peer has hung up: pynetdicom would then forget to close it."""

    def recv(self, *arguments: int) -> bytes:
        if _QUICK_ACK is not None:
            self.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        return super().recv(*arguments)

    def shutdown(self, how: int) -> None:
        with suppress(OSError):
            super().shutdown(how)


class _Checkpoint(threading.Event):
    """Where an association's own thread stands still while another thread of ours waits for an answer.

    pynetdicom 3.0.4 takes the thread for standing still a moment longer than it does: between the end of its wait and
    its next statement. On a busy machine it then takes the answer away, and who waits for it does so for 30 seconds.
    Here the one ends with the other.
    """

    def __init__(self, association: Association) -> None:
        super().__init__()
        self._association, self._passing = association, threading.Lock()
        self.set()

    def clear(self) -> None:
        with self._passing:
            super().clear()

    def wait(self, timeout: float | None = None) -> bool:
        while super().wait(timeout):
            with self._passing:
                if self.is_set():
                    self._association._is_paused = False
                    return True
        return False


def mend(association: Association) -> None:
    """To be called before anything is read.

    A DICOM message is several small writes. Nagle's algorithm holds back the second for the acknowledgement of the
    first, and a receiver delays that: some 40 ms a message. Ours wait for nothing (TCP_NODELAY), and the peer's, which
    may write so too, are acknowledged at once.
    """
    association._reactor_checkpoint = _Checkpoint(association)
    wrapper = association.dul.socket
    with suppress(OSError, AttributeError):
        wrapper.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        timeout = wrapper.socket.gettimeout()
        wrapper.socket = _PromptSocket(fileno=wrapper.socket.detach())
        wrapper.socket.settimeout(timeout)


#: A handler that mends each association, for start_server() and associate().
MENDED = (evt.EVT_CONN_OPEN, lambda event: mend(event.assoc))
