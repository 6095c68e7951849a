"""A release pack as somebody finds it: what lies in the folder, read with distrust and never followed out of it."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from ..errors import BadInput
from ..storage.atomic import sha256
from . import pack_layout as layout
from .pack_contents import ImageFacts
from .pack_reports import PackedReport, report_from
from .pack_statement import MADE_BY
from .verify_file import shown

Content = TypeVar("Content")
Other = TypeVar("Other")

_TOP = frozenset(
    (
        layout.SUMS, layout.STATEMENT, layout.STATEMENT_TEXT, layout.README, layout.MANIFEST, layout.DICTIONARY,
        layout.REJECTED, layout.QUARANTINE,
    )
)  # fmt: skip


class FoundPack:
    """images: what they tell of themselves. unreadable: tables and reports that are missing or damaged, with the reason
    code."""

    def __init__(self, folder: Path, images: Sequence[ImageFacts]) -> None:
        self.folder = folder
        self.images = sorted(images, key=lambda one: one.path)
        self.unreadable: dict[str, str] = {}
        #: path of each file -> SHA-256; of what is no file of its own: empty
        self.digests: dict[str, str] = {}
        known = {f"{layout.IMAGES}/{one.path}": one.sha256 for one in images}
        for name, entry in layout.files_below(folder):
            is_file = entry.is_file(follow_symlinks=False)
            self.digests[shown(name)] = (known.get(name) or sha256(Path(entry.path))) if is_file else ""
        self.digest = self.digests.get(layout.SUMS, "")
        self.sums = self._read(layout.SUMS, lambda: layout.read_sums(folder), {})
        self.statement: dict = self._read(layout.STATEMENT, self._statement, {})
        self.reports = {report.batch: report for report in self._reports()}

    @property
    def expected(self) -> frozenset[str]:
        """What has to be there beside images."""
        suffixes = layout.REPORT_SUFFIXES
        return _TOP | {f"{layout.REPORTS}/{batch}.{suffix}" for batch in self.batches for suffix in suffixes}

    def rows(self, name: str) -> list[tuple[str, ...]] | None:
        """Of a table; None where it cannot be read."""
        return self._read(name, lambda: layout.read_csv(self.folder, name), None)

    def content(self, name: str) -> bytes:
        """Of a file; nothing where it is missing."""
        return self._read(name, (self.folder / name).read_bytes, b"")

    @cached_property
    def manifest(self) -> list[tuple[str, ...]] | None:
        return self.rows(layout.MANIFEST)

    @property
    def batches(self) -> list[str]:
        """As the statement names them."""
        batches = self.statement.get("batches")
        return [one for one in batches if isinstance(one, str)] if isinstance(batches, list) else []

    @property
    def made_here(self) -> bool:
        return self.statement.get("made_by") == MADE_BY

    def _read(self, name: str, read: Callable[[], Content], otherwise: Other) -> Content | Other:
        if not self.digests.get(name):
            self.unreadable[name] = "PACK_FILE_MISSING"
            return otherwise
        try:
            return read()
        except BadInput as error:
            self.unreadable[name] = error.code
            return otherwise

    def _statement(self) -> dict:
        try:
            statement = json.loads((self.folder / layout.STATEMENT).read_bytes())
        except (ValueError, RecursionError):
            statement = None
        if not isinstance(statement, dict):
            raise BadInput("PACK_TABLE_UNREADABLE")
        return statement

    def _reports(self) -> Iterator[PackedReport]:
        """Those of the batches that the statement names."""
        for batch in self.batches:
            name = f"{layout.REPORTS}/{batch}.json"
            report = self._read(name, lambda name=name: report_from((self.folder / name).read_bytes()), None)
            if report is not None and report.batch == batch:
                yield report
            elif report is not None:
                self.unreadable[name] = "PACK_REPORT_UNREADABLE"
