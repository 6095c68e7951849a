"""Commands that ask the archives what they hold: find, plan."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date

import pandas as pd

from ..batches.cohort import Note, parse_date, read_cohort
from ..batches.planning import Plan, plan_cohort, plan_window, write_batches
from ..errors import REASONS, BadInput, DicomAssetsError
from ..pacs.archive import Archive
from ..pacs.find import StudyMatch, StudyQuery, in_order, open_finder
from ..settings import Settings
from ..storage.incoming import waiting_studies
from ..workflow.arrivals import plan_arrivals
from ..workflow.job import archives_of, coded_file_errors, zones_of
from .output import say


def find(options: argparse.Namespace) -> int:
    date_from, date_to = _window(options.date_from, options.date_to)
    query = StudyQuery(
        study_instance_uid=options.study,
        patient_id=options.patient_id,
        accession_number=options.accession,
        date_from=date_from,
        date_to=date_to,
        modalities=tuple(options.modality),
    )
    studies = [asdict(match) for match in _in_any(archives_of(Settings.from_env()), query)]
    if options.json:
        print(json.dumps({"count": len(studies), "studies": studies}, ensure_ascii=False))
        return 0
    table = pd.DataFrame([study | {"modalities": "/".join(study["modalities"])} for study in studies])
    if options.csv:
        print(table.to_csv(index=False), end="")
    else:
        print(table.to_string(index=False) if studies else "No study fits.")
    return 0


def _in_any(archives: Sequence[Archive], query: StudyQuery) -> list[StudyMatch]:
    """Of a study that several archives hold, the first one's; by date, time, UID. All or nothing: raises where one of
    them does not answer, and says which."""
    found: dict[str, StudyMatch] = {}
    for archive in archives:
        try:
            with open_finder(archive) as finder:
                for match in finder.studies(query):
                    found.setdefault(match.study_instance_uid, match)
                _say_unproved(finder.unproved)
        except DicomAssetsError as error:
            if len(archives) > 1:
                error.add_note(f"This is archive {archive.name}; dicom-assets echo tries each.")
            raise
    return in_order(found.values())


def _window(first: str, last: str) -> tuple[str, str]:
    dates = parse_date(first), parse_date(last)
    if None in dates or (all(dates) and dates[0] > dates[1]):
        raise BadInput("WINDOW_MALFORMED")
    return dates


def plan(options: argparse.Namespace) -> int:
    """Batch keys on stdout, one a line; what was refused or merged on stderr."""
    settings = Settings.from_env()
    if options.arrivals:
        return _plan_arrivals(settings, options)
    zones = zones_of(settings)
    archives = [archive for archive in archives_of(settings) if archive.host or archive.dicomweb_url]
    if (options.cohort is None) == (not (options.date_from or options.date_to)):
        raise BadInput("PLAN_WHAT")
    refused: Sequence[Note] = ()
    if options.cohort is not None:
        cohort = read_cohort(options.cohort)
        refused = cohort.refused
        for note in (*cohort.refused, *cohort.merged):
            say(f"line {note.line}: {note.code}: {REASONS[note.code]}")
        planned = plan_cohort(archives, cohort.rows)
    else:
        date_from, date_to = _window(options.date_from, options.date_to)
        if not (date_from and date_to):
            raise BadInput("WINDOW_MALFORMED")
        if not archives:
            raise BadInput("PACS_NOT_CONFIGURED")
        planned = plan_window(archives, date_from, date_to)
    _say_plan(planned)
    if not planned.rows:
        if options.cohort is not None:
            raise BadInput("COHORT_NOTHING_LEFT")
        say("No study in this window: no batch.")
        return 0
    with coded_file_errors():
        requests = write_batches(zones, "cohort", f"{date.today():%Y%m%d}", options.name, planned)
    for request in requests:
        print(request.batch)
    left_out = len(refused) + planned.ambiguous + planned.conflicting
    return 3 if left_out else 0


def _plan_arrivals(settings: Settings, options: argparse.Namespace) -> int:
    """What was pushed to us and has settled; how much has not is said."""
    if options.cohort is not None or options.date_from or options.date_to or options.name:
        raise BadInput("PLAN_WHAT")
    zones, arrivals = zones_of(settings), settings.arrivals
    keep = not arrivals.deidentify_at_once
    while requests := plan_arrivals(zones, arrivals.settle_seconds, keep_originals=keep):
        for request in requests:
            print(request.batch, flush=True)
    if left := len(waiting_studies(zones.incoming)):
        say(f"{left} {'study has' if left == 1 else 'studies have'} not settled yet, or a batch of it is in work")
    return 0


def _say_unproved(windows: int) -> None:
    if windows:
        say(f"WINDOW_NOT_PROVED: {REASONS['WINDOW_NOT_PROVED']}")


def _say_plan(plan: Plan) -> None:
    for count, code in (
        (plan.merged, "ROW_DUPLICATE"),
        (plan.conflicting, "ROW_PSEUDONYM_CONFLICT"),
        (plan.not_found, "STUDY_NOT_FOUND"),
        (plan.ambiguous, "ACCESSION_NUMBER_AMBIGUOUS"),
        (plan.not_asked, "ROW_NOT_LOOKED_UP"),
    ):
        if count:
            say(f"{count} row{'s' if count > 1 else ''}: {code}: {REASONS[code]}")
    _say_unproved(plan.unproved)
