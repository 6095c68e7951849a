"""What our associations have that pynetdicom's lack."""

import threading
from types import SimpleNamespace

from dicom_assets.pacs.sockets import keep_answers


def test_a_reactor_that_was_let_go_takes_nothing_of_the_next_request() -> None:
    """Requests in turn, as Association.send_c_find makes them, beside a reactor as pynetdicom's."""
    association = SimpleNamespace(_is_paused=False)
    keep_answers(association)
    checkpoint = association._reactor_checkpoint
    asking, ended, stolen = threading.Event(), threading.Event(), threading.Event()
    free = threading.Event()

    def reactor() -> None:
        while not ended.is_set():
            association._is_paused = True
            checkpoint.wait()
            free.wait(0.002)  # a machine that is busy with something else
            association._is_paused = False
            if asking.is_set():
                stolen.set()

    thread = threading.Thread(target=reactor, daemon=True)
    thread.start()
    for _ in range(100):
        checkpoint.clear()
        while not association._is_paused:
            free.wait(0.0001)
        asking.set()
        free.wait(0.001)
        asking.clear()
        checkpoint.set()
    ended.set()
    thread.join(10)
    assert not stolen.is_set()
