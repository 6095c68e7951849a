"""Originals that were kept back from release: a second name for each in quarantine, and its reason, for a reviewer."""

import os
from collections.abc import Sequence
from pathlib import Path

from .atomic import fsync_folder, make_folder
from .manifests import StagedInstance, manifest_of
from .tables import write_sealed
from .zones import RESTRICTED_FOLDER


def not_staged(
    raw_file: str, sop_instance_uid: str, raw_sha256: str = "", profile_digest: str = "", key_id: str = ""
) -> StagedInstance:
    """The row of an original of which nothing has been made."""
    return StagedInstance(
        raw_file=raw_file, raw_sha256=raw_sha256, reason="", file="", released_path="", sha256="", modality="",
        sop_instance_uid=sop_instance_uid, original_patient_id="", patient_pseudonym="", tags=(), uids=(),
        uid_tags=(), profile_digest=profile_digest, key_id=key_id,
    )  # fmt: skip


def keep_back(raw: Path, quarantine: Path, rows: Sequence[StagedInstance]) -> None:
    """Originals of a study's raw folder, each with its reason, durable: the reasons first, so that none is without.
    What a reviewer has discarded is not brought back."""
    make_folder(quarantine, RESTRICTED_FOLDER)
    write_sealed(manifest_of(quarantine), rows, StagedInstance)
    for row in rows:
        if not row.is_discarded and not (quarantine / row.raw_file).exists():
            os.link(raw / row.raw_file, quarantine / row.raw_file)
    fsync_folder(quarantine)
