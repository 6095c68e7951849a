"""`dicom-assets deidentify`. It must start at once: it imports what it needs and nothing that only others need."""

import argparse
import json
from functools import partial

from ..deid.pseudonyms import PseudonymKey
from ..errors import REASONS
from ..settings import Settings
from ..storage.keys import load_or_make_key
from ..workflow.folder import check_places, deidentify_folder, usable_processors
from ..workflow.site_profile import site_profile
from .output import say, terminal_progress

_COUNTS = ("read", "deidentified", "quarantined", "not_dicom", "bytes", "seconds")


def deidentify(options: argparse.Namespace) -> int:
    """The sums on stdout, what did not go out on stderr, by reason."""
    settings = Settings.from_env()
    key_file = options.key_file or settings.pseudonym_key_file
    check_places(options.source, options.target, options.mapping, key_file)
    profile = site_profile(options.profile or settings.profile)
    result = deidentify_folder(
        options.source,
        options.target,
        profile,
        PseudonymKey(load_or_make_key(key_file)),
        options.mapping,
        options.workers or usable_processors(),
        partial(terminal_progress, unit="file"),
    )
    for code, count in result.reasons.items():
        say(f"{count} file{'s' if count > 1 else ''}: {code}: {REASONS.get(code, '')}")
    for place in result.details:
        say(f"an unexpected error, please report it: {place}")
    if options.json:
        counts = {name: getattr(result, name) for name in _COUNTS}
        print(json.dumps(counts | {"profile": profile.name, "profile_digest": profile.digest}))
    else:
        print(
            f"{result.read} files read: {result.deidentified} de-identified, {result.quarantined} quarantined, "
            f"{result.not_dicom} not DICOM; {result.bytes / 1e6:.1f} MB in {result.seconds:.1f} s"
        )
    return 3 if result.quarantined else 0
