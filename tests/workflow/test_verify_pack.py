"""A pack that was changed anywhere is found, by the check that names it: also by those who correct other places too."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from dicom_assets.workflow import pack_layout, parallel
from dicom_assets.workflow import verify_pack as verifying
from dicom_assets.workflow.pack_layout import is_pack, read_csv
from dicom_assets.workflow.pack_statement import texts_of
from dicom_assets.workflow.verify_pack import PACK_CHECKS, verify_pack
from tests.support.packs import ReleasedSite, list_again, replaced


@pytest.fixture(scope="module")
def original(released_site: ReleasedSite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one batch, since it is checked some two hundred times."""
    return released_site.pack(tmp_path_factory.mktemp("packs") / "pack", released_site.batches[0], link=True).path


@pytest.fixture
def pack(original: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return shutil.copytree(original, tmp_path / "pack")


def failed(pack: Path, **options: object) -> set[str]:
    result = verify_pack(pack, **options)
    assert result.passed == (not result.findings)
    return {check for check, files in result.checks if files}


def an_image(pack: Path) -> str:
    """Of Explicit VR Little Endian, so that its last bytes are pixels."""
    images = sorted(str(path.relative_to(pack)) for path in (pack / "images").rglob("*.dcm"))
    return next(name for name in images if pydicom.dcmread(pack / name).get("Modality") == "MR")


def with_last_byte_changed(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


FILES = (
    "README.txt", "statement.md", "statement.json", "manifest.csv", "dictionary.csv", "rejected.csv", "quarantine.csv",
)  # fmt: skip


def every_kind(pack: Path) -> tuple[str, ...]:
    return (*FILES, an_image(pack), *sorted(str(path.relative_to(pack)) for path in (pack / "reports").iterdir()))


def test_one_byte_anywhere_is_found(pack: Path, original: Path) -> None:
    for name in every_kind(pack):
        for position in (0, -1):
            replaced(pack, name, lambda data, at=position: data[:at] + bytes([data[at] ^ 1]) + data[at:][1:])
            assert "pack_is_whole" in failed(pack), name
            replaced(pack, name, lambda _data, name=name: (original / name).read_bytes())
    assert failed(pack) == set()


def test_a_change_of_the_list_itself_is_found(pack: Path) -> None:
    replaced(pack, "SHA256SUMS", lambda data: data.replace(b"a", b"b", 1))
    assert "pack_is_whole" in failed(pack)


def test_any_file_that_is_missing_is_found(pack: Path, original: Path) -> None:
    for name in (*every_kind(pack), "SHA256SUMS"):
        (pack / name).unlink()
        assert is_pack(pack) and "pack_is_whole" in failed(pack), name
        shutil.copy(original / name, pack / name)
    assert failed(pack) == set()


def test_a_file_that_is_missing_is_found_where_the_list_was_corrected(pack: Path, original: Path) -> None:
    for name in every_kind(pack):
        (pack / name).unlink()
        list_again(pack, name)
        assert failed(pack), name
        shutil.copy(original / name, pack / name)
        shutil.copy(original / "SHA256SUMS", pack / "SHA256SUMS")


@pytest.mark.parametrize("name", ["notes.txt", "images/notes.txt", "reports/other.html", "images/.hidden"])
@pytest.mark.parametrize("listed", [False, True])
def test_a_file_that_was_added_is_found(pack: Path, name: str, listed: bool) -> None:
    (pack / name).write_text("Meier was here")
    if listed:
        list_again(pack, name)
    assert failed(pack) & {"pack_is_whole", "nothing_else_is_there"}


def test_an_image_that_was_renamed_is_found(pack: Path) -> None:
    name = an_image(pack)
    (pack / name).rename((pack / name).with_name("2.25.1.dcm"))
    assert {"pack_is_whole", "manifest_is_true", "uids_are_consistent"} <= failed(pack)


def test_an_image_twice_is_found(pack: Path) -> None:
    name = an_image(pack)
    copy = str(Path(name).with_name("2.25.1.dcm"))
    shutil.copy(pack / name, pack / copy)
    list_again(pack, copy)
    assert {"manifest_is_true", "uids_are_consistent"} <= failed(pack)


@pytest.mark.parametrize("name", ["statement.md", "images", "reports"])
def test_a_link_is_found_and_not_followed(pack: Path, tmp_path: Path, name: str) -> None:
    (pack / name).rename(tmp_path / "elsewhere")
    (pack / name).symlink_to(tmp_path / "elsewhere")
    assert "pack_is_whole" in failed(pack)


def row_changed(name: str, column: str, value: str) -> Callable[[Path], None]:
    def change(pack: Path) -> None:
        columns = list(pack_layout.COLUMNS[name])
        first, *others = read_csv(pack, name)
        cells = list(first)
        cells[columns.index(column)] = value
        replaced(pack, name, lambda _data: pack_layout.to_csv(name, [cells, *others]))
        list_again(pack, name)

    return change


def row_gone(name: str) -> Callable[[Path], None]:
    def change(pack: Path) -> None:
        replaced(pack, name, lambda _data: pack_layout.to_csv(name, read_csv(pack, name)[1:]))
        list_again(pack, name)

    return change


def entry_changed(name: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    """name: of a JSON file; a report's without its batch."""

    def tamper(pack: Path) -> None:
        path = name if (pack / name).exists() else f"reports/{next((pack / 'reports').glob('*.json')).name}"
        data = json.loads((pack / path).read_bytes())
        change(data)
        replaced(pack, path, lambda _data: json.dumps(data).encode())
        list_again(pack, path)

    return tamper


def text_changed(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(pack: Path) -> None:
        assert old in (pack / name).read_bytes()
        replaced(pack, name, lambda data: data.replace(old, new, 1))
        list_again(pack, name)

    return change


def pixel_changed(*more: str) -> Callable[[Path], None]:
    """more: other files that are corrected with it."""

    def change(pack: Path) -> None:
        name = an_image(pack)
        before = next(line[:64] for line in (pack / "SHA256SUMS").read_text().splitlines() if line.endswith(name))
        replaced(pack, name, with_last_byte_changed)
        list_again(pack, name)
        after = next(line[:64] for line in (pack / "SHA256SUMS").read_text().splitlines() if line.endswith(name))
        for other in more:
            replaced(pack, other, lambda data: data.replace(before.encode(), after.encode()))
            list_again(pack, other)

    return change


#: What is done, SHA256SUMS corrected with it -> the check that finds it all the same
TAMPERED = {
    "a pixel": (pixel_changed(), "manifest_is_true"),
    "a pixel and the manifest": (pixel_changed("manifest.csv"), "losses_add_up"),
    "a row's patient": (row_changed("manifest.csv", "patient", "P0000"), "manifest_is_true"),
    "a row's size": (row_changed("manifest.csv", "bytes", "1"), "manifest_is_true"),
    "a row's modality": (row_changed("manifest.csv", "modality", "XX"), "manifest_is_true"),
    "a row's batch": (row_changed("manifest.csv", "batch", "cohort-20990101-001"), "manifest_is_true"),
    "a row of the manifest gone": (row_gone("manifest.csv"), "manifest_is_true"),
    "a reason": (row_changed("rejected.csv", "reason", "STUDY_EMPTY"), "losses_add_up"),
    "a rejected study gone": (row_gone("rejected.csv"), "losses_add_up"),
    "a count": (row_changed("quarantine.csv", "instances", "0"), "losses_add_up"),
    "a quarantined study gone": (row_gone("quarantine.csv"), "losses_add_up"),
    "how often an element occurs": (row_changed("dictionary.csv", "instances", "1"), "dictionary_is_true"),
    "an element gone": (row_gone("dictionary.csv"), "dictionary_is_true"),
    "what happens to an element": (row_changed("dictionary.csv", "action", "K"), "statement_is_true"),
    "the profile": (entry_changed("statement.json", lambda s: s["profile"].update(digest="00")), "statement_is_true"),
    "an option": (entry_changed("statement.json", lambda s: s["profile"]["options"].pop()), "texts_are_true"),
    "the codes": (entry_changed("statement.json", lambda s: s["codes"].pop()), "statement_is_true"),
    "the key's id": (entry_changed("statement.json", lambda s: s.update(pseudonym_key_ids=[])), "statement_is_true"),
    "the verdicts": (
        entry_changed("statement.json", lambda s: s["checks"].popitem()[1][0].update(state="fails")),
        "statement_is_true",
    ),
    "an entry added": (entry_changed("statement.json", lambda s: s.update(approved_by="Meier")), "statement_is_true"),
    "the ledger": (entry_changed("report", lambda r: r["rows"][0].update(missing=3)), "losses_add_up"),
    "what was released": (entry_changed("report", lambda r: r["rows"][0].update(released=99)), "losses_add_up"),
    "what was withheld": (entry_changed("report", lambda r: r["withheld"].append(["s", "X", 1])), "losses_add_up"),
    "the profile of a report": (entry_changed("report", lambda r: r.update(profile_digest="0")), "statement_is_true"),
    "a check of a report": (entry_changed("report", lambda r: r["checks"].pop()), "statement_is_true"),
    "the README": (text_changed("README.txt", b"whole days", b"half days"), "texts_are_true"),
    "the statement's text": (text_changed("statement.md", b"identity removed", b"removed"), "texts_are_true"),
}  # fmt: skip


@pytest.mark.parametrize("tamper, check", TAMPERED.values(), ids=TAMPERED.keys())
def test_whoever_forgets_one_place_is_found(pack: Path, tamper: Callable[[Path], None], check: str) -> None:
    tamper(pack)
    found = failed(pack)
    assert "pack_is_whole" not in found and check in found


def signed_again(pack: Path, name: str) -> None:
    """Correct the statement, the texts that are made of it, and SHA256SUMS for this file."""
    statement = json.loads((pack / "statement.json").read_bytes())
    if name in statement["files"]:
        statement["files"][name] = hashlib.sha256((pack / name).read_bytes()).hexdigest()
    (pack / "statement.json").write_text(json.dumps(statement))
    for text, content in texts_of(statement).items():
        (pack / text).write_bytes(content)
    list_again(pack, name, "statement.json", *texts_of(statement))


#: The same, of those who correct all digests and texts, too
SIGNED_AGAIN = {
    "the verdict": ("json", b'"word": "Clean, not complete"', b'"word": "Complete and clean"', "reports_agree"),
    "the state": ("json", b'"state": "clean_not_complete"', b'"state": "complete_and_clean"', "reports_agree"),
    "the verdict on the page": ("html", b"<strong>Clean, not complete", b"<strong>Complete and clean", "reports_agree"),
    "the Parquet": ("parquet", b"PAR1", b"PAR2", "reports_agree"),
    "an instance of the JSON": ("json", b'"released_path": "P', b'"released_path": "Q', "reports_agree"),
    "a sentence": ("rejected.csv", b"The archive holds no study", b"Nobody knows of a study", "losses_add_up"),
    "the rule for dates": ("statement.json", b'"dates": "shift"', b'"dates": "keep"', "statement_is_true"),
    "the rule for pixels": ("statement.json", b'"pixels": "quarantine"', b'"pixels": "clean"', "statement_is_true"),
}  # fmt: skip


@pytest.mark.parametrize("where, old, new, check", SIGNED_AGAIN.values(), ids=SIGNED_AGAIN.keys())
def test_whoever_signs_one_place_again_is_found(pack: Path, where: str, old: bytes, new: bytes, check: str) -> None:
    name = where if (pack / where).exists() else f"reports/{next((pack / 'reports').glob(f'*.{where}')).name}"
    text_changed(name, old, new)(pack)
    signed_again(pack, name)
    found = failed(pack)
    assert check in found and not found & {"pack_is_whole", "texts_are_true"}


def test_a_batch_that_the_statement_forgets_is_found(pack: Path) -> None:
    entry_changed("statement.json", lambda statement: statement["batches"].pop())(pack)
    found = {"pack_is_whole", "manifest_is_true", "losses_add_up", "statement_is_true", "texts_are_true"}
    assert failed(pack) == found


def test_the_page_of_a_report_is_held_against_the_statement(pack: Path) -> None:
    name = f"reports/{next((pack / 'reports').glob('*.html')).name}"
    text_changed(name, b"</html>", b"<p>all fine</p></html>")(pack)
    assert failed(pack) == {"statement_is_true"}  # of which its files are a part


def test_who_corrects_every_place_is_found_by_the_digest_alone(pack: Path, original: Path) -> None:
    noted = verify_pack(original).digest
    replaced(pack, "README.txt", lambda data: data + b"Approved.\n")
    list_again(pack, "README.txt")
    changed = verify_pack(pack, digest=noted)
    assert dict(changed.checks)["digest_is_the_one_given"] == 1 and changed.digest != noted
    assert verify_pack(original, digest=f" {noted.upper()}\n").passed


def test_texts_of_another_version_are_not_compared_and_that_is_said(pack: Path) -> None:
    entry_changed("statement.json", lambda statement: statement.update(made_by="dicom-assets 9.9"))(pack)
    verified = verify_pack(pack)
    assert verified.passed and not verified.texts_compared and "texts_are_true" not in dict(verified.checks)


#: Whatever stands there, the check ends with a finding
DAMAGED = (
    b"", b"\xff\xfe", b"null", b"[]", b"{}", b'{"batches": ["../../../etc"], "profile": []}', b"[" * 100_000,
    b'{"batches": [1], "made_by": 3}', b"a,b\n1,2\n", b'"', b"one line\nanother  \n  \n",
)  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_tables_are_findings(pack: Path, original: Path, content: bytes) -> None:
    for name in (*FILES, "SHA256SUMS", f"reports/{next((pack / 'reports').glob('*.json')).name}"):
        replaced(pack, name, lambda _data: content)
        if name != "SHA256SUMS":
            list_again(pack, name)
        assert failed(pack), name
        for again in (name, "SHA256SUMS"):
            shutil.copy(original / again, pack / again)


def test_values_of_a_wrong_kind_in_a_report_are_findings(pack: Path) -> None:
    for change in (
        lambda r: r["rows"][0].update(released="all"),
        lambda r: r["checks"][0].update(failed=None),
        lambda r: r.update(quarantined=[["s", "X"]]),
        lambda r: r.update(quarantined=[["s", "X", float("inf")]]),
        lambda r: r.update(verdict="complete_and_clean"),
        lambda r: r.update(versions=7, batch=[]),
    ):
        entry_changed("report", change)(pack)
        assert "losses_add_up" in failed(pack)


def test_values_of_a_wrong_kind_in_the_statement_are_findings(pack: Path) -> None:
    for change in (
        lambda s: s["profile"].update(name=["research"]),
        lambda s: s["counts"].update(bytes=10**4000),
        lambda s: s["modalities"].update(CT=dict.fromkeys(("instances", "series", "studies", "patients"), 1e999)),
    ):
        entry_changed("statement.json", change)(pack)
        assert "statement_is_true" in failed(pack)


def test_an_image_of_any_size_is_a_finding(pack: Path) -> None:
    os.truncate(pack / an_image(pack), 1 << 42)
    assert {"pack_is_whole", "manifest_is_true"} <= failed(pack)


def test_with_several_processes_it_says_the_same(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_INSTANCES", 5)  # so that there is something to share
    pixel_changed()(pack)
    assert verify_pack(pack, workers=2) == verify_pack(pack)


def test_every_check_is_made_and_described() -> None:
    assert verifying._CHECKS.keys() == PACK_CHECKS.keys()
