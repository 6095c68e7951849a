"""`dicom-assets report`: the verdict on a batch and where its report lies, or the schema of its JSON."""

import argparse
import json

from ..batches.key import check_key
from ..errors import BadInput
from ..settings import Settings
from ..workflow.job import coded_file_errors, zones_of
from ..workflow.report import FORMS, report_schema

_SCHEMA = "schema"  #: no batch key looks so


def report(options: argparse.Namespace) -> int:
    """3 where something is left to do or not to be used."""
    if options.batch == _SCHEMA:
        print(report_schema(), end="")
        return 0
    zones, batch = zones_of(Settings.from_env()), check_key(options.batch)
    path = zones.report(batch, "json")
    with coded_file_errors():
        if not path.is_file():
            raise BadInput("REPORT_NOT_MADE")
        verdict = json.loads(path.read_bytes())["verdict"]
    print(f"{verdict['word']}: {verdict['sentence']}")
    for form in reversed(FORMS):
        print(zones.report(batch, form))
    return 0 if verdict["tone"] == "good" else 3
