"""`dicom-assets review` as its user runs it: what it prints, what it refuses, and what of it the audit log has."""

import json
from pathlib import Path

import pytest

from dicom_assets.demo.corpus import Corpus
from dicom_assets.demo.studies import small_corpus
from dicom_assets.storage.audit import last_lines
from dicom_assets.workflow.arrivals import plan_arrivals
from tests.support.pushing import job_at, push, run_stages
from tests.support.search import pattern_of
from tests.support.site import Site


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def site(tmp_path: Path, corpus: Corpus) -> Site:
    """An ultrasound study has arrived, and all of it lies in quarantine."""
    site = Site(tmp_path / "site")
    site.folder.mkdir()
    site.keep_back_text()
    job = job_at(site)
    push(job, [corpus.folder / one.path for study in corpus.studies for one in study.instances if one.modality == "US"])
    (request,) = plan_arrivals(job.zones, 0, keep_originals=True)
    run_stages(job, request.batch)
    return site


def test_a_reviewer_lists_looks_and_decides(site: Site, corpus: Corpus) -> None:
    listed = site.run("review", "list", "--json")
    rows = json.loads(listed.stdout)
    first, second, *_ = rows
    assert (first["reason"], first["modality"], first["can"]) == ("TEXT_IN_PIXELS_LIKELY", "US", ["release", "discard"])
    assert first["bytes"] > 0 and first["decision"] == ""
    assert listed.stderr.startswith(f"{len(rows)} items: TEXT_IN_PIXELS_LIKELY: ")

    shown = site.run("review", "show", first["item"], "--reason", "a look")
    assert shown.returncode == 0 and "identifies a patient" in shown.stderr
    assert any(line.endswith(".dcm") and Path(line.split(": ")[1]).is_file() for line in shown.stdout.splitlines())
    assert "PatientName" in shown.stdout and pattern_of(corpus.planted).search(shown.stdout.encode())

    done = site.run("review", "release", first["item"], second["item"], "--reason", "no text")
    assert (done.returncode, done.stdout.splitlines()) == (
        0, [f"{first['item']}  release", f"{second['item']}  release"],
    )  # fmt: skip
    assert done.stderr == f"next: dicom-assets run {first['batch']} --from anonymized_dicom\n"
    table = site.run("review", "list", first["batch"], "--reason", "TEXT_IN_PIXELS_LIKELY").stdout.splitlines()
    assert len(table) == len(rows) + 1
    assert sum(line.endswith("  release") for line in table) == 2
    assert [(line.event, line.why) for line in last_lines(site.zones) if "review" in line.event] == [
        ("review read", ""),
        ("review read", "a look"),
        ("review release", "no text"),
        ("review release", "no text"),
        ("review read", ""),
    ]
    pseudonymous = "".join([listed.stdout, listed.stderr, done.stdout, done.stderr, *table])
    assert not pattern_of(corpus.planted).search(pseudonymous.encode())


def test_what_is_refused_changes_nothing_and_is_recorded(site: Site) -> None:
    item = json.loads(site.run("review", "list", "--json").stdout)[0]["item"]
    assert site.run("review", "release", item).returncode == 2, "without a reason"
    assert site.run("review", "discard", item, "--reason", "  ").returncode == 2
    unknown = site.run("review", "discard", item, "Meier^Hans", "--reason", "no use")
    assert unknown.returncode == 1 and "REVIEW_ITEM_UNKNOWN" in unknown.stderr
    assert "Meier" not in unknown.stderr + site.zones.audit_log.read_text()
    assert json.loads(site.run("review", "list", "--json").stdout)[0]["decision"] == "", "nor is the first one touched"
    refused = [line.subject for line in last_lines(site.zones) if line.event == "refused"]
    assert refused == [
        "review release: REVIEW_REASON_MISSING",
        "review discard: REVIEW_REASON_MISSING",
        "review discard: REVIEW_ITEM_UNKNOWN",
    ]
    (site.zones.restricted / "quarantine").chmod(0o755)
    for arguments in (("list",), ("show", item), ("discard", item, "--reason", "no use")):
        assert "FOLDER_OPEN_TO_OTHERS" in site.run("review", *arguments).stderr
        assert last_lines(site.zones, 1)[0].subject == f"review {arguments[0]}: FOLDER_OPEN_TO_OTHERS"
