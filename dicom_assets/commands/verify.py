"""`dicom-assets verify`."""

import argparse
import json
from dataclasses import asdict

from ..errors import BadInput
from ..workflow.job import coded_file_errors
from ..workflow.verify import verify_folder
from .output import say

_FINDINGS_SHOWN = 100


def verify(options: argparse.Namespace) -> int:
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
