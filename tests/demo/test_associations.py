"""What is mended of pynetdicom's associations."""

import threading
from types import SimpleNamespace

import pytest

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
