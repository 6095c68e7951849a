"""`dicom-assets demo`: the whole asset graph against the embedded archive, and whether it ended as planned."""

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from ..batches.cohort import read_cohort
from ..batches.planning import plan_cohort, write_batches
from ..batches.request import list_batches
from ..commands.batch import ledger_table
from ..deid.profile import load_profile
from ..pixels.cleaner import extra_is_installed
from ..settings import Settings, dagster_home
from ..storage.ledger import StudyRow, latest_rows
from ..storage.zones import Zones
from ..workflow.job import Progress, archives_of, coded_file_errors, zones_of
from ..workflow.pack import Pack, make_pack
from .child import serve_in_child
from .corpus import Corpus, DemoInstance, write_cohort
from .studies import make_archive_content

_AE_TITLE = "DEMO_ARCHIVE"
_PROFILE = "basic"


def run_demo(root: Path, progress: Progress) -> int:
    """0 where every study ended as it was planned to: all released, but for the slices that show a face and the one
    study that the archive does not hold."""
    root = root.absolute()
    with coded_file_errors():
        print(f"Making synthetic studies in {root / 'archive'} ...", file=sys.stderr)
        corpus = make_archive_content(root / "archive")
        with serve_in_child(corpus.folder, _AE_TITLE) as port:
            rows, zones, batch = _run(root, corpus, port, progress)
        if not rows:
            return 1
        pack = _pack(root / "pack", zones, batch, progress)
    print(ledger_table(rows))
    print()
    print(f"report    {zones.report(batch, 'html')}")
    print(f"released  {zones.released}")
    print(f"pack      {pack.path}  (dicom-assets verify {pack.path})")
    print(f"mapping   {zones.mapping(batch)}, sealed")
    return _compare(corpus, rows)


def _run(root: Path, corpus: Corpus, port: int, progress: Progress) -> tuple[Sequence[StudyRow], Zones, str]:
    from ..definitions import build_defs
    from ..defs.instance import open_instance, run_batch

    storage = {"restricted_root": str(root / "restricted"), "released_root": str(root / "released")}
    storage["mapping_key_file"] = str(root / "keys" / "mapping.key")
    pacs = {"host": "127.0.0.1", "port": str(port), "ae_title": _AE_TITLE, "retrieve": "get"}
    deid = {"profile": _PROFILE, "pseudonym_key_file": str(root / "keys" / "pseudonym.key")}
    defs = build_defs(storage, pacs, deid, progress)
    settings = Settings.from_env(_variables(storage, pacs, deid))
    zones = zones_of(settings)
    batch = _batch(root, corpus, settings, zones)
    with open_instance(dagster_home(root / "dagster")) as instance:
        outcome = run_batch(instance, defs, batch)
    if not outcome.success:
        print(outcome.message, file=sys.stderr)
        return (), zones, batch
    return latest_rows(zones, batch)[1], zones, batch


def _pack(place: Path, zones: Zones, batch: str, progress: Progress) -> Pack:
    """What is handed over, made anew."""
    shutil.rmtree(place, ignore_errors=True)
    workers = os.cpu_count() or 1
    return make_pack(zones, load_profile(_PROFILE), [batch], place, why="demo", workers=workers, progress=progress)


def _variables(*fields: dict[str, str]) -> dict[str, str]:
    from ..defs.resources import DeidResource, PacsResource, StorageResource

    kinds = (StorageResource, PacsResource, DeidResource)
    return {k: v for kind, given in zip(kinds, fields, strict=True) for k, v in kind(**given).variables().items()}


def _batch(root: Path, corpus: Corpus, settings: Settings, zones: Zones) -> str:
    """The demo's batch: made once, run again if it is there."""
    batches = list_batches(zones)
    if batches:
        return batches[0]
    write_cohort(corpus, root / "archive" / "cohort.csv")
    cohort = read_cohort(root / "archive" / "cohort.csv")
    planned = plan_cohort(archives_of(settings), cohort.rows)
    return write_batches(zones, "cohort", f"{date.today():%Y%m%d}", "demo", planned)[0].batch


def _is_kept_back(instance: DemoInstance) -> bool:
    """A face, or what may show text where nothing is installed that cleans it."""
    return instance.shows_face or (not extra_is_installed() and instance.modality in ("CR", "DX", "OT", "US"))


def _compare(corpus: Corpus, rows: Sequence[StudyRow]) -> int:
    """Is the ledger what was planned? Says it in a sentence."""
    kept_back = sum(map(_is_kept_back, corpus.instances))
    planned = {
        "found": len(corpus.studies),
        "expected": len(corpus.instances),
        "received": len(corpus.instances),
        "deidentified": len(corpus.instances) - kept_back,
        "quarantined": kept_back,
        "released": len(corpus.instances) - kept_back,
        "withheld": 0,
    }
    ended = {name: sum(getattr(row, name) or 0 for row in rows) for name in planned}
    if ended != planned or len(rows) != len(corpus.studies) + 1:
        different = ", ".join(
            f"{name} {ended[name]} (planned {planned[name]})" for name in planned if ended[name] != planned[name]
        )
        print(f"The demo did not end as planned: {different}", file=sys.stderr)
        return 1
    cleaned = sum(one.shows_text for one in corpus.instances) if extra_is_installed() else 0
    print(
        f"As planned: {planned['released']} of {planned['expected']} instances released, {cleaned} of them with a "
        f"name in their pixels that was blanked; {kept_back} quarantined, for a face can be rebuilt from them or "
        "nothing here can clean them; 1 study that the archive does not hold reported as not found."
    )
    return 0
