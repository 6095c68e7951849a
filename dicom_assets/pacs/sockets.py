"""What pynetdicom's associations lack: a limit to reads, an end from outside, no waiting for acknowledgements, and
a thread that takes no answer that is not its own."""

import socket
import threading
from contextlib import suppress

_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)  #: Linux only


def limit_reads(association: object, seconds: float) -> None:
    """pynetdicom reads a PDU to its end without any timeout: a peer that stops in the middle would hold its thread."""
    with suppress(OSError, AttributeError):
        association.dul.socket.socket.settimeout(seconds)


class _PromptSocket(socket.socket):
    """Acknowledges what it has received before it waits for more. TCP_QUICKACK holds for the next packets only."""

    def recv(self, *arguments: int) -> bytes:
        if _QUICK_ACK is not None:
            self.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        return super().recv(*arguments)


def answer_at_once(association: object) -> None:
    """A DICOM message is several small writes. Nagle's algorithm holds back the second for the acknowledgement of the
    first, and a receiver delays that: some 40 ms a message. Ours wait for nothing (TCP_NODELAY), and the peer's, which
    may write so too, are acknowledged at once. To be called before anything is read."""
    wrapper = association.dul.socket
    with suppress(OSError, AttributeError):
        wrapper.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        timeout = wrapper.socket.gettimeout()
        wrapper.socket = _PromptSocket(fileno=wrapper.socket.detach())
        wrapper.socket.settimeout(timeout)


class _Checkpoint(threading.Event):
    """Where pynetdicom's reactor thread waits while another thread asks and reads the answers.

    pynetdicom 3.0.4 takes a reactor that was let go, but has not run yet, for one that waits: it then takes the first
    answer to the next request, and drops it. Here it has either gone, and `_is_paused` says so, or it goes on waiting.
    """

    def __init__(self, association: object) -> None:
        super().__init__()
        self._association = association
        self._leaving = threading.Lock()

    def wait(self, timeout: float | None = None) -> bool:
        while super().wait(timeout):
            with self._leaving:
                if self.is_set():
                    self._association._is_paused = False
                    return True
        return False

    def clear(self) -> None:
        with self._leaving:
            super().clear()


def keep_answers(association: object) -> None:
    """Let no answer get lost between two requests. To be called before the association is established."""
    checkpoint = _Checkpoint(association)
    checkpoint.set()
    association._reactor_checkpoint = checkpoint


def cut(association: object) -> None:
    """End the TCP connection at once, whatever the association's threads are doing."""
    with suppress(OSError, AttributeError):
        association.dul.socket.socket.shutdown(socket.SHUT_RDWR)
