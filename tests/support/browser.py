"""Debian's Chromium, driven by playwright; it looks nothing up by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from .programs import find_program

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


@contextmanager
def browser() -> Iterator[Browser]:
    """Tests that use it are marked with needs("chromium")."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_program("chromium"), args=_ARGUMENTS)
        try:
            yield chromium
        finally:
            chromium.close()
