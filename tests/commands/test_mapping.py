"""`dicom-assets mapping` and `audit` as a user runs them: what is read, refused, given and destroyed, and the line that
each of it leaves."""

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.cli import main
from dicom_assets.storage.atomic import exclusive_lock
from dicom_assets.storage.audit import Line, last_lines, verify
from dicom_assets.storage.columns import COLUMNS
from dicom_assets.storage.manifests import StagedInstance
from dicom_assets.storage.mapping import ALL_COLUMNS, MappedStudy, write_part
from tests.support.site import Site
from tests.torture.support_sites import KEY, new_site

DAY = "20260131"
ORIGINALS = ("0012345", "1.2.840.1.77", "1.2.840.1.77.1")
FRAME = ("1.2.840.1.99", "2.25.99")


def instance(number: int) -> StagedInstance:
    name = f"2.25.{number}"
    return StagedInstance(
        raw_file=f"{number}.dcm", raw_sha256=f"a{number}", reason="", file=f"{name}.dcm",
        released_path=f"PX/2.25.100/2.25.200/{name}.dcm", sha256=f"b{number}", modality="CT",
        sop_instance_uid=f"1.2.840.1.77.{number}", original_patient_id=ORIGINALS[0], patient_pseudonym="PX",
        tags=("PatientName", "PatientID"),
        uids=((f"1.2.840.1.77.{number}", name), ("1.2.840.1.77", "2.25.100"), ("1.2.840.1.88", "2.25.200"), FRAME),
        uid_tags=("SOPInstanceUID",), profile_digest="d", key_id=KEY.key_id,
    )  # fmt: skip


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A batch of one patient, one study, two instances."""
    site = new_site(tmp_path_factory.mktemp("mapped") / "site")
    batch = create_request(site.zones, "cohort", DAY, "", [RequestRow(study_instance_uid="1.2.840.1.77")]).batch
    write_part(site.zones, batch, [MappedStudy("sabc", (instance(1), instance(2)))])
    return site


@dataclass
class SiteHere(Site):
    """Its commands run in this process: there are many."""

    patch: pytest.MonkeyPatch | None = None
    output: pytest.CaptureFixture | None = None

    def run(self, *arguments: object, text: str = "") -> subprocess.CompletedProcess:
        self.patch.chdir(self.folder)
        for name, value in self.environment.items():
            self.patch.setenv(name, value)
        self.patch.setattr(sys, "stdin", io.StringIO(text))
        self.output.readouterr()
        code = main([str(argument) for argument in arguments])
        return subprocess.CompletedProcess(arguments, code, *self.output.readouterr())


@pytest.fixture
def site(mapped: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> SiteHere:
    """A copy of it."""
    monkeypatch.setattr("dicom_assets.cli.hide_tracebacks", lambda: None)  # for a process of its own only
    copy = SiteHere(tmp_path / "site", patch=monkeypatch, output=capsys)
    shutil.copytree(mapped.folder, copy.folder)
    return copy


BATCH = f"cohort-{DAY}-001"


def new_lines(site: Site, before: int) -> list[Line]:
    assert verify(site.zones) == []
    return last_lines(site.zones)[before:]


def told(lines: Iterable[Line]) -> list[tuple[str, str]]:
    return [(line.event, line.subject) for line in lines]


def test_a_pseudonym_leads_back_and_both_lines_are_there(site: Site) -> None:
    before = len(last_lines(site.zones))
    done = site.run("mapping", "reidentify", "PX", "--reason", "a finding to follow up", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["original_patient_ids"] == [ORIGINALS[0]]
    assert [one["Original SOP Instance UID"] for one in answer["instances"]] == ["1.2.840.1.77.1", "1.2.840.1.77.2"]
    lines = new_lines(site, before)
    assert told(lines) == [("reidentify", "a value is looked for"), ("reidentify", "PX: 2 instances")]
    assert {line.why for line in lines} == {"a finding to follow up"}


@pytest.mark.parametrize(
    ("value", "count"), [("sabc", 2), ("2.25.100", 2), ("2.25.200", 2), ("2.25.2", 1), (FRAME[1], 2)]
)
def test_so_do_a_study_key_and_every_new_uid(site: Site, value: str, count: int) -> None:
    done = site.run("mapping", "reidentify", "-", "--reason", "x", text=f"{value}\n")
    assert done.returncode == 0, done.stderr
    first, _header, *rows = done.stdout.splitlines()
    assert first == f"Original Patient ID: {ORIGINALS[0]}", "who it is comes first"
    assert sum(ORIGINALS[0] in row for row in rows) == count
    assert last_lines(site.zones, 1)[0].subject == f"PX: {count} instances", "whose identity was told"
    assert (FRAME[0] in done.stdout) == (value == FRAME[1])


def test_an_original_is_looked_up_and_stands_nowhere_in_the_log(site: Site) -> None:
    for value in (*ORIGINALS, FRAME[0]):
        done = site.run("mapping", "lookup", "-", "--reason", "a patient withdrew", "--json", text=f"{value}\n")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["pseudonyms"] == ["PX"]
        assert value not in done.stdout + done.stderr
    assert "uid" in json.loads(done.stdout)["instances"][0]
    log = site.zones.audit_log.read_text()
    assert not [value for value in ORIGINALS if value in log]
    assert told(last_lines(site.zones, 1)) == [("lookup", "PX: 2 instances")]


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (("reidentify", "PX"), "AUDIT_REASON_MISSING", 2),
        (("reidentify", "PX", "--reason", "  "), "AUDIT_REASON_MISSING", 2),
        (("reidentify", "PX", "--reason", "two\nlines"), "AUDIT_REASON_UNUSABLE", 2),
        (("reidentify", ORIGINALS[0], "--reason", "x"), "PSEUDONYM_UNKNOWN", 1),
        (("lookup", "PX", "--reason", "x"), "ORIGINAL_UNKNOWN", 1),
        (("lookup", "PX"), "AUDIT_REASON_MISSING", 2),
        (("lookup", ORIGINALS[0], "--reason", f"{ORIGINALS[0]} withdrew"), "AUDIT_REASON_UNUSABLE", 2),
        (("export", "--all", "--out", "restricted/f.csv"), "EXPORT_OUT_UNUSABLE", 1),
        (("export", "--all", "--out", "released/f.csv"), "EXPORT_INTO_RELEASED", 1),
        (("export", "cohort-20260131-999", "--out", "f.csv"), "BATCH_UNKNOWN", 1),
        (("export", "--out", "f.csv"), "EXPORT_WHAT", 2),
        (("forget",), "FORGET_WHAT", 2),
    ],
)
def test_what_is_refused_leaves_its_code_and_no_value(
    site: Site, arguments: tuple[str, ...], code: str, exit_code: int
) -> None:
    before = len(last_lines(site.zones))
    done = site.run("mapping", *arguments)
    assert done.returncode == exit_code, done.stderr
    assert code in done.stderr
    line = new_lines(site, before)[-1]
    assert (line.event, line.outcome, line.subject) == ("refused", 8, f"mapping {arguments[0]}: {code}")
    assert ORIGINALS[0] not in site.zones.audit_log.read_text()
    assert done.stdout == ""


def test_a_wrong_key_and_an_open_folder_are_refused_and_told(site: Site) -> None:
    right = site.mapping_key_file.read_bytes()
    site.mapping_key_file.write_bytes(bytes(32))
    done = site.run("mapping", "reidentify", "PX", "--reason", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "MAPPING_KEY_NOT_THE_SAME" in last_lines(site.zones, 1)[0].subject
    site.mapping_key_file.write_bytes(right)
    site.zones.mapping_folder.chmod(0o755)
    done = site.run("mapping", "reidentify", "PX", "--reason", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "FOLDER_OPEN_TO_OTHERS" in last_lines(site.zones, 1)[0].subject


def test_a_mapping_that_cannot_be_audited_is_not_read(site: Site) -> None:
    site.zones.audit_head.write_bytes(b"")
    done = site.run("mapping", "reidentify", "PX", "--reason", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "AUDIT_LOG_DAMAGED" in done.stderr
    done = site.run("mapping", "export", "--all", "--out", site.folder / "f.csv")
    assert done.returncode == 1
    assert not (site.folder / "f.csv").exists()


def test_the_export_has_six_columns_or_all(site: Site) -> None:
    for columns, expected in ((("--columns", "all"), ALL_COLUMNS), ((), COLUMNS)):
        done = site.run("mapping", "export", "--all", "--out", site.folder / "f.csv", "--reason", "the trial", *columns)
        assert done.returncode == 0, done.stderr
        with (site.folder / "f.csv").open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert tuple(header) == expected
        assert len(rows) == 2
        (line,) = last_lines(site.zones, 1)
        assert (line.event, line.subject, line.why) == ("mapping export", BATCH, "the trial")


@pytest.mark.parametrize("out", ["keys/pseudonym.key", "restricted/mapping/audit.jsonl", "a.folder.csv", "link.csv"])
def test_an_export_replaces_nothing_but_a_csv_file_and_leaves_nothing_behind(site: Site, out: str) -> None:
    (site.folder / "a.folder.csv").mkdir()
    (site.folder / "link.csv").symlink_to(site.mapping_key_file)
    before = {path: path.read_bytes() for path in site.folder.rglob("*") if path.is_file() and path.stem != "audit"}
    done = site.run("mapping", "export", "--all", "--out", out)
    assert (done.returncode, "EXPORT_OUT_UNUSABLE" in done.stderr) == (1, True)
    assert before == {
        path: path.read_bytes() for path in site.folder.rglob("*") if path.is_file() and path.stem != "audit"
    }
    assert verify(site.zones) == []


def test_a_value_may_be_padded(site: Site) -> None:
    assert site.run("mapping", "reidentify", " PX ", "--reason", "x").returncode == 0
    assert site.run("mapping", "lookup", "-", "--reason", "x", text=f"{ORIGINALS[0]} \n").returncode == 0


def test_what_a_file_holds_reaches_no_terminal(site: Site) -> None:
    hostile = replace(
        instance(3), original_patient_id="\x1b[2J0007", patient_pseudonym="PY", released_path="PY/1/2/3.dcm"
    )
    write_part(site.zones, "cohort-20260131-002", [MappedStudy("sdef", (hostile,))])
    done = site.run("mapping", "reidentify", "PY", "--reason", "x")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "\\x1b[2J0007" in done.stdout


def test_audit_verify_prints_what_can_be_noted_and_finds_what_was_changed(site: Site) -> None:
    done = site.run("audit", "verify", "--json")
    assert done.returncode == 0, done.stderr
    whole = json.loads(done.stdout)
    assert whole == {"lines": 1, "hash": last_lines(site.zones)[-1].hash, "problems": []}
    site.run("mapping", "reidentify", "PX", "--reason", "x")
    assert site.run("audit", "verify", "--noted", whole["hash"]).returncode == 0
    assert site.run("audit", "verify", "--noted", "0" * 64).returncode == 1
    log = site.zones.audit_log
    log.write_bytes(log.read_bytes().replace(b"PX: 2", b"PX: 1"))
    done = site.run("audit", "verify")
    assert done.returncode == 1
    assert "line 3: AUDIT_LINE_CHANGED" in done.stdout.splitlines()


def test_audit_show_prints_the_last_lines_and_is_one_of_them(site: Site) -> None:
    site.run("mapping", "reidentify", "PX", "--reason", "a finding to follow up")
    done = site.run("audit", "show", "--last", "3")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert "a finding to follow up" in lines[1]
    assert "audit read  the last 3" in lines[2]
    done = site.run("audit", "show", "--json")
    assert len(json.loads(done.stdout)["lines"]) == 5
    assert verify(site.zones) == []


def give(site: Site, text: str) -> subprocess.CompletedProcess:
    path = site.folder / "given.csv"
    path.write_text(text, encoding="utf-8-sig")
    return site.run("mapping", "import", path)


def test_the_sites_own_pseudonyms_are_kept_sealed_and_none_is_given_twice(site: Site) -> None:
    done = give(site, "PatientID;Pseudonym\n0007;SITE-7\n0008;SITE-8\n0007;SITE-7\n")
    assert done.returncode == 0, done.stderr
    assert "2 pseudonyms are new, 0 were known" in done.stderr
    assert told(last_lines(site.zones, 1)) == [("mapping import", "2 pseudonyms that the site gives")]
    assert b"SITE-7" not in site.zones.given_pseudonyms.read_bytes()
    assert "1 pseudonyms are new, 1 were known" in give(site, "PatientID,Pseudonym\n0007,SITE-7\n0009,SITE-9\n").stderr
    kept = site.zones.given_pseudonyms.read_bytes()
    done = give(
        site,
        "PatientID,Pseudonym\n"
        "0100,SITE-100\n"  # 2: would be fine
        "0101,SITE-101\n0101,SITE-102\n"  # 3, 4: two for one
        "0102,SITE-103\n0103,SITE-103\n"  # 5, 6: one for two
        "0007,SITE-70\n0104,SITE-8\n"  # 7, 8: against what was imported
        f"{ORIGINALS[0]},SITE-1\n0105,PX\n"  # 9, 10: against the mapping
        "0106,0107\n0107,SITE-107\n"  # 11: a patient's ID
        "0108,Site-8\n",  # 13: one folder where case is ignored
    )
    assert done.returncode == 1
    codes = [line.split(": ")[:2] for line in done.stderr.splitlines() if line.startswith("line ")]
    conflicts = {int(line.removeprefix("line ")): code for line, code in codes}
    assert conflicts == dict.fromkeys([*range(3, 11), 13], "ROW_PSEUDONYM_CONFLICT") | {
        11: "ROW_PSEUDONYM_IS_PATIENT_ID"
    }
    assert "01" not in done.stderr.replace("line 10", "")
    assert site.zones.given_pseudonyms.read_bytes() == kept
    assert told(last_lines(site.zones, 1)) == [("refused", "mapping import: GIVEN_PSEUDONYMS_REFUSED")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("PatientID,Pseudonym\n0007,../up\n", "ROW_PSEUDONYM_MALFORMED"),
        ("PatientID,Pseudonym\n0007,Reports\n", "ROW_PSEUDONYM_MALFORMED"),
        ("PatientID,Pseudonym\n0007,\n", "ROW_MALFORMED"),
        ("PatientID,Pseudonym\n00*,A\n", "ROW_WILDCARD"),
        ("PatientID\n0007\n", "GIVEN_PSEUDONYMS_COLUMNS"),
        ("PatientID,Pseudonym,Name\n0007,A,B\n", "GIVEN_PSEUDONYMS_COLUMNS"),
    ],
)
def test_a_pseudonym_that_is_none_is_refused(site: Site, text: str, code: str) -> None:
    done = give(site, text)
    assert done.returncode == 1
    assert code in done.stderr
    assert not site.zones.given_pseudonyms.exists()


def test_forgetting_destroys_what_leads_back_and_leaves_what_is_released(site: Site) -> None:
    zones = site.zones
    kept = {zones.released / "PX" / "1.dcm": b"released", zones.ledger(BATCH, "raw_dicom"): b"rows"}
    gone = [zones.raw(BATCH, "sabc") / "1.dcm", zones.quarantine(BATCH, "sabc") / "2.dcm", zones.decisions("sabc")]
    volume = site.folder / "volume"
    volume.mkdir()
    (zones.restricted / "raw").symlink_to(volume)
    for path, content in {**kept, **dict.fromkeys(gone, b"identifies")}.items():
        path.parent.mkdir(parents=True, mode=0o700)
        path.write_bytes(content)
    for folder in zones.restricted.iterdir():
        folder.chmod(0o700)
    give(site, "PatientID,Pseudonym\n0007,SITE-7\n")
    done = site.run("mapping", "forget")
    assert done.returncode == 2
    assert "1 batches" in done.stderr
    assert all(path.exists() for path in gone)
    done = site.run("mapping", "forget", "--project", "--reason", "the trial is over")
    assert done.returncode == 0, done.stderr
    assert not list((site.folder / "keys").iterdir())
    assert not list(volume.iterdir()), "behind the link"
    assert not any(path.exists() for path in [*gone, zones.requests, zones.given_pseudonyms, zones.mapping(BATCH)])
    assert {path: path.read_bytes() for path in kept} == kept
    assert ("forget", "keys and mapping of 1 batches", "the trial is over") in [
        (line.event, line.subject, line.why) for line in last_lines(zones)
    ]
    assert verify(zones) == []
    for command in (
        ("mapping", "reidentify", "PX", "--reason", "x"),
        ("mapping", "export", "--all", "--out", "f.csv"),
        ("mapping", "import", site.folder / "given.csv"),
        ("run", BATCH),
        ("plan", site.folder / "cohort.csv"),
        ("key", "new"),
        ("key", "check"),
    ):
        (site.folder / "cohort.csv").write_text("StudyInstanceUID\n1.2.3\n")
        done = site.run(*command)
        assert done.returncode == 1, (command, done.stderr)
        assert "MAPPING_FORGOTTEN" in done.stderr, command
    assert not list((site.folder / "keys").iterdir())
    assert site.run("mapping", "forget", "--project").returncode == 0  # again
    zones.ledger(BATCH, "raw_dicom").unlink()
    assert site.run("ledger", BATCH).returncode == 0, "it stays, and can be read"
    zones.audit_log.unlink()
    zones.audit_head.unlink()
    assert [one.code for one in verify(zones)] == ["AUDIT_LOG_MISSING"]


@pytest.mark.parametrize("step", ["_refuse_work", "destroy_key", "_destroy", "delete"])
def test_stopped_in_the_middle_nothing_begins_and_forgetting_again_completes(
    site: Site, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def stopped(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"dicom_assets.workflow.forget.{step}", stopped)
        assert site.run("mapping", "forget", "--project").returncode == 1
    assert "MAPPING_FORGOTTEN" in site.run("mapping", "reidentify", "PX", "--reason", "x").stderr
    assert "MAPPING_FORGOTTEN" in site.run("run", BATCH).stderr
    assert site.run("mapping", "forget", "--project").returncode == 0
    assert not list((site.folder / "keys").iterdir())
    assert {path.stem for path in site.zones.mapping_folder.iterdir()} <= {"audit", "forgotten"}
    assert {path.name for path in site.zones.restricted.iterdir()} <= {"mapping", "ledger", "releases"}
    assert verify(site.zones) == []


def test_what_was_pushed_and_is_in_no_batch_is_not_forgotten_by_the_way(site: Site) -> None:
    pushed = site.zones.incoming / "sxyz" / "1.dcm"
    pushed.parent.mkdir(parents=True)
    pushed.write_bytes(b"")
    site.zones.incoming.chmod(0o700)
    done = site.run("mapping", "forget", "--project")
    assert done.returncode == 1
    assert "INCOMING_NOT_EMPTY" in done.stderr
    assert site.run("mapping", "reidentify", "PX", "--reason", "x").returncode == 0


def test_a_batch_in_work_is_not_forgotten(site: Site) -> None:
    with exclusive_lock(site.zones.lock(BATCH)):
        done = site.run("mapping", "forget", "--project")
    assert done.returncode == 1
    assert "BATCH_BUSY" in done.stderr
    assert site.run("mapping", "reidentify", "PX", "--reason", "x").returncode == 0
