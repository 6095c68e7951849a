"""Commands that read the protected mapping, add to it, or destroy it. Each leaves its line in the audit log first, and
so does each that is refused."""

import argparse
import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from ..batches.request import list_batches
from ..errors import REASONS, BadInput
from ..quiet import printable
from ..settings import Settings
from ..storage.audit import refusals_recorded
from ..storage.columns import COLUMNS
from ..storage.forgotten import refuse_forgotten
from ..storage.mapping import ALL_COLUMNS, export_csv, mapped_batches
from ..storage.permissions import refuse_open_folders
from ..storage.zones import Zones
from ..workflow.forget import forget, what_goes
from ..workflow.given_pseudonyms import import_pseudonyms
from ..workflow.job import coded_file_errors, key_of, zones_of
from ..workflow.reidentify import Found, look_up
from ..workflow.reidentify import reidentify as reidentified
from .output import say

Command = Callable[[Settings, Zones, argparse.Namespace], int]


def _audited(command: Command) -> Callable[[argparse.Namespace], int]:
    """With the settings and zones; a refusal leaves its code."""

    @wraps(command)
    def run(options: argparse.Namespace) -> int:
        settings = Settings.from_env()
        zones = zones_of(settings)
        with refusals_recorded(zones, f"mapping {options.mapping_command}"), coded_file_errors():
            refuse_open_folders(zones)
            return command(settings, zones, options)

    return run


@_audited
def export(_settings: Settings, zones: Zones, options: argparse.Namespace) -> int:
    if options.all == bool(options.batch):
        raise BadInput("EXPORT_WHAT")
    refuse_forgotten(zones)
    if options.batch and options.batch not in list_batches(zones):
        raise BadInput("BATCH_UNKNOWN")
    if options.batch and options.batch not in mapped_batches(zones):
        raise BadInput("BATCH_NOT_MAPPED")
    _check_out(zones, options.out)
    batches = [options.batch] if options.batch else mapped_batches(zones)
    columns = COLUMNS if options.columns == "six" else ALL_COLUMNS
    rows = export_csv(zones, batches, options.out, columns, why=options.reason)
    say(f"{rows} rows; the file identifies patients: mode 0600, keep it so")
    return 0


def _check_out(zones: Zones, out: Path) -> None:
    """It replaces what is there: no key, table or audit log, and nothing but a file."""
    place = out.resolve()
    if place.is_relative_to(zones.released.resolve()):
        raise BadInput("EXPORT_INTO_RELEASED")
    if place.is_relative_to(zones.restricted.resolve()) or place.suffix.lower() != ".csv" or place.is_dir():
        raise BadInput("EXPORT_OUT_UNUSABLE")


@_audited
def reidentify(_settings: Settings, zones: Zones, options: argparse.Namespace) -> int:
    found = reidentified(zones, _value(options.value), options.reason)
    patients = sorted({one.row["Original Patient ID"] for one in found})
    if options.json:
        instances = [one.row | ({"uid": dict([one.uid])} if one.uid else {}) for one in found]
        print(json.dumps({"original_patient_ids": patients, "instances": instances}))
    else:
        print(f"Original Patient ID: {', '.join(map(printable, patients))}")
        _print_table(found, _ORIGINALS)
    say(f"{_count(found)} of {len(patients)} patient ID{'s' * (len(patients) != 1)}; what is printed identifies")
    return 0


@_audited
def lookup(_settings: Settings, zones: Zones, options: argparse.Namespace) -> int:
    found = look_up(zones, _value(options.value), options.reason)
    if options.json:
        kept = [{name: one.row[name] for name in _PSEUDONYMS} | {"uid": one.uid[1] if one.uid else ""} for one in found]
        print(json.dumps({"pseudonyms": sorted({one.pseudonym for one in found}), "instances": kept}))
    else:
        _print_table(found, _PSEUDONYMS, side=1)
    say(_count(found))
    return 0


_UIDS = ("Study Instance UID", "Series Instance UID", "SOP Instance UID")
_ORIGINALS = (
    "Anonymized Filename", "Original Patient ID", *(f"Original {uid}" for uid in _UIDS), "Original Filename",
)  # fmt: skip
_PSEUDONYMS = ("Anonymized ID", "study_key", *(f"Anonymized {uid}" for uid in _UIDS), "Anonymized Filename")


def _print_table(found: list[Found], columns: tuple[str, ...], side: int = 0) -> None:
    """Tabs between the columns, a header first; and the UID that was asked for where no column has it. side: of its
    pair."""
    print("\t".join(columns))
    for one in found:
        print("\t".join(printable(one.row[name]) for name in columns))
    for uid in sorted({one.uid[side] for one in found if one.uid}):
        print(f"UID\t{printable(uid)}")


def _count(found: list[Found]) -> str:
    return f"{len(found)} instance{'s' * (len(found) != 1)}"


def _value(given: str) -> str:
    """`-`: the first line of stdin. Blanks round it are the standard's padding, and no part of it."""
    return (sys.stdin.readline() if given == "-" else given).strip()


@_audited
def import_given(settings: Settings, zones: Zones, options: argparse.Namespace) -> int:
    """All rows or none."""
    done = import_pseudonyms(zones, key_of(settings), options.file)
    for note in done.refused:
        say(f"line {note.line}: {note.code}")
    for code in dict.fromkeys(note.code for note in done.refused):
        say(f"{code}: {REASONS.get(code, '')}")
    if done.refused:
        raise BadInput("GIVEN_PSEUDONYMS_REFUSED")
    say(f"{done.new} pseudonyms are new, {done.known} were known")
    return 0


@_audited
def forget_project(settings: Settings, zones: Zones, options: argparse.Namespace) -> int:
    if not options.project:
        for line in what_goes(settings, zones):
            say(line)
        raise BadInput("FORGET_WHAT")
    forget(settings, zones, options.reason)
    say("Forgotten. The released files, the reports, the ledger and the audit log are still there.")
    if settings.mapping_key_command:
        say("The mapping key is in the KMS behind DICOM_MAPPING_KEY_COMMAND: destroy it there.")
    return 0
