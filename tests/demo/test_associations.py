"""What is mended of pynetdicom's associations."""

import select
import socket
import struct
import threading
from types import SimpleNamespace

import pytest
from pynetdicom.transport import AssociationSocket

from dicom_assets.demo.associations import mend


def test_a_thread_that_is_stopped_as_it_sets_out_stands_still_and_is_not_taken_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    association = SimpleNamespace(_is_paused=True, dul=SimpleNamespace(socket=None))
    mend(association)
    checkpoint = association._reactor_checkpoint
    wait, stopped = threading.Event.wait, []

    def stopped_at_the_last_moment(event: threading.Event, timeout: float | None = None) -> bool:
        may_go = wait(event, timeout)
        if not stopped:
            stopped.append(checkpoint.clear())
        return may_go

    monkeypatch.setattr(threading.Event, "wait", stopped_at_the_last_moment)
    assert not checkpoint.wait(0.01)
    assert stopped
    assert association._is_paused
    checkpoint.set()
    assert checkpoint.wait(0.01)
    assert not association._is_paused


def test_a_socket_whose_peer_has_hung_up_is_closed_all_the_same() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    wrapper = SimpleNamespace(socket=ours)
    mend(SimpleNamespace(_is_paused=False, dul=SimpleNamespace(socket=wrapper)))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    select.select([wrapper.socket], [], [], 5)
    with pytest.raises(ConnectionResetError):
        wrapper.socket.recv(1)
    AssociationSocket._shutdown_socket(wrapper)
    assert wrapper.socket.fileno() == -1
