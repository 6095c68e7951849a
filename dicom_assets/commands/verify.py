"""`dicom-assets verify`: of a folder of de-identified files, or of a release pack."""

import argparse
import json
import os
from dataclasses import asdict
from functools import partial

from ..errors import BadInput
from ..quiet import printable
from ..workflow.job import coded_file_errors
from ..workflow.pack_layout import is_pack
from ..workflow.verify import Verification, verify_folder
from ..workflow.verify_pack import PackVerification, verify_pack
from .output import say, terminal_progress

_FINDINGS_SHOWN = 100


def verify(options: argparse.Namespace) -> int:
    if options.folder.suffix == ".zip" and options.folder.is_file():
        raise BadInput("PACK_STILL_ZIPPED")
    work = {"workers": os.cpu_count() or 1, "progress": partial(terminal_progress, unit="part")}
    with coded_file_errors():
        if is_pack(options.folder):
            result = verify_pack(options.folder, options.mapping, options.digest, **work)
        elif options.digest:
            raise BadInput("NO_PACK")
        else:
            result = verify_folder(options.folder, options.mapping, **work)
    is_empty = not result.files and not isinstance(result, PackVerification)
    if is_empty:
        raise BadInput("NOTHING_TO_VERIFY")
    if options.json:
        print(json.dumps(asdict(result) | {"checks": dict(result.checks)}))
    else:
        _show(result, searched=options.mapping is not None)
    return 0 if result.passed else 1


def _show(result: Verification, *, searched: bool) -> None:
    print(f"{result.files} files looked at")
    for check, failed in result.checks:
        print(f"{'holds ' if not failed else 'FAILS '} {check:34}{f'{failed} files' if failed else ''}")
    if isinstance(result, PackVerification):
        _show_pack(result)
    if not searched:
        say("no --mapping given: originals' names, IDs and UIDs were not searched for")
    for finding in result.findings[:_FINDINGS_SHOWN]:
        print(printable(f"{finding.path}: {finding.check}: {finding.reason} {finding.place}"))
    if len(result.findings) > _FINDINGS_SHOWN:
        say(f"{len(result.findings) - _FINDINGS_SHOWN} more; --json lists all")


def _show_pack(result: PackVerification) -> None:
    print(f"digest of the pack: {result.digest or 'none, for SHA256SUMS is missing'}")
    if "digest_is_the_one_given" not in dict(result.checks):
        say("no --digest given: compare the digest with the one that the sender told you")
    if result.failed_checks:
        names = printable(", ".join(result.failed_checks))
        say(f"when it was released, checks failed; what failed was withheld: {names}")
    if not result.texts_compared:
        say("README.txt and statement.md were written by another version, and were not compared with statement.json")
