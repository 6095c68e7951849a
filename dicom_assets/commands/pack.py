"""`dicom-assets pack`."""

import argparse
import json
import os
from functools import partial

from ..deid.profile import load_profile
from ..errors import BadInput
from ..settings import Settings
from ..storage.audit import refusals_recorded
from ..workflow.job import zones_of
from ..workflow.pack import batches_of_cohort, make_pack
from .output import say, terminal_progress


def pack(options: argparse.Namespace) -> int:
    if bool(options.batches) == bool(options.cohort):
        raise BadInput("PACK_WHAT")
    settings = Settings.from_env()
    zones = zones_of(settings)
    with refusals_recorded(zones, "release pack"):
        batches = options.batches or batches_of_cohort(zones, options.cohort)
        made = make_pack(
            zones,
            load_profile(settings.profile),
            batches,
            options.out,
            link=options.link,
            zipped=options.zip,
            why=options.reason,
            workers=os.cpu_count() or 1,
            progress=partial(terminal_progress, unit="part"),
        )
    if options.json:
        facts = {"pack": str(made.path), "digest": made.digest, "batches": list(made.batches), "images": made.images}
        print(json.dumps(facts | {"failed_checks": list(made.failed_checks), "studies_not_whole": made.not_whole}))
        return 0
    print(f"pack    {made.path}")
    print(f"digest  {made.digest}")
    print(f"images  {made.images}")
    if made.failed_checks:
        say(f"the reports name checks that failed; what failed is not in the pack: {', '.join(made.failed_checks)}")
    if made.not_whole:
        say(f"{made.not_whole} studies are not in the pack, or not all of them: see rejected.csv and quarantine.csv")
    say("Tell whoever receives it the digest by another way than the pack: dicom-assets verify PACK --digest DIGEST")
    return 0
