"""The embedded archive in its own process, so that client and archive share no interpreter lock."""

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from ..errors import RetryLater
from ..quiet import silence_libraries
from .archive import EmbeddedArchive

_START_SECONDS = 60


@contextmanager
def serve_in_child(
    folder: Path,
    ae_title: str = "DEMO_ARCHIVE",
    port: int = 0,
    known_peers: Mapping[str, tuple[str, int]] | None = None,
) -> Iterator[int]:
    """Yields the archive's port. The process ends with the block, and with this process however that ends.

    Raises RetryLater("FILE_OPERATION_FAILED") where the archive does not start, as when the port is taken.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (folder, ae_title, port, dict(known_peers or {}), theirs, os.getpid())
    process = context.Process(target=_serve, args=arguments, daemon=True)
    process.start()
    theirs.close()
    try:
        yield _port_from(ours)
    finally:
        ours.close()
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


def _port_from(connection: Connection) -> int:
    try:
        if connection.poll(_START_SECONDS):
            return connection.recv()
    except EOFError:
        pass
    raise RetryLater("FILE_OPERATION_FAILED")


def _serve(
    folder: Path,
    ae_title: str,
    port: int,
    known_peers: dict[str, tuple[str, int]],
    connection: Connection,
    parent: int,
) -> None:
    """Until the other end of connection is closed, or parent is no more."""
    silence_libraries()
    try:
        with EmbeddedArchive(folder, ae_title, port, known_peers) as archive:
            connection.send(archive.port)
            while not connection.poll(1):
                if os.getppid() != parent:
                    break
    except OSError:
        connection.close()
    except KeyboardInterrupt:
        pass
