"""Commands on a batch: demo, run, ledger."""

import argparse
import json
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from ..batches.key import check_key
from ..batches.request import load_request
from ..errors import REASONS, BadInput
from ..settings import Settings, dagster_home
from ..storage.atomic import exclusive_lock
from ..storage.forgotten import is_forgotten
from ..storage.ledger import STAGES, StudyRow, latest_rows
from ..workflow.job import coded_file_errors, job_of, zones_of
from .output import say, terminal_progress

_LEDGER_COLUMNS = (
    "study_key", "state", "reason", "found", "expected", "received", "missing", "deidentified", "quarantined",
    "released", "withheld", "proved_by",
)  # fmt: skip


def demo(options: argparse.Namespace) -> int:
    from ..demo.run import run_demo

    return run_demo(options.root, terminal_progress)


def run(options: argparse.Namespace) -> int:
    """Materialize, print the ledger, and say what is not done."""
    if options.start not in ("", *STAGES):
        raise BadInput("RUN_FROM_WHAT")
    settings = Settings.from_env()
    zones, batch = job_of(settings).zones, options.batch
    load_request(zones, batch)
    home = dagster_home(settings.restricted_root.parent / "dagster")
    from ..definitions import build_defs
    from ..defs.instance import open_instance, run_batch

    # The stages hold the batch one by one; this holds it between them, too, against a second command.
    held = exclusive_lock(zones.lock(f"{batch}.run"))
    with coded_file_errors(), held, open_instance(home) as instance:
        outcome = run_batch(
            instance, build_defs(progress=terminal_progress), batch, options.start, urgent=options.urgent
        )
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
    counts = list(_LEDGER_COLUMNS[3:-1])
    total = dict.fromkeys(_LEDGER_COLUMNS, "") | {"study_key": "total"} | {name: table[name].sum() for name in counts}
    table = pd.concat([table, pd.DataFrame([total])], ignore_index=True)
    table[counts] = table[counts].astype("Int64")
    return table.to_string(index=False, na_rep="unknown")


def ledger(options: argparse.Namespace) -> int:
    zones, batch = zones_of(Settings.from_env()), check_key(options.batch)
    if not (is_forgotten(zones) and zones.ledger(batch, "").parent.is_dir()):
        load_request(zones, batch)
    stage, rows = latest_rows(zones, batch)
    if options.json:
        print(json.dumps([{name: getattr(row, name) for name in _LEDGER_COLUMNS} for row in rows]))
    elif rows:
        print(ledger_table(rows))
        say(f"after {stage}")
    else:
        say(f"The batch has not begun: dicom-assets run {batch}")
    return 0
