"""A site: two data roots, a key, a Dagster home, and the command line run as a user would, in its own process."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dicom_assets.demo.corpus import Corpus
from dicom_assets.settings import DEFAULTS
from dicom_assets.storage.key_sources import KeyFile
from dicom_assets.storage.keyring import Keyring
from dicom_assets.storage.sealing import is_sealed
from dicom_assets.storage.vault import content_digest, open_vault
from dicom_assets.storage.zones import Zones

REPOSITORY = Path(__file__).parent.parent.parent
_SECONDS = 240


@dataclass
class Site:
    """folder: where all of it lies. variables: the settings beyond the roots."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)  #: stdout and stderr of every command

    @property
    def zones(self) -> Zones:
        """The tests may read what the commands seal."""
        zones = Zones(self.folder / "restricted", self.folder / "released")
        open_vault(zones.restricted, Keyring(zones, KeyFile(self.mapping_key_file)))
        return zones

    @property
    def mapping_key_file(self) -> Path:
        return self.folder / "keys" / "mapping.key"

    @property
    def dagster_home(self) -> Path:
        return self.folder / "dagster_home"

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if name not in DEFAULTS}
        return own | {
            "DICOM_RESTRICTED_ROOT": str(self.zones.restricted),
            "DICOM_RELEASED_ROOT": str(self.zones.released),
            "DICOM_PSEUDONYM_KEY_FILE": str(self.folder / "keys" / "pseudonym.key"),
            "DICOM_MAPPING_KEY_FILE": str(self.mapping_key_file),
            "DAGSTER_HOME": str(self.dagster_home),
            **self.variables,
        }

    def use(self, port: int, ae_title: str, **more: str) -> None:
        """Point the settings at an archive on loopback."""
        self.variables |= {
            "DICOM_PACS_HOST": "127.0.0.1",
            "DICOM_PACS_PORT": str(port),
            "DICOM_PACS_AE_TITLE": ae_title,
            **more,
        }

    def keep_back_text(self, base: str = "basic") -> None:
        """Images that may show text go to quarantine, uncleaned: something to review, in little time."""
        self.variables["DICOM_PROFILE"] = str(keeping_text_back(self.folder, base))

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "dicom_assets.cli", *map(str, arguments)]

    def run(self, *arguments: object) -> subprocess.CompletedProcess:
        """`dicom-assets ARGUMENTS`, with what it said."""
        return self._run(self.command(*arguments), self.folder)

    def materialize(self, batch: str) -> subprocess.CompletedProcess:
        """All five assets of a batch by Dagster's own command line. Dagster 1.13 reads [tool.dagster] for `dagster dev`
        and asks for the module here."""
        dagster = str(Path(sys.executable).parent / "dagster")
        command = [dagster, "asset", "materialize", "-m", "dicom_assets.definitions", "--select", "*"]
        return self._run([*command, "--partition", batch], REPOSITORY)

    def _run(self, command: Sequence[str], folder: Path) -> subprocess.CompletedProcess:
        done = subprocess.run(
            command, cwd=folder, env=self.environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        self.said += [done.stdout, done.stderr]
        return done

    def start(self, *arguments: object) -> subprocess.Popen:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def plan(self, rows: Iterable[Sequence[str]], header: str = "StudyInstanceUID") -> str:
        """The batch key of a cohort file with these rows."""
        cohort = self.folder / "cohort.csv"
        cohort.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
        done = self.run("plan", cohort)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def plan_all(self, corpus: Corpus) -> str:
        return self.plan([[study.study_instance_uid] for study in corpus.studies])

    def ledger(self, batch: str) -> list[dict]:
        done = self.run("ledger", batch, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def released_files(self) -> list[Path]:
        return sorted(self.zones.released.rglob("*.dcm"))


def keeping_text_back(folder: Path, base: str = "basic") -> Path:
    """A profile, written there, under which no pixels are cleaned; cleaning takes most of a small batch's time. base:
    whose rules it has otherwise."""
    profile = folder / f"{base}.toml"
    profile.write_text(f'base = "{base}"\npixels = "quarantine"\n', encoding="utf-8")
    return profile


def totals(rows: Iterable[dict]) -> dict[str, int]:
    names = ("found", "expected", "received", "missing", "deidentified", "quarantined", "released", "withheld")
    rows = list(rows)
    return {name: sum(row[name] or 0 for row in rows) for name in names}


def adds_up(rows: Iterable[dict]) -> bool:
    return all(
        row["expected"] == row["received"] + row["missing"]
        and row["received"] == row["deidentified"] + row["quarantined"]
        and row["deidentified"] == row["released"] + row["withheld"]
        for row in rows
    )


def snapshot(root: Path, *, with_times: bool = False) -> dict[str, tuple]:
    """Path below root -> digest (and inode and time of change) of every file, of a sealed table: of what it says. But
    for the audit log, to which each look adds, and the name of the mapping key, which is a site's own."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".lock" and path.stem not in ("audit", "key_id"):
            status = path.stat()
            digest = content_digest(path) if is_sealed(path) else hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(root))] = (
                (digest, status.st_ino, status.st_mtime_ns) if with_times else (digest,)
            )
    return found
