"""What each command of the command line does: calls one function of the package and prints what it returns."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date

import pandas as pd
from tqdm import tqdm

from .batches.cohort import Note, parse_date, read_cohort
from .batches.planning import Plan, plan_cohort, plan_window, write_batches
from .batches.request import list_batches, load_request
from .errors import REASONS, BadInput
from .pacs.echo import echo as c_echo
from .pacs.find import StudyQuery, find_studies
from .settings import Settings, dagster_home
from .storage.ledger import StudyRow, latest_rows, read_stage
from .storage.mapping import export_csv, mapped_batches
from .storage.zones import Zones
from .workflow.job import archive_of, coded_file_errors, job_of, zones_of

#: Codes that mean that the command was called wrongly: exit code 2
USAGE = {"WINDOW_MALFORMED", "PLAN_WHAT", "EXPORT_WHAT"}

_FINDINGS_SHOWN = 100
_LEDGER_COLUMNS = (
    "study_key", "state", "reason", "found", "expected", "received", "missing", "deidentified", "quarantined",
    "released", "withheld",
)  # fmt: skip


@contextmanager
def terminal_progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, and only on a terminal."""
    with tqdm(total=total, desc=what, unit="study", file=sys.stderr, disable=None, leave=True) as bar:
        yield lambda: bar.update() and None


def say(text: str) -> None:
    print(text, file=sys.stderr)


def demo(options: argparse.Namespace) -> int:
    from .demo.run import run_demo

    return run_demo(options.root, terminal_progress)


def echo(_options: argparse.Namespace) -> int:
    archive = archive_of(Settings.from_env())
    c_echo(archive)
    print("The archive answers: network, AE titles and C-ECHO are right.")
    return 0


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
    studies = [asdict(match) for match in find_studies(archive_of(Settings.from_env()), query)]
    if options.json:
        print(json.dumps({"count": len(studies), "studies": studies}, ensure_ascii=False))
        return 0
    table = pd.DataFrame([study | {"modalities": "/".join(study["modalities"])} for study in studies])
    if options.csv:
        print(table.to_csv(index=False), end="")
    else:
        print(table.to_string(index=False) if studies else "No study fits.")
    return 0


def _window(first: str, last: str) -> tuple[str, str]:
    dates = parse_date(first), parse_date(last)
    if None in dates or (all(dates) and dates[0] > dates[1]):
        raise BadInput("WINDOW_MALFORMED")
    return dates


def plan(options: argparse.Namespace) -> int:
    """Batch keys on stdout, one a line; what was refused or merged on stderr."""
    settings = Settings.from_env()
    zones, archive = zones_of(settings), archive_of(settings)
    if (options.cohort is None) == (not (options.date_from or options.date_to)):
        raise BadInput("PLAN_WHAT")
    refused: Sequence[Note] = ()
    if options.cohort is not None:
        cohort = read_cohort(options.cohort)
        refused = cohort.refused
        for note in (*cohort.refused, *cohort.merged):
            say(f"line {note.line}: {note.code}: {REASONS[note.code]}")
        planned = plan_cohort(archive if archive.host else None, cohort.rows)
    else:
        date_from, date_to = _window(options.date_from, options.date_to)
        if not (date_from and date_to):
            raise BadInput("WINDOW_MALFORMED")
        planned = plan_window(archive, date_from, date_to)
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


def run(options: argparse.Namespace) -> int:
    settings = Settings.from_env()
    job = job_of(settings)
    load_request(job.zones, options.batch)
    if options.start in ("", "pacs_studies", "raw_dicom") and _something_to_retrieve(job.zones, options.batch):
        c_echo(job.archive)
    home = dagster_home(settings.restricted_root.parent / "dagster")
    from .definitions import build_defs

    return run_in_dagster(home, build_defs(progress=terminal_progress), job.zones, options.batch, options.start)


def _something_to_retrieve(zones: Zones, batch: str) -> bool:
    rows = read_stage(zones, batch, "raw_dicom")
    return not rows or any(row.found and (row.missing or row.expected is None) for row in rows)


def run_in_dagster(home, defs, zones: Zones, batch: str, start: str = "") -> int:
    """Materialize, print the ledger, and say what is not done."""
    from .defs.instance import open_instance, run_batch

    with coded_file_errors(), open_instance(home) as instance:
        outcome = run_batch(instance, defs, batch, start)
    if not outcome.success:
        say(outcome.message)
        return 1
    _stage, rows = latest_rows(zones, batch)
    print(ledger_table(rows))
    print(f"report    {zones.report(batch, 'html')}")
    print(f"released  {zones.released}")
    print(f"mapping   {zones.mapping(batch)}  (dicom-assets mapping export {batch} --out F.csv)")
    return say_what_is_left(rows)


def say_what_is_left(rows: Sequence[StudyRow]) -> int:
    """0 where all is done; else 3, with the counts by reason on stderr."""
    reasons = Counter(row.reason for row in rows if row.state != "done")
    for reason, count in sorted(reasons.items()):
        say(f"{count} {'study' if count == 1 else 'studies'}: {reason}: {REASONS.get(reason, '')}")
    return 3 if reasons else 0


def ledger_table(rows: Sequence[StudyRow]) -> str:
    """One line a study and one with the sums."""
    table = pd.DataFrame(
        [{name: getattr(row, name) for name in _LEDGER_COLUMNS} for row in rows], columns=_LEDGER_COLUMNS
    )
    table["expected"] = table["expected"].astype("Int64")
    counts = list(_LEDGER_COLUMNS[3:])
    total = {"study_key": "total", "state": "", "reason": "", **{name: table[name].sum() for name in counts}}
    table = pd.concat([table, pd.DataFrame([total])], ignore_index=True)
    table[counts] = table[counts].astype("Int64")
    return table.to_string(index=False, na_rep="unknown")


def ledger(options: argparse.Namespace) -> int:
    zones = zones_of(Settings.from_env())
    load_request(zones, options.batch)
    stage, rows = latest_rows(zones, options.batch)
    if options.json:
        print(json.dumps([{name: getattr(row, name) for name in _LEDGER_COLUMNS} for row in rows]))
    elif rows:
        print(ledger_table(rows))
        say(f"after {stage}")
    else:
        say(f"The batch has not begun: dicom-assets run {options.batch}")
    return 0


def mapping_export(options: argparse.Namespace) -> int:
    zones = zones_of(Settings.from_env())
    if options.all == bool(options.batch):
        raise BadInput("EXPORT_WHAT")
    if options.batch and options.batch not in list_batches(zones):
        raise BadInput("BATCH_UNKNOWN")
    if options.batch and options.batch not in mapped_batches(zones):
        raise BadInput("BATCH_NOT_MAPPED")
    if options.out.resolve().is_relative_to(zones.released.resolve()):
        raise BadInput("EXPORT_INTO_RELEASED")
    with coded_file_errors():
        rows = export_csv(zones, [options.batch] if options.batch else mapped_batches(zones), options.out)
    say(f"{rows} rows; the file identifies patients: mode 0600, keep it so")
    return 0


def verify(options: argparse.Namespace) -> int:
    from .workflow.verify import verify_folder

    with coded_file_errors():
        result = verify_folder(options.folder, options.mapping)
    if not result.files:
        raise BadInput("NOTHING_TO_VERIFY")
    if options.json:
        print(json.dumps(asdict(result) | {"checks": dict(result.checks)}))
        return 0 if result.passed else 1
    print(f"{result.files} files looked at")
    for check, failed in result.checks:
        print(f"{'holds ' if not failed else 'FAILS '} {check:34}{f'{failed} files' if failed else ''}")
    if options.mapping is None:
        say("no --mapping given: originals' names, IDs and UIDs were not searched for")
    for finding in result.findings[:_FINDINGS_SHOWN]:
        print(f"{finding.path}: {finding.check}: {finding.reason} {finding.place}")
    if len(result.findings) > _FINDINGS_SHOWN:
        say(f"{len(result.findings) - _FINDINGS_SHOWN} more; --json lists all")
    return 0 if result.passed else 1
