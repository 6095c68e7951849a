"""One study's retrieval: rounds of asking for what is missing, of one archive and then the next, and the proof."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import BadInput, DicomAssetsError
from ..pacs.archive import Archive
from ..pacs.find import Expected, InstanceMatch, find_expected
from ..pacs.retrieve import retrieve_instances
from ..storage.arrivals import Arrivals
from ..storage.inbox import Inbox
from ..storage.ledger import StudyRow
from ..storage.manifests import RawInstance, ResolvedStudy
from ..storage.raw import RawFolder
from ..storage.set_aside import CONFLICT, CUT_SHORT
from .completeness import Comparison, compare, has_more, joined, with_held
from .job import Job
from .patience import DEAD, Patience

#: How often a study that grows while it is retrieved is listed in one run
_LISTINGS = 5
#: Rounds without anything new, where the archive can only count, after which it is not asked again
_EMPTY_ROUNDS = 2
#: Errors of the machine, not of a study or an archive
OF_THE_MACHINE = {"DISK_FULL", "NO_PERMISSION", "FILE_OPERATION_FAILED"}

#: The archive lists less of the study than it did before
SHRANK = "STUDY_SHRANK"

#: SOPInstanceUID -> raw file and row
Held = dict[str, tuple[Path, RawInstance]]


@dataclass
class Retrieval:
    """before: the study's row of the last run. elsewhere: what other batches hold of the study. not_wanted: those of
    them that this batch is not to bring.

    An instance of which there are two contents is contested. It counts as missing, and is asked for once a run: where
    the archive then sends what is held, that is settled.
    """

    job: Job
    study: ResolvedStudy
    folder: RawFolder
    patience: Patience
    before: StudyRow | None
    elsewhere: Held
    not_wanted: Held
    _arrivals: Arrivals = field(init=False)
    _inbox: Inbox = field(init=False)
    _contested_before: frozenset[str] = frozenset()
    _reason: str = ""  #: why the last round ended short
    _doubt: str = ""  #: why what was listed may not be all that there is
    _dead: set[str] = field(default_factory=set)  #: names of archives that gave no sign of life in their last round

    def run(self, row: StudyRow) -> StudyRow:
        """The study's row, after its manifest was written. Raises where no archive tells what the study holds."""
        self._doubt = self.study.reason
        source, listed = self._first_that_answers()
        if listed.count == 0 and self.folder.read_manifest():
            raise BadInput("STUDY_EMPTY")  # what an earlier run brought stays as it is
        self.folder.open()
        self._contested_before = frozenset(self.folder.aside.conflicts())
        self._arrivals = Arrivals(self.folder, self.elsewhere, frozenset(self.not_wanted))
        self._inbox = Inbox(self.job.zones.incoming, self.study.study_key)
        with self._inbox, self._arrivals.opened():
            listed = self._rounds(source, listed)
        if listed.instances and self._doubt:
            listed = with_held(listed, self.folder.verified)
        elif listed.instances:
            self.folder.drop_unlisted({one.sop_instance_uid for one in listed.instances})
        self.folder.aside.settle(self._contested_before - self._contested())
        self.folder.aside.write()
        received = self.folder.write_manifest(but_not=self._contested())
        return self._row(row, self._compared(listed), received)

    def _first_that_answers(self) -> tuple[Archive, Expected]:
        """The archive in which the study was found, or else the next that holds something of it; and what it lists."""
        empty, errors = None, []
        for archive in sorted(self.job.archives, key=lambda one: one.name != self.study.archive):
            try:
                listed = self._listed(archive)
            except DicomAssetsError as error:
                errors.append(error)
                continue
            if listed.count == 0:
                empty = empty or (archive, listed)
                continue
            if self._is_less_than_before(listed, elsewhere=bool(errors)):
                # The archive that does not answer may have the rest; else it is gone where two runs were told so.
                has_shrunk_before = self.before is not None and self.before.reason == SHRANK
                self._doubt = errors[0].code if errors else self._doubt or ("" if has_shrunk_before else SHRANK)
            return archive, listed
        if errors or empty is None:
            raise errors[0]
        return empty

    def _is_less_than_before(self, listed: Expected, *, elsewhere: bool) -> bool:
        """It lacks some of what an earlier run brought, or, where none did, is fewer than when the study was found.
        elsewhere: in another archive, perhaps."""
        brought = {row.sop_instance_uid for row in self.folder.read_manifest()}
        if listed.instances is not None and not brought <= {one.sop_instance_uid for one in listed.instances}:
            return True
        is_fewer = (listed.besides(self.not_wanted.keys()) or 0) < (self.study.expected_instances or 0)
        return is_fewer and (elsewhere or not brought)

    def _listed(self, archive: Archive) -> Expected:
        self.patience.check(archive)
        try:
            with self.job.talking_to(archive):
                return find_expected(archive, self.study.study_instance_uid)
        except DicomAssetsError as error:
            self.patience.after(archive, error.code)
            raise

    def _rounds(self, source: Archive, listed: Expected) -> Expected:
        """Ask for what is missing, and then the archive again what there is, until that is no more than it said before.
        All that was listed."""
        for _ in range(_LISTINGS):
            self._ask(source, listed)
            for other in self.job.archives:
                if other != source and (missing := self._missing(listed)):
                    self._ask_other(other, missing, listed)
            if source.name in self._dead:
                self._doubt = self._doubt or self._reason
                break
            try:
                last = find_expected(source, self.study.study_instance_uid)
            except DicomAssetsError as error:
                self._doubt = error.code
                break
            if has_more(listed, last):
                self._doubt = SHRANK
            if not has_more(last, listed):
                break
            listed = joined(listed, last)
        return listed

    def _ask_other(self, archive: Archive, missing: list[InstanceMatch], listed: Expected) -> None:
        """What it has of the missing instances; an archive that cannot be asked leaves them missing."""
        try:
            offered = self._listed(archive)
        except DicomAssetsError:
            return
        if offered.instances is not None:
            wanted = {one.sop_instance_uid for one in missing}
            offered = replace(
                offered, instances=tuple(one for one in offered.instances if one.sop_instance_uid in wanted)
            )
        else:
            offered = replace(listed, instances=tuple(missing))
        self._ask(archive, offered)

    def _ask(self, archive: Archive, listed: Expected) -> None:
        """Until nothing of it is missing, or nothing more comes."""
        if listed.instances is None:
            self._ask_by_count(archive, listed)
            return
        levels = deque(["IMAGE", "SERIES", "STUDY"])
        if not self.folder.verified and not self.not_wanted:
            levels.appendleft("STUDY")
        whole_study_was_sent = False
        while levels and (missing := self._missing(listed)):
            level = levels.popleft()
            brought, reason = self._round(archive, missing, level)
            if archive.name in self._dead:
                return
            if level == "STUDY":
                whole_study_was_sent = not reason
            elif brought:
                levels.appendleft(level)
            elif level == "SERIES" and whole_study_was_sent and not reason:
                return  # it has said twice that this is all

    def _ask_by_count(self, archive: Archive, listed: Expected) -> None:
        """Whole studies, as nobody knows what is missing."""
        empty = 0
        while empty < _EMPTY_ROUNDS and not self._compared(listed).proved_by:
            brought, reason = self._round(archive, None, "STUDY")
            if archive.name in self._dead or (listed.count is None and not reason):
                return
            empty += not brought

    def _round(self, archive: Archive, wanted: Sequence[InstanceMatch] | None, level: str) -> tuple[int, str]:
        """How many instances came, and why it ended short."""
        uid = self.study.study_instance_uid
        begin = self._arrivals.begin
        try:
            reason = retrieve_instances(archive, uid, wanted, begin, level=level, inbox=self._inbox).reason
        except DicomAssetsError as error:
            if error.code in OF_THE_MACHINE:
                raise
            reason = error.code
        brought = self._arrivals.settle()
        self._inbox.clear()
        self._reason = reason
        self.patience.after(archive, reason, brought)
        (self._dead.discard if brought or reason not in DEAD else self._dead.add)(archive.name)
        return brought, reason

    def _contested(self) -> set[str]:
        now = self._arrivals.conflicts
        return (self._contested_before - self._arrivals.accepted) | now

    def _compared(self, listed: Expected) -> Comparison:
        contested = self._contested()
        here = {uid: row for uid, row in self.folder.verified.items() if uid not in contested}
        return compare(listed, here, {uid: row for uid, (_, row) in self.not_wanted.items() if uid not in contested})

    def _missing(self, listed: Expected) -> list[InstanceMatch]:
        """What may be asked for by name."""
        missing = self._compared(listed).listed or []
        return [one for one in missing if one.sop_instance_uid not in self._arrivals.conflicts]

    def _row(self, row: StudyRow, compared: Comparison, received: Sequence[RawInstance]) -> StudyRow:
        reason = self._why_not_done(compared)
        return replace(
            row,
            state="incomplete" if reason else "done",
            reason=reason,
            expected=compared.expected,
            received=len(received),
            missing=compared.missing,
            bytes=sum(instance.size for instance in received),
            proved_by="" if reason else compared.proved_by,
        )

    def _why_not_done(self, compared: Comparison) -> str:
        if self._contested():
            return CONFLICT
        if compared.expected is None:
            return self._reason or "EXPECTED_COUNT_UNKNOWN"
        if compared.missing:
            return self._reason or (CUT_SHORT if self._arrivals.cut_short else self._doubt or "INSTANCES_MISSING")
        if self._doubt or compared.proved_by:
            return self._doubt
        return "STUDY_EMPTY" if not compared.expected else "EXPECTED_COUNT_UNKNOWN"
