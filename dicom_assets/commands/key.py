"""`key new|rotate|check`: the two keys of a project."""

import argparse

from ..errors import Refused
from ..settings import Settings
from ..storage.audit import Event, record, refusals_recorded
from ..storage.forgotten import refuse_forgotten
from ..storage.key_sources import KeyFile
from ..storage.keys import MAPPING_KEY_LOST, PSEUDONYM_KEY_LOST, load_or_make_key
from ..workflow.job import coded_file_errors, key_source, keyring_of
from ..workflow.key_check import Finding, check_keys
from ..workflow.rotation import rotate as rotate_mapping_key
from .output import say, terminal_progress


def new(options: argparse.Namespace) -> int:
    """What losing a key means is said before it is made."""
    settings = Settings.from_env()
    keyring, source = keyring_of(settings), key_source(settings)
    with refusals_recorded(keyring.zones, "key new"):
        refuse_forgotten(keyring.zones)
    say(f"The pseudonym key makes pseudonyms, UIDs and shifts of dates. {PSEUDONYM_KEY_LOST}")
    say(f"The mapping key seals what leads from a pseudonym to its patient. {MAPPING_KEY_LOST}")
    with coded_file_errors(), refusals_recorded(keyring.zones, "key new"):
        if settings.pseudonym_key_file.exists() or (isinstance(source, KeyFile) and source.path.exists()):
            raise Refused("KEY_FILE_THERE_ALREADY")
        if keyring.key_id():
            raise Refused("MAPPING_KEY_MISSING")
        record(keyring.zones, Event.KEY_NEW, "pseudonym key and mapping key")
        load_or_make_key(settings.pseudonym_key_file, lost="")
        if isinstance(source, KeyFile):
            load_or_make_key(source.path, "mapping key", lost="")
        else:
            say(f"The key command prints the mapping key {source.current(make=False).key_id}.")
    return 0


def rotate(options: argparse.Namespace) -> int:
    """3 where batches in work keep the rotation from its end."""
    settings = Settings.from_env()
    keyring = keyring_of(settings)
    with refusals_recorded(keyring.zones, "key rotate"):
        done = rotate_mapping_key(keyring, lambda what, total: terminal_progress(what, total, unit="table"))
    say(f"{done.sealed} tables sealed again; the mapping key is {done.key_id} now. Pseudonyms stay as they are.")
    if done.busy:
        say(f"{done.busy} batches are in work; run this again when they have ended: until then the previous key stays")
        return 3
    return 0


def check(options: argparse.Namespace) -> int:
    """1 where a key is missing or does not fit, 3 where a rotation is unfinished."""
    settings = Settings.from_env()
    keyring = keyring_of(settings)
    refuse_forgotten(keyring.zones)
    findings = check_keys(keyring, settings.pseudonym_key_file)
    for finding in findings:
        _print(finding)
    return max((finding.exit_code for finding in findings), key=(0, 3, 1).index)


def _print(finding: Finding) -> None:
    print(f"{finding.what:<14} {finding.key_id or '-':<12} {finding.text}")
    for problem in finding.problems:
        say(problem)
        for note in getattr(problem, "__notes__", ()):
            say(note)
