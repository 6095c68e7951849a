"""A release pack holds what was released and nothing else, says so, and is the same each time."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.deid.profile import load_profile
from dicom_assets.errors import BadInput, Refused
from dicom_assets.storage.atomic import sha256
from dicom_assets.storage.audit import Event
from dicom_assets.storage.ledger import read_stage
from dicom_assets.workflow import pack as packing
from dicom_assets.workflow.pack import batches_of_cohort
from dicom_assets.workflow.pack_layout import COLUMNS
from dicom_assets.workflow.report import FORMS
from dicom_assets.workflow.verify_pack import verify_pack
from dicom_assets.workflow.withdraw import finish_release, read_release
from tests.support.packs import COHORT, ReleasedSite
from tests.support.pushing import job_at, run_stages
from tests.support.site import Site, snapshot
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def pack(released_site: ReleasedSite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hard links, so that it costs nothing; read only."""
    return released_site.pack(tmp_path_factory.mktemp("packs") / "pack", link=True).path


def rows(pack: Path, name: str) -> list[dict[str, str]]:
    with (pack / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_pack_holds_what_was_released_and_passes_its_check(pack: Path, released_site: ReleasedSite) -> None:
    zones = released_site.job.zones
    released = {file for batch in released_site.batches for file in read_release(zones, batch).files}
    images = {str(path.relative_to(pack / "images")): path for path in (pack / "images").rglob("*.dcm")}
    assert images.keys() == released and len(released) > 20
    assert all(path.read_bytes() == (zones.released / name).read_bytes() for name, path in images.items())
    result = verify_pack(pack)
    assert result.findings == () and result.passed and result.files == len(released)
    assert result.digest == hashlib.sha256((pack / "SHA256SUMS").read_bytes()).hexdigest()
    assert result.batches == released_site.batches and result.texts_compared


def test_sha256sum_itself_agrees(pack: Path) -> None:
    done = subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], cwd=pack, check=False, timeout=60)
    assert done.returncode == 0
    files = {str(path.relative_to(pack)) for path in pack.rglob("*") if path.is_file()}
    assert files - {"SHA256SUMS"} == {line.split("  ")[1] for line in (pack / "SHA256SUMS").read_text().splitlines()}


def test_the_manifest_says_of_each_image_what_pydicom_reads_in_it(pack: Path, released_site: ReleasedSite) -> None:
    batches = Counter()
    for row in rows(pack, "manifest.csv"):
        image = pydicom.dcmread(pack / row["path"], stop_before_pixels=True)
        assert row["sha256"] == hashlib.sha256((pack / row["path"]).read_bytes()).hexdigest()
        said = [row[name] for name in ("patient", "study_instance_uid", "series_instance_uid", "sop_instance_uid")]
        assert said == [image.PatientID, image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID]
        assert (row["modality"], row["sop_class_uid"]) == (image.Modality, image.SOPClassUID)
        batches[row["batch"]] += 1
    assert batches[" ".join(released_site.batches)] > 0  # of the study that both asked for


def test_what_is_missing_is_named_with_its_reason(pack: Path, released_site: ReleasedSite) -> None:
    zones = released_site.job.zones
    ledger = [row for batch in released_site.batches for row in read_stage(zones, batch, "validation_report")]
    rejected, quarantine = rows(pack, "rejected.csv"), rows(pack, "quarantine.csv")
    assert [(row["state"], row["reason"]) for row in rejected] == [("not found", "STUDY_NOT_FOUND")]
    kept_back = Counter()
    for row in quarantine:
        kept_back[row["study_key"]] += int(row["instances"])
        assert len(row["sentence"]) > 20
    assert kept_back == {row.study_key: row.quarantined for row in ledger if row.quarantined}
    readme = (pack / "README.txt").read_text()
    assert "STUDY_NOT_FOUND: 1 study" in readme and "shifted by one number of whole days" in readme


def test_the_statement_names_profile_options_codes_and_key(pack: Path, released_site: ReleasedSite) -> None:
    statement, profile = json.loads((pack / "statement.json").read_bytes()), released_site.job.profile
    assert statement["profile"]["digest"] == profile.digest
    assert {one["option"] for one in statement["profile"]["options"]} == profile.options
    assert {one["code"] for one in statement["codes"]} >= {"113100", "113105", "113107", profile.digest[:16]}
    assert statement["pseudonym_key_ids"] == [released_site.job.key.key_id]
    text = (pack / "statement.md").read_text()
    assert all(one["code"] in text for one in (*statement["profile"]["options"], *statement["codes"]))
    assert all(check["state"] in ("holds", "not made") for of in statement["checks"].values() for check in of)


def test_the_dictionary_has_every_element_and_every_column(pack: Path) -> None:
    found = Counter()
    for path in (pack / "images").rglob("*.dcm"):
        image = pydicom.dcmread(path)
        found.update({f"({one.tag.group:04X},{one.tag.elem:04X})" for one in image.iterall() if not one.tag.is_private})
    table, listed = rows(pack, "dictionary.csv"), Counter()
    for row in table:
        if row["file"] == "images" and not row["tag"].startswith("(0002,"):
            listed[row["tag"]] += int(row["instances"])
            assert row["action"] or row["explanation"]
    assert {tag for tag in listed if int(tag[4], 16) % 2 == 0} == found.keys()
    assert listed["(0008,0060)"] == found["(0008,0060)"] == len(list((pack / "images").rglob("*.dcm")))
    explained = {(row["file"], row["name"]) for row in table if row["file"] != "images"}
    assert explained == {(name, column) for name, columns in COLUMNS.items() for column in columns}


def test_nothing_that_identifies_is_in_it(pack: Path, released_site: ReleasedSite) -> None:
    everything = b"".join(path.read_bytes() for path in pack.rglob("*") if path.is_file() and path.suffix != ".dcm")
    assert COHORT.encode() not in everything
    assert str(released_site.site.folder).encode() not in everything


def test_it_is_the_same_each_time_copied_linked_or_zipped(
    pack: Path, released_site: ReleasedSite, tmp_path: Path
) -> None:
    copied = released_site.pack(tmp_path / "copied")
    assert snapshot(copied.path) == snapshot(pack)
    assert all(path.stat().st_nlink == 1 for path in copied.path.rglob("*.dcm"))
    assert all(path.stat().st_nlink > 1 for path in pack.rglob("*.dcm"))
    zipped = released_site.pack(tmp_path / "zipped", link=True, zipped=True)
    assert zipped.path.name == "zipped.zip" and zipped.digest == copied.digest
    with zipfile.ZipFile(zipped.path) as archive:
        archive.extractall(tmp_path)
    assert snapshot(tmp_path / "zipped") == snapshot(pack)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copied", "zipped", "zipped.zip"]


def test_made_again_it_stays_and_another_pack_does_not_replace_it(released_site: ReleasedSite, tmp_path: Path) -> None:
    first = released_site.pack(tmp_path / "pack", released_site.batches[0], link=True)
    before = snapshot(tmp_path, with_times=True)
    assert released_site.pack(tmp_path / "pack", released_site.batches[0], link=True) == first
    with pytest.raises(Refused, match="PACK_PLACE_TAKEN"):
        released_site.pack(tmp_path / "pack", released_site.batches[1], link=True)
    assert snapshot(tmp_path, with_times=True) == before


def test_what_lies_there_is_never_replaced(released_site: ReleasedSite, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("my notes")
    with pytest.raises(Refused, match="PACK_PLACE_TAKEN"):
        released_site.pack(tmp_path / "mine")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "notes.txt"]


def test_it_lies_in_no_data_root(released_site: ReleasedSite, tmp_path: Path) -> None:
    zones = released_site.job.zones
    (tmp_path / "way in").symlink_to(zones.restricted)
    for place in (zones.restricted / "pack", zones.released / "pack", tmp_path / "way in" / "pack"):
        with pytest.raises(BadInput, match="PACK_INTO_DATA_ROOT"):
            released_site.pack(place)


def test_the_cohort_is_all_batches_of_its_name(released_site: ReleasedSite) -> None:
    assert tuple(batches_of_cohort(released_site.job.zones, COHORT)) == released_site.batches
    for unknown in ("", "Hips"):
        with pytest.raises(BadInput, match="COHORT_UNKNOWN"):
            batches_of_cohort(released_site.job.zones, unknown)


@pytest.fixture
def own_site(released_site: ReleasedSite, tmp_path: Path) -> ReleasedSite:
    """A copy that a test may change."""
    folder = tmp_path / "site"
    shutil.copytree(released_site.site.folder, folder)
    site = Site(folder, released_site.site.variables)
    return ReleasedSite(site, job_at(site), released_site.batches)


def test_what_is_not_released_is_refused(own_site: ReleasedSite, tmp_path: Path) -> None:
    zones = own_site.job.zones
    new = create_request(zones, "cohort", "20260201", "", [RequestRow(patient_id="made up")]).batch
    with pytest.raises(BadInput, match="BATCH_NOT_RELEASED"):
        own_site.pack(tmp_path / "pack", new, own_site.batches[0])
    zones.ledger(own_site.batches[0], "validation_report").unlink()
    with pytest.raises(BadInput, match="STAGE_NOT_RUN"):
        own_site.pack(tmp_path / "pack")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_file_that_is_not_as_it_was_proved_is_refused(own_site: ReleasedSite, tmp_path: Path) -> None:
    file = next(own_site.job.zones.released.rglob("*.dcm"))
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    for link in (False, True):
        with pytest.raises(Refused, match="FILE_NOT_AS_RECORDED"):
            own_site.pack(tmp_path / "pack", link=link)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_report_that_tells_of_another_release_is_refused(own_site: ReleasedSite, tmp_path: Path) -> None:
    path = own_site.job.zones.report(own_site.batches[0], "json")
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"release_sha256": "0" * 64}))
    with pytest.raises(BadInput, match="PACK_REPORT_DIFFERS"):
        own_site.pack(tmp_path / "pack")
    path.write_text("{}")
    with pytest.raises(BadInput, match="PACK_REPORT_UNREADABLE"):
        own_site.pack(tmp_path / "pack")


@pytest.mark.parametrize("suffix", FORMS)
def test_a_report_that_is_not_as_it_was_written_is_refused(own_site: ReleasedSite, tmp_path: Path, suffix: str) -> None:
    path = own_site.job.zones.report(own_site.batches[0], suffix)
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(BadInput, match="PACK_REPORT_DIFFERS"):
        own_site.pack(tmp_path / "pack", own_site.batches[0])
    run_stages(own_site.job, own_site.batches[0])
    own_site.pack(tmp_path / "pack", own_site.batches[0])


def report_as_if(own_site: ReleasedSite, change: Callable[[dict], object]) -> dict:
    """The JSON report of the first batch, changed, with the page, and recorded as if they had been written so."""
    zones, batch = own_site.job.zones, own_site.batches[0]
    (path, page), release = (zones.report(batch, form) for form in ("json", "html")), read_release(zones, batch)
    report, before = json.loads(path.read_bytes()), sha256(path)
    change(report)
    path.write_text(json.dumps(report))
    page.write_text(page.read_text().replace(before, sha256(path)))
    digests = release.reports | {"json": sha256(path), "html": sha256(page)}
    finish_release(zones, batch, release.inputs, release.files, digests)
    return report


@pytest.mark.parametrize("state", ["does_not_add_up", "not_proved"])
def test_what_is_not_proved_as_a_whole_is_refused(own_site: ReleasedSite, tmp_path: Path, state: str) -> None:
    report_as_if(own_site, lambda report: report["verdict"].update(state=state))
    with pytest.raises(Refused, match="PACK_NOT_PROVED"):
        own_site.pack(tmp_path / "pack")


def test_when_all_ties_are_cut_what_is_released_can_still_be_handed_over(
    own_site: ReleasedSite, pack: Path, tmp_path: Path
) -> None:
    assert own_site.site.run("mapping", "forget", "--project", "--reason", "the study is over").returncode == 0
    made = own_site.site.run("pack", *own_site.batches, "--out", tmp_path / "pack")
    assert made.returncode == 0, made.stderr
    assert snapshot(tmp_path / "pack") == snapshot(pack)
    assert not own_site.site.mapping_key_file.exists()


def test_the_mapping_is_not_read(own_site: ReleasedSite, tmp_path: Path) -> None:
    log = own_site.job.zones.audit_log
    before = log.read_text()
    own_site.pack(tmp_path / "pack", link=True)
    assert {json.loads(line)["event"] for line in log.read_text()[len(before) :].splitlines()} == {Event.PACK.value[0]}


def test_another_profile_than_that_of_the_release_is_refused(released_site: ReleasedSite, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="PACK_PROFILE_DIFFERS"):
        packing.make_pack(released_site.job.zones, load_profile("basic"), released_site.batches, tmp_path / "pack")


def test_a_check_that_failed_is_said_and_hinders_nothing(own_site: ReleasedSite, tmp_path: Path) -> None:
    report = report_as_if(own_site, lambda report: report["checks"][0].update(passed=False, failed=1))
    made = own_site.pack(tmp_path / "pack", own_site.batches[0])
    name = report["checks"][0]["name"]
    assert made.failed_checks == (name,)
    assert f"FAILED: {name}" in (made.path / "README.txt").read_text()
    checked = verify_pack(made.path)
    assert checked.passed and checked.failed_checks == (name,)


def test_each_pack_is_in_the_audit_log_with_its_digest_before_it_is_there(
    own_site: ReleasedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = own_site.job.zones.audit_log
    seen = []
    publish = packing._publish
    monkeypatch.setattr(packing, "_publish", lambda *places: (seen.append(log.read_text()), publish(*places)))
    made = own_site.pack(tmp_path / "pack", link=True, why="for the study of knees")
    assert made.digest in seen[0] and "for the study of knees" in seen[0]
    assert COHORT not in log.read_text()


def test_killed_anywhere_it_is_not_there_and_made_again_it_is_whole(
    released_site: ReleasedSite, pack: Path, tmp_path: Path
) -> None:
    out, unfinished = tmp_path / "pack", tmp_path / ".pack.part"
    command = released_site.site.command("pack", "--cohort", COHORT, "--out", out)
    where = {"env": released_site.site.environment, "cwd": tmp_path}
    for there in ("images", "images/**/*.dcm", "reports/*.html", "SHA256SUMS"):
        running = subprocess.Popen(
            command, **where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_for(lambda there=there: any(unfinished.glob(there)) or out.exists(), 60, 0.002)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        if out.exists():
            assert snapshot(out) == snapshot(pack)
            shutil.rmtree(out)
    done = subprocess.run(command, **where, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert snapshot(out) == snapshot(pack)
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]


def test_the_commands_make_and_check_a_pack(released_site: ReleasedSite, tmp_path: Path) -> None:
    site = released_site.site
    made = site.run("pack", *released_site.batches, "--out", tmp_path / "pack", "--link", "--json")
    assert made.returncode == 0, made.stderr
    digest = json.loads(made.stdout)["digest"]
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("DICOM_", "DAGSTER_"))}
    verify = [sys.executable, "-m", "dicom_assets.cli", "verify", str(tmp_path / "pack")]

    def run(*more: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*verify, *more], env=bare, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )

    good = run("--digest", digest, "--json")
    assert good.returncode == 0 and json.loads(good.stdout)["digest"] == digest
    wrong = run("--digest", "0" * 64)
    assert wrong.returncode == 1 and "FAILS  digest_is_the_one_given" in wrong.stdout
    assert site.run("pack", "--out", tmp_path / "other").returncode == 2
    assert site.run("pack", "--cohort", "Hips", "--out", tmp_path / "other").returncode == 2
    assert not (tmp_path / "other").exists()
