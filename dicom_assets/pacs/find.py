"""C-FIND, or QIDO-RS: which studies there are, and which instances a study has. A query that failed raises; it is never
empty."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from .archive import Archive
from .expected import Expected, InstanceMatch, expected_instances
from .queries import Ask, open_queries
from .query import StudyMatch, StudyQuery, study_identifier, study_match
from .search import StudySearch

__all__ = [
    "Expected",
    "Finder",
    "InstanceMatch",
    "StudyMatch",
    "StudyQuery",
    "find_expected",
    "find_studies",
    "in_order",
    "iter_studies",
    "open_finder",
]

#: UIDs of one query by a list of them (PS3.4 C.2.2.2.2)
UIDS_A_QUERY = 100


class Finder:
    """All queries of a session over one association; from open_finder()."""

    def __init__(self, archive: Archive, ask: Ask) -> None:
        self._archive = archive
        self._ask = ask
        self._search = StudySearch(archive, ask)

    def studies(self, query: StudyQuery) -> Iterator[StudyMatch]:
        """As StudySearch.studies."""
        return self._search.studies(query)

    @property
    def unproved(self) -> int:
        """Times so far that more studies without a date, or a time, may be there than the archive tells."""
        return self._search.unproved

    def studies_of(self, uids: Sequence[str]) -> dict[str, StudyMatch]:
        """Those of at most UIDS_A_QUERY studies that the archive names when it is asked for a list of UIDs. Some
        archives take only the first of a list, or stop early: what is not named has to be asked for by itself."""
        answers = self._ask(study_identifier(StudyQuery(), "", StudyInstanceUID=list(uids)))
        matches = (study_match(answer, self._archive.default_character_set) for answer in answers)
        return {match.study_instance_uid: match for match in matches if match.study_instance_uid in set(uids)}

    def expected(self, study_instance_uid: str) -> Expected:
        """As find_expected."""
        return expected_instances(self._archive, self._ask, study_instance_uid)


@contextmanager
def open_finder(archive: Archive) -> Iterator[Finder]:
    """Raises as open_queries."""
    with open_queries(archive) as ask:
        yield Finder(archive, ask)


def iter_studies(archive: Archive, query: StudyQuery) -> Iterator[StudyMatch]:
    """Each study that fits once, as they come; raises as open_queries and StudySearch.studies."""
    with open_finder(archive) as finder:
        yield from finder.studies(query)


def find_studies(archive: Archive, query: StudyQuery) -> list[StudyMatch]:
    """The same, sorted by date, time, UID."""
    return in_order(iter_studies(archive, query))


def in_order(matches: Iterable[StudyMatch]) -> list[StudyMatch]:
    return sorted(matches, key=lambda match: (match.study_date, match.study_time, match.study_instance_uid))


def find_expected(archive: Archive, study_instance_uid: str) -> Expected:
    """Which instances the study has, as far as the archive can say. Raises as open_queries, and the code of a failed
    query at STUDY level."""
    with open_finder(archive) as finder:
        return finder.expected(study_instance_uid)
