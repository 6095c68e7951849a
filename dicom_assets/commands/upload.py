"""`dicom-assets upload`."""

import argparse
import json
import time

from ..errors import REASONS
from ..settings import Settings
from ..storage.incoming import Incoming
from ..workflow.job import key_of, zones_of
from ..workflow.take import Tally
from ..workflow.upload import Upload, check_paths, upload
from .output import say, terminal_progress

_COUNTS = ("read", "taken", "already_here", "conflicting", "not_dicom")


def upload_files(options: argparse.Namespace) -> int:
    """The studies on stdout, the counts on stderr; with --json the counts on stdout, too."""
    settings = Settings.from_env()
    zones, started = zones_of(settings), time.monotonic()
    check_paths(options.paths, zones)
    key = key_of(settings)
    incoming = Incoming(zones.incoming, key.study_key, key.file_name, settings.receiver.reserve)
    done = upload(options.paths, incoming, lambda what, total: terminal_progress(what, total, unit="file"))
    tally = done.tally
    if options.json:
        counts = {name: getattr(tally, name) for name in _COUNTS}
        counts |= {"refused": tally.refused.total(), "reasons": dict(tally.refused), "studies": len(tally.studies)}
        counts |= {"missing": tally.missing, "bytes": tally.bytes, "seconds": round(time.monotonic() - started, 3)}
        print(json.dumps(counts))
    else:
        _print_studies(done)
    _say_counts(done)
    _say_what_is_next(tally, settings.arrivals.deidentify_at_once)
    return 3 if tally.refused or tally.missing or tally.conflicting else 0


def _print_studies(done: Upload) -> None:
    """One line a study: its key, instances, and whether it is whole as far as we were told."""
    for study_key, files in sorted(done.tally.studies.items()):
        print(study_key, len(files), "complete" if study_key in done.complete else "not complete", sep="\t")


def _say_counts(done: Upload) -> None:
    tally = done.tally
    say(
        f"{tally.read} files read: {tally.taken} taken, {tally.already_here} already here, {tally.conflicting} "
        f"conflicting, {tally.not_dicom} not DICOM, {tally.refused.total()} refused; {len(tally.studies)} studies, "
        f"{tally.bytes / 1e6:.1f} MB"
    )
    if tally.conflicting:
        say(f"{tally.conflicting}: ARRIVAL_CONFLICT: {REASONS.get('ARRIVAL_CONFLICT', '')}")
    if tally.missing:
        say(f"{tally.missing}: MEDIA_INCOMPLETE: {REASONS.get('MEDIA_INCOMPLETE', '')}")
    for code, count in [*sorted(tally.refused.items()), *sorted(done.passed_over.items())]:
        say(f"{count}: {code}: {REASONS.get(code, '')}")
    for place, code in tally.places:
        say(f"  {code}: {place}")


def _say_what_is_next(tally: Tally, deidentify_at_once: bool) -> None:
    if not tally.instances:
        return
    if deidentify_at_once:
        say("the studies are de-identified as soon as they have settled, by the sensor arrival_sensor of `make up`")
    else:
        say("the studies wait in incoming; `dicom-assets plan --arrivals` makes batches of those that have settled")
