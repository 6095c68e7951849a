"""What pynetdicom's associations lack: they wait for nobody's acknowledgement."""

import socket
from contextlib import suppress

_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)  #: Linux only


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
