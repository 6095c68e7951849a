"""Waiting for what another process or thread does; the limit is a guard against hanging, not a measurement."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], seconds: float, pause: float = 0.1) -> None:
    """pause: seconds between two looks."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(pause)
