"""Which studies a row of a request means: asked of the archives in their order, over one association each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ..errors import DicomAssetsError, RetryLater
from ..pacs.archive import Archive
from ..pacs.find import UIDS_A_QUERY, Expected, Finder, StudyMatch, StudyQuery, open_finder
from .request import RequestRow

#: Conversations without an answer after which an archive is left alone
_UNANSWERED = 2
#: Of these one is enough: each costs the whole time limit
_SLOW = {"PACS_STALLED", "PACS_TIMEOUT"}


@dataclass(frozen=True)
class Held:
    """A study and the archive that has it. doubt: code of why one that comes before it may have it too, and have more
    of it."""

    archive: Archive
    study: StudyMatch
    doubt: str = ""


@dataclass(frozen=True)
class Found:
    """studies: what the row means, () where nothing is known. reason: the code of why it means none. error: of an
    archive that gave no answer and may hold more."""

    studies: tuple[Held, ...]
    reason: str = ""
    error: DicomAssetsError | None = None


class Lookup:
    """For many rows, as a `with` block. An archive that does not answer is left alone after a few tries.

    archives: in the order in which they are asked. rows: those that will be asked for, in this order, so that UIDs are
    asked for together. talking_to: round each conversation with an archive; it may call what it is given besides, so
    that no association stays open while others have their turn.
    """

    def __init__(
        self,
        archives: Sequence[Archive],
        rows: Iterable[RequestRow] = (),
        talking_to: Callable[[Archive, Callable[[], None]], AbstractContextManager] = lambda *_: nullcontext(),
    ) -> None:
        self._archives = archives
        self._talking_to = talking_to
        self._uids = [row.study_instance_uid for row in rows if names_only_a_uid(row)]
        self._resources = ExitStack()
        self._unproved = 0  #: of finders that are closed
        self._finders: dict[str, Finder] = {}  #: by the name of the archive, and so are the others
        self._unanswered: dict[str, list[RetryLater]] = {archive.name: [] for archive in archives}
        self._listed: dict[str, dict[str, StudyMatch]] = {archive.name: {} for archive in archives}
        self._asked: dict[str, set[str]] = {archive.name: set() for archive in archives}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._resources.__exit__(kind, error, trace)

    def ask(self, row: RequestRow) -> Found:
        """A row that names one study is asked for until an archive has it; any other of all archives, since each may
        hold studies that the others lack. A study that several hold is the first one's.

        An accession number that several studies carry is ambiguous, and may be so where an archive does not answer.
        """
        names_one = bool(row.study_instance_uid or row.accession_number)
        held: dict[str, Held] = {}
        error = None
        for archive in self._archives:
            if held and names_one:
                break
            try:
                with self._conversation(archive) as finder:
                    for study in self._studies(archive, finder, row):
                        doubt = error.code if error else ""
                        held.setdefault(study.study_instance_uid, Held(archive, study, doubt))
            except DicomAssetsError as failure:
                error = error or failure
        if row.accession_number and not row.study_instance_uid:
            if len(held) > 1:
                return Found((), "ACCESSION_NUMBER_AMBIGUOUS")
            if error is not None:
                return Found((), error.code, error)
        if held:
            return Found(tuple(held.values()), error=None if names_one else error)
        return Found((), error.code if error else "STUDY_NOT_FOUND", error)

    @property
    def unproved(self) -> int:
        """As Finder.unproved, of all archives."""
        return self._unproved + sum(finder.unproved for finder in self._finders.values())

    def expected(self, held: Held) -> Expected:
        """Which instances the study has. Raises as find_expected."""
        with self._conversation(held.archive) as finder:
            return finder.expected(held.study.study_instance_uid)

    def _studies(self, archive: Archive, finder: Finder, row: RequestRow) -> Iterable[StudyMatch]:
        if names_only_a_uid(row):
            self._ask_for_many(archive, finder, row.study_instance_uid)
            if study := self._listed[archive.name].get(row.study_instance_uid):
                return [study]
        return finder.studies(query_of(row))

    def _ask_for_many(self, archive: Archive, finder: Finder, uid: str) -> None:
        """For this UID and those of the rows after it. An archive that takes no list is asked for each by itself."""
        if uid not in self._uids or uid in self._asked[archive.name]:
            return
        start = self._uids.index(uid)
        uids = self._uids[start : start + UIDS_A_QUERY]
        self._asked[archive.name].update(uids)
        try:
            self._listed[archive.name] |= finder.studies_of(uids)
        except DicomAssetsError as error:
            if error.code in _SLOW:
                raise

    def _hang_up(self) -> None:
        self._unproved = self.unproved
        self._resources.close()
        self._finders.clear()

    @contextmanager
    def _conversation(self, archive: Archive) -> Iterator[Finder]:
        errors = self._unanswered[archive.name]
        if len(errors) >= _UNANSWERED or (errors and errors[-1].code in _SLOW):
            raise RetryLater(errors[-1].code)
        try:
            with self._talking_to(archive, self._hang_up):
                if archive.name not in self._finders:
                    self._finders[archive.name] = self._resources.enter_context(open_finder(archive))
                yield self._finders[archive.name]
        except RetryLater as error:
            errors.append(error)
            raise


def names_only_a_uid(row: RequestRow) -> bool:
    return query_of(row) == StudyQuery(study_instance_uid=row.study_instance_uid) != StudyQuery()


def query_of(row: RequestRow) -> StudyQuery:
    return StudyQuery(
        study_instance_uid=row.study_instance_uid,
        patient_id=row.patient_id,
        accession_number=row.accession_number,
        date_from=row.study_date_from,
        date_to=row.study_date_to,
        modalities=row.modalities,
    )
