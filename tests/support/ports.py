"""Ports for programs that a test starts: each is handed out once, so that tests that run side by side do not meet."""

import os
import random
import socket

#: Below what Linux gives to connections that go out (net.ipv4.ip_local_port_range).
_FIRST, _A_WORKER = 12000, 2500
_worker = int("".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", "0")))) % 8
_range = range(_FIRST + _worker * _A_WORKER, _FIRST + (_worker + 1) * _A_WORKER)
_left = random.Random(os.getpid()).sample(_range, len(_range))


def free_port() -> int:
    """One on which nothing listens."""
    while True:
        port = _left.pop()
        try:
            with socket.create_server(("0.0.0.0", port)):
                return port
        except OSError:
            continue
