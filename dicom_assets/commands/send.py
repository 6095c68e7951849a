"""`dicom-assets send`: released instances to a destination."""

import argparse
import json
from collections import Counter
from functools import partial

from ..errors import REASONS
from ..pacs.send import PAUSES
from ..settings import Settings
from ..workflow.archives import destination_from
from ..workflow.deliver import DeliveryReport, deliver
from ..workflow.job import archive_of, coded_file_errors, zones_of
from .output import say, terminal_progress


def send(options: argparse.Namespace) -> int:
    """0 where all of it is there, 1 where it ended early, 3 where some of it was refused."""
    settings = Settings.from_env()
    with coded_file_errors():
        destination = destination_from(settings.delivery, options.to, archive_of(settings))
    progress = partial(terminal_progress, unit="instance")
    report = deliver(zones_of(settings), destination, options.batch, progress, PAUSES)
    if options.json:
        print(json.dumps(_as_json(report)))
    else:
        print(
            f"{report.released} released: {report.already_there} already there, {report.sent} sent, "
            f"{len(report.refused)} refused, {report.not_sent} not sent; {report.committed} committed"
        )
    _say_what_is_left(report, in_full=not options.json)
    if report.failure is not None:
        raise report.failure
    return 3 if report.refused else 0


def _as_json(report: DeliveryReport) -> dict[str, object]:
    return {
        "destination_kind": report.destination_kind,
        "released": report.released,
        "already_there": report.already_there,
        "sent": report.sent,
        "committed": report.committed,
        "not_sent": report.not_sent,
        "refused": [{"file": file, "code": code} for file, code in report.refused],
    }


def _say_what_is_left(report: DeliveryReport, *, in_full: bool) -> None:
    for code, count in sorted(Counter(code for _, code in report.refused).items()):
        say(f"{count} refused: {code}: {REASONS.get(code, '')}")
    if in_full:
        for file, code in report.refused:
            say(f"{file}: {code}")
    if report.warned:
        say(f"{report.warned} sent: SEND_STORED_WITH_WARNING: {REASONS.get('SEND_STORED_WITH_WARNING', '')}")
    if report.commitment_offered is False:
        say("The destination offers no storage commitment: that it keeps what it stored is its word alone.")
