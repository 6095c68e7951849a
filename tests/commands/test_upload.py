"""`dicom-assets upload` as a user runs it: counts, exit codes, and nothing of a name or path in what it says."""

import json
import os
from pathlib import Path

import pytest

from dicom_assets.storage.incoming import instances_in, waiting_studies
from tests.support.handed import IMAGES, STUDIES, copy_medium, kill_when_there_are, make_zip, part10
from tests.support.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site").mkdir()
    return Site(tmp_path / "site")


def kept(site: Site) -> list[str]:
    return [path.name for study in waiting_studies(site.zones.incoming) for path in instances_in(study.folder)]


def test_a_medium_beside_a_zip_is_taken_and_counted(site: Site, tmp_path: Path) -> None:
    copy_medium(tmp_path / "given" / "cd")
    make_zip(tmp_path / "given" / "some.zip", {"1": part10("1.2.1"), "2": b"no DICOM"})
    done = site.run("upload", tmp_path / "given", "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts.pop("seconds") > 0 and counts.pop("bytes") > 0
    assert counts == {
        "read": IMAGES + 2,
        "taken": IMAGES + 1,
        "already_here": 0,
        "conflicting": 0,
        "not_dicom": 1,
        "refused": 0,
        "reasons": {},
        "studies": STUDIES + 1,
        "missing": 0,
    }
    assert "plan --arrivals" in done.stderr
    site.variables["DICOM_ANONYMIZE_ON_UPLOAD"] = "true"
    again = site.run("upload", tmp_path / "given")
    assert again.returncode == 0 and "arrival_sensor" in again.stderr
    assert f"0 taken, {IMAGES + 1} already here" in again.stderr
    assert [line.split("\t")[2] for line in again.stdout.splitlines()] == ["complete"] * (STUDIES + 1)


def test_what_was_refused_is_said_by_its_place_and_never_by_its_name(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "Quillfeather^Ottoline"
    copy_medium(folder)[0].unlink()
    (folder / "Quillfeather.dcm").write_bytes(part10("1.2.1", more=b"Quillfeather" * 9)[:-5])
    done = site.run("upload", folder)
    assert done.returncode == 3
    assert "FILE_CUT_SHORT: path 1, file " in done.stderr and "MEDIA_INCOMPLETE" in done.stderr
    assert "Quillfeather" not in done.stdout + done.stderr and "1.3.6.1" not in done.stdout + done.stderr
    (found,) = [line for line in done.stderr.splitlines() if "path 1, file" in line]
    files = sorted(os.fsencode(path) for path in folder.rglob("*") if path.is_file())
    assert files[int(found.rsplit(" ", 1)[1]) - 1].endswith(b"Quillfeather.dcm")


def test_a_path_that_is_not_there_is_a_mistake_of_the_caller(site: Site, tmp_path: Path) -> None:
    done = site.run("upload", tmp_path / "absent")
    assert done.returncode == 2 and "UPLOAD_WHAT" in done.stderr and "absent" not in done.stderr


def test_killed_and_run_again_it_completes_and_nothing_is_there_twice(site: Site, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    for number in range(150):
        (tmp_path / "given" / f"{number}").write_bytes(part10(f"1.2.{number}"))
    for instances in (1, 90):
        kill_when_there_are(site.start("upload", tmp_path / "given"), site.zones.incoming, instances)
        assert instances <= len(kept(site)) < 150
    done = site.run("upload", tmp_path / "given", "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["taken"] + counts["already_here"] == 150
    assert len(kept(site)) == len(set(kept(site))) == 150
    assert all(study.is_complete for study in waiting_studies(site.zones.incoming))
    assert [path.name for path in (site.zones.incoming / ".arriving").iterdir()] == []
