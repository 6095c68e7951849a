"""A folder in, a folder out: what is in OUT has its row, whatever the files are called and whenever it is killed."""

import csv
import errno
import json
import os
import random
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.errors import BadInput, DicomAssetsError
from dicom_assets.workflow import folder as folder_module
from dicom_assets.workflow import working_folder
from dicom_assets.workflow.folder import FolderResult, check_places, deidentify_folder
from dicom_assets.workflow.folder_journal import shown
from dicom_assets.workflow.folder_places import Places
from tests.support.hand_deidentified import as_bytes, planted

KEY = PseudonymKey(bytes(range(32)))
COMMAND = [sys.executable, "-m", "dicom_assets.cli", "deidentify"]
TABLES = ("mapping.csv", "patients.csv", "quarantine.csv", "uids.csv")


@contextmanager
def no_progress(_what: str, _total: int) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


def run(
    source: Path, target: Path, mapping: Path | None, workers: int = 1, key: PseudonymKey = KEY, profile: str = "basic"
) -> FolderResult:
    return deidentify_folder(source, target, load_profile(profile), key, mapping, workers, no_progress)


def profile_file(folder: Path, **settings: str) -> str:
    """Path of a profile like basic, but for the settings."""
    path = folder / "own.toml"
    path.write_text('base = "basic"\n' + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    return str(path)


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def studies(count: int) -> dict[str, bytes]:
    """count files: studies of five instances, a patient each."""
    return {
        f"study{n // 5}/{n % 5}.dcm": as_bytes(planted(n % 5 + 1, patient_id=f"7700{n // 5}", study=n // 5 + 1))
        for n in range(count)
    }


def rows(mapping: Path, table: str) -> list[dict[str, str]]:
    with (mapping / table).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reasons(mapping: Path) -> dict[str, str]:
    return {row["Original Filename"]: row["Reason"] for row in rows(mapping, "quarantine.csv")}


def outputs(target: Path) -> dict[str, bytes]:
    return {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()}


def end_state(target: Path, mapping: Path) -> dict[str, bytes]:
    return outputs(target) | {f"mapping/{name}": content for name, content in outputs(mapping).items()}


def places(mapping: Path) -> set[str]:
    return {row["Anonymized Filename"] for row in rows(mapping, "mapping.csv")}


@pytest.fixture
def out(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "out", tmp_path / "map"


def test_each_file_is_in_out_with_its_row_or_in_quarantine(tmp_path: Path, out: tuple[Path, Path]) -> None:
    files = studies(6) | {"notes.txt": b"not an image", "empty.dcm": b"", "cut.dcm": studies(7)["study1/1.dcm"][:900]}
    source = put(tmp_path / "in", files)
    result = run(source, *out)
    assert (result.read, result.deidentified, result.quarantined, result.not_dicom) == (9, 6, 2, 1)
    assert result.bytes == sum(map(len, files.values()))
    found = reasons(out[1])
    assert (found["notes.txt"], found["empty.dcm"]) == ("NOT_DICOM", "EMPTY_FILE")
    assert found["cut.dcm"] not in ("NOT_DICOM", "")
    mapped = rows(out[1], "mapping.csv")
    assert {row["Original Filename"] for row in mapped} | set(found) == set(files)
    assert {row["Anonymized Filename"] for row in mapped} == set(outputs(out[0]))
    assert [row["Original Filename"] for row in mapped] == sorted(row["Original Filename"] for row in mapped)
    for row in mapped:
        output = dcmread(out[0] / row["Anonymized Filename"])
        original = dcmread(source / row["Original Filename"])
        path = (row["Anonymized ID"], output.StudyInstanceUID, output.SeriesInstanceUID, output.SOPInstanceUID)
        assert row["Anonymized Filename"] == "/".join(map(str, path)) + ".dcm"
        assert output.PatientID == row["Anonymized ID"]
        assert original.PatientID == row["Original Patient ID"]
        assert output.PixelData == original.PixelData
        assert "PatientBirthDate" in row["Tags Anonymized"].split("; ")
        assert "SOPInstanceUID" in row["UIDs Regenerated"].split("; ")
        assert {(str(original.SOPInstanceUID), str(output.SOPInstanceUID))} <= uid_pairs(out[1])
    patients = {(row["id_old"], row["id_new"]) for row in rows(out[1], "patients.csv")}
    assert patients == {(row["Original Patient ID"], row["Anonymized ID"]) for row in mapped}
    assert outputs(source) == files


def uid_pairs(mapping: Path) -> set[tuple[str, str]]:
    return {(row["id_old"], row["id_new"]) for row in rows(mapping, "uids.csv")}


def test_modes_are_private_and_nothing_unfinished_stays(tmp_path: Path, out: tuple[Path, Path]) -> None:
    out[1].mkdir(mode=0o755)
    run(put(tmp_path / "in", studies(2)), *out)
    assert out[1].stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in out[1].iterdir()) == list(TABLES)
    assert {path.stat().st_mode & 0o777 for path in out[1].iterdir()} == {0o600}
    assert not (out[0] / ".unfinished").exists()


def test_without_a_mapping_none_is_written(tmp_path: Path, out: tuple[Path, Path]) -> None:
    run(put(tmp_path / "in", studies(3)), out[0], None)
    assert len(outputs(out[0])) == 3
    assert all(name.endswith(".dcm") for name in outputs(out[0]))


def test_workers_and_the_order_of_creation_change_nothing(tmp_path: Path) -> None:
    files = studies(23)
    states = []
    for workers in (1, 2, 3):
        names = sorted(files)
        random.Random(workers).shuffle(names)
        source = put(tmp_path / f"in{workers}", {name: files[name] for name in names})
        target, mapping = tmp_path / f"out{workers}", tmp_path / f"map{workers}"
        assert run(source, target, mapping, workers).deidentified == 23
        states.append(end_state(target, mapping))
    assert states[0] == states[1] == states[2]


def test_a_single_file_is_named_by_itself(tmp_path: Path, out: tuple[Path, Path]) -> None:
    put(tmp_path / "in", {"one.dcm": as_bytes(planted(1)), "other.dcm": as_bytes(planted(2))})
    assert run(tmp_path / "in" / "one.dcm", *out).read == 1
    assert [row["Original Filename"] for row in rows(out[1], "mapping.csv")] == ["one.dcm"]


HOSTILE = (
    b"line\nbreak.dcm", b"return\rhere.dcm", b'quo"te,comma.dcm', b"=cmd.dcm", b"-@+.dcm", b" space .dcm",
    b"not-utf8-\xff\xfe.dcm", rb"not-utf8-\xff\xfe.dcm", rb"back\slash.dcm", "Jürgen 画像.dcm".encode(),
    b"\xef\xbb\xbfbom.dcm",
)  # fmt: skip


def name_of(text: str) -> bytes:
    r"""As the help of the command says: \xNN stands for a byte."""
    parts = text.encode().split(b"\\x")
    return parts[0] + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in parts[1:])


def test_any_file_name_reads_back_from_the_mapping(tmp_path: Path, out: tuple[Path, Path]) -> None:
    (tmp_path / "in").mkdir()
    for number, name in enumerate(HOSTILE, 1):
        Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/" + name)).write_bytes(as_bytes(planted(number)))
    assert run(tmp_path / "in", *out, workers=2).deidentified == len(HOSTILE)
    state = end_state(*out)
    assert {name_of(row["Original Filename"]) for row in rows(out[1], "mapping.csv")} == set(HOSTILE)
    run(tmp_path / "in", *out)
    assert end_state(*out) == state


def test_names_that_need_no_escape_stay_as_they_are() -> None:
    assert shown("Jürgen 画像.dcm".encode()) == "Jürgen 画像.dcm"
    assert shown(rb"back\slash.dcm") == r"back\slash.dcm"
    assert shown(b"\xff") != shown(rb"\xff")


def test_links_and_what_is_no_file_are_named_and_not_opened(tmp_path: Path, out: tuple[Path, Path]) -> None:
    source = put(tmp_path / "in", studies(1))
    outside = put(tmp_path / "outside", {"secret.dcm": as_bytes(planted(4, patient_id="OUTSIDE-1"))})
    (source / "link.dcm").symlink_to(outside / "secret.dcm")
    (source / "folder").symlink_to(outside)
    (source / "dangling").symlink_to("nowhere")
    os.mkfifo(source / "pipe.dcm")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(source / "socket.dcm"))
        result = run(source, *out)
    assert (result.read, result.deidentified, result.quarantined) == (1, 1, 0)
    link, other = "LINK_NOT_FOLLOWED", "NOT_A_FILE"
    assert reasons(out[1]) == {
        "link.dcm": link, "folder": link, "dangling": link, "pipe.dcm": other, "socket.dcm": other
    }  # fmt: skip
    assert not any(b"OUTSIDE-1" in content for content in end_state(*out).values())


def test_a_file_without_permission_is_quarantined(tmp_path: Path, out: tuple[Path, Path]) -> None:
    source = put(tmp_path / "in", studies(2) | {"closed/3.dcm": b""})
    (source / "study0/1.dcm").chmod(0)
    (source / "closed").chmod(0)
    if os.access(source / "closed", os.R_OK):
        pytest.skip("this user may read every file")
    assert run(source, *out).quarantined == 2
    assert reasons(out[1]) == {"study0/1.dcm": "NO_PERMISSION", "closed/": "NO_PERMISSION"}
    (source / "closed").chmod(0o700)


def test_identical_inputs_share_one_output(tmp_path: Path, out: tuple[Path, Path]) -> None:
    one = as_bytes(planted(1))
    run(put(tmp_path / "in", {"a.dcm": one, "b/a.dcm": one, "c.dcm": as_bytes(planted(2))}), *out)
    named = {row["Original Filename"]: row["Anonymized Filename"] for row in rows(out[1], "mapping.csv")}
    assert named["a.dcm"] == named["b/a.dcm"] != named["c.dcm"]
    assert set(outputs(out[0])) == set(named.values())


def test_different_inputs_with_one_uid_are_all_quarantined(tmp_path: Path, out: tuple[Path, Path]) -> None:
    other = planted(1)
    other.InstanceNumber = 99
    one, cut = as_bytes(planted(1)), as_bytes(planted(2))
    files = {"a.dcm": one, "b.dcm": as_bytes(other), "c.dcm": one, "d.dcm": cut, "e.dcm": cut[:-600]}
    assert run(put(tmp_path / "in", files), *out).deidentified == 0
    found = reasons(out[1])
    assert {found[name] for name in ("a.dcm", "b.dcm", "c.dcm", "d.dcm")} == {"DUPLICATE_SOP_INSTANCE"}
    assert found["e.dcm"] not in ("DUPLICATE_SOP_INSTANCE", "NOT_DICOM")
    assert outputs(out[0]) == {}


def test_a_study_with_two_patients_is_quarantined_whole(tmp_path: Path, out: tuple[Path, Path]) -> None:
    files = {f"{n}.dcm": as_bytes(planted(n, patient_id=i)) for n, i in enumerate(("A1", "A1", "a1"), 1)}
    files["other.dcm"] = as_bytes(planted(1, study=2))
    files["anonymous.dcm"] = as_bytes(planted(2, study=2, patient_id=""))
    assert run(put(tmp_path / "in", files), *out).deidentified == 2
    assert reasons(out[1]) == dict.fromkeys(("1.dcm", "2.dcm", "3.dcm"), "TWO_PATIENTS_IN_STUDY")


def test_running_again_changes_nothing_and_a_second_folder_is_added(tmp_path: Path, out: tuple[Path, Path]) -> None:
    files = studies(12)
    first = {name: files[name] for name in list(files)[:5]}
    run(put(tmp_path / "in1", first), *out)
    state = end_state(*out)
    run(tmp_path / "in1", *out, workers=2)
    assert end_state(*out) == state
    run(put(tmp_path / "in2", {name: files[name] for name in list(files)[5:]}), *out)
    together = tmp_path / "out2", tmp_path / "map2"
    run(put(tmp_path / "in", files), *together)
    assert end_state(*out) == end_state(*together)


def test_what_is_quarantined_now_is_withdrawn(tmp_path: Path, out: tuple[Path, Path]) -> None:
    source = put(tmp_path / "in", studies(6))
    run(source, *out)
    put(source, {"study1/0.dcm": (source / "study1/0.dcm").read_bytes()[:-600]})
    run(source, *out)
    assert reasons(out[1]) == {"study1/0.dcm": "PIXEL_DATA_TRUNCATED"}
    assert set(outputs(out[0])) == places(out[1])
    assert len({place.split("/")[0] for place in places(out[1])}) == len(list(out[0].iterdir())) == 1


def test_an_earlier_output_of_the_same_uid_and_other_content_is_withdrawn(
    tmp_path: Path, out: tuple[Path, Path]
) -> None:
    other = planted(1)
    other.KVP = "99"
    run(put(tmp_path / "in1", {"a.dcm": as_bytes(planted(1)), "b.dcm": as_bytes(planted(2))}), *out)
    run(put(tmp_path / "in2", {"c.dcm": as_bytes(other), "again.dcm": as_bytes(planted(2))}), *out)
    assert reasons(out[1]) == dict.fromkeys(("a.dcm", "c.dcm"), "DUPLICATE_SOP_INSTANCE")
    assert {row["Original Filename"] for row in rows(out[1], "mapping.csv")} == {"again.dcm", "b.dcm"}
    assert set(outputs(out[0])) == places(out[1])


def test_rows_that_another_key_made_are_not_mixed_with_this_ones(tmp_path: Path, out: tuple[Path, Path]) -> None:
    run(put(tmp_path / "in1", {"a.dcm": as_bytes(planted(1))}), *out)
    state = end_state(*out)
    put(tmp_path / "in2", {"b.dcm": as_bytes(planted(2))})
    with pytest.raises(DicomAssetsError, match="KEY_FILE_NOT_THE_SAME"):
        run(tmp_path / "in2", *out, key=PseudonymKey(bytes(32)))
    assert end_state(*out) == state


def test_a_mapping_that_was_edited_is_refused(tmp_path: Path, out: tuple[Path, Path]) -> None:
    run(put(tmp_path / "in", studies(1)), *out)
    table = out[1] / "mapping.csv"
    table.write_text(table.read_text().replace(next(iter(places(out[1]))), "../../elsewhere.dcm"))
    with pytest.raises(BadInput, match="MAPPING_UNREADABLE") as caught:
        run(tmp_path / "in", *out)
    assert caught.value.__notes__ == ["look at: mapping.csv"]


def changed(number: int, **values: str) -> bytes:
    """Another file with the SOPInstanceUID of planted(number)."""
    dataset = planted(number)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return as_bytes(dataset)


def test_files_of_one_name_from_two_folders_are_both_kept(tmp_path: Path, out: tuple[Path, Path]) -> None:
    first = put(tmp_path / "in1", {"IM1": as_bytes(planted(1, patient_id="A1"))})
    second = put(tmp_path / "in2", {"IM1": as_bytes(planted(2, patient_id="B2", study=2))})
    run(first, *out)
    run(second, *out)
    mapped = rows(out[1], "mapping.csv")
    assert {(row["Original Filename"], row["Original Patient ID"]) for row in mapped} == {("IM1", "A1"), ("IM1", "B2")}
    assert set(outputs(out[0])) == places(out[1])
    state = end_state(*out)
    run(first, *out)
    assert end_state(*out) == state


@pytest.mark.parametrize("content", [as_bytes(planted(9, study=9)), b"no image", b""])
def test_what_came_in_the_place_of_a_file_does_not_take_its_output_away(
    tmp_path: Path, out: tuple[Path, Path], content: bytes
) -> None:
    source = put(tmp_path / "in", {"IM1": as_bytes(planted(1))})
    run(source, *out)
    before = outputs(out[0])
    run(put(source, {"IM1": content}), *out)
    assert before.items() <= outputs(out[0]).items()
    assert set(outputs(out[0])) == places(out[1])


@pytest.mark.parametrize("settings", [{"uid_root": '"1.2.826.0.1.99"'}, {"groups": "{regenerate_uids = false}"}])
def test_another_profile_makes_all_anew_whichever_uids_it_makes(
    tmp_path: Path, out: tuple[Path, Path], settings: dict[str, str]
) -> None:
    source, own = put(tmp_path / "in", studies(6)), profile_file(tmp_path, **settings)
    for profile in ("basic", own, "basic"):
        run(source, *out, profile=profile)
        fresh = tmp_path / f"out {len(list(tmp_path.iterdir()))}", tmp_path / f"map {len(list(tmp_path.iterdir()))}"
        run(source, *fresh, profile=profile)
        assert end_state(*out) == end_state(*fresh)
    run(source, *out, key=PseudonymKey(bytes(32)))
    assert len(outputs(out[0])) == 6


def test_an_instance_that_is_out_does_not_go_out_under_another_uid(tmp_path: Path, out: tuple[Path, Path]) -> None:
    run(put(tmp_path / "in1", studies(1)), *out)
    state = end_state(*out)
    put(tmp_path / "in2", {"copy.dcm": studies(1)["study0/0.dcm"]})
    kept = profile_file(tmp_path, groups="{regenerate_uids = false}")
    for other in ({"key": PseudonymKey(bytes(32))}, {"profile": kept}):
        with pytest.raises(DicomAssetsError, match="KEY_FILE_NOT_THE_SAME"):
            run(tmp_path / "in2", *out, **other)
        assert end_state(*out) == state


@pytest.mark.parametrize("profile", ["basic", "own"])
def test_a_damaged_file_counts_beside_others_whatever_the_root_of_uids(
    tmp_path: Path, out: tuple[Path, Path], profile: str
) -> None:
    own = profile_file(tmp_path, uid_root='"1.2.826.0.1.99"')
    files = {
        "good.dcm": as_bytes(planted(1)),
        "cut.dcm": as_bytes(planted(1))[:-600],
        "whose.dcm": as_bytes(planted(2, study=2)),
        "other.dcm": as_bytes(planted(3, study=2, patient_id="B2"))[:-600],
    }
    run(put(tmp_path / "in", files), *out, profile=own if profile == "own" else profile)
    cut = "PIXEL_DATA_TRUNCATED"
    assert reasons(out[1]) == {
        "good.dcm": "DUPLICATE_SOP_INSTANCE", "cut.dcm": cut, "whose.dcm": "TWO_PATIENTS_IN_STUDY", "other.dcm": cut
    }  # fmt: skip


DISPUTES = {
    "DUPLICATE_SOP_INSTANCE": (as_bytes(planted(1)), changed(1, KVP="99")),
    "TWO_PATIENTS_IN_STUDY": (as_bytes(planted(1)), as_bytes(planted(2, patient_id="B2"))),
}


@pytest.mark.parametrize("reason", DISPUTES)
def test_files_that_dispute_each_other_stay_back_until_one_is_gone(
    tmp_path: Path, out: tuple[Path, Path], reason: str
) -> None:
    one, other = DISPUTES[reason]
    first, second = put(tmp_path / "in1", {"x1": one}), put(tmp_path / "in2", {"x2": other, "y": as_bytes(planted(7))})
    if reason == "TWO_PATIENTS_IN_STUDY":
        (second / "y").unlink()
    assert run(first, *out).deidentified == 1
    for source in (second, first, second, first, first):
        run(source, *out)
        assert reasons(out[1]) == {"x1": reason, "x2": reason}
        assert set(outputs(out[0])) == places(out[1])
        assert stat.S_IMODE((out[1] / "disputed.csv").stat().st_mode) == 0o600
    (second / "x2").unlink()
    run(second, *out)
    assert run(first, *out).deidentified == 1
    assert reasons(out[1]) == {"x2": reason}
    assert not (out[1] / "disputed.csv").exists()


def test_one_of_two_that_differ_is_taken_away_and_the_same_command_run_again(
    tmp_path: Path, out: tuple[Path, Path]
) -> None:
    source = put(tmp_path / "in", {"x1": as_bytes(planted(1)), "x2": changed(1, KVP="99")})
    assert run(source, *out).quarantined == 2
    (source / "x2").unlink()
    assert run(source, *out).deidentified == 1


def test_a_row_taken_out_of_the_quarantine_disputes_nothing(tmp_path: Path, out: tuple[Path, Path]) -> None:
    run(put(tmp_path / "in1", {"x1": as_bytes(planted(1))}), *out)
    run(put(tmp_path / "in2", {"x2": changed(1, KVP="99")}), *out)
    table = out[1] / "quarantine.csv"
    table.write_text("".join(line for line in table.read_text().splitlines(True) if not line.startswith("x2,")))
    assert run(tmp_path / "in1", *out).deidentified == 1


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_killed_while_the_tables_get_their_names_it_ends_as_undisturbed(
    tmp_path: Path, out: tuple[Path, Path], number: int
) -> None:
    run(put(tmp_path / "in1", {"x1": as_bytes(planted(1)), "y": as_bytes(planted(2))}), *out)
    undisturbed = tmp_path / "out2", tmp_path / "map2"
    shutil.copytree(out[0], undisturbed[0]), shutil.copytree(out[1], undisturbed[1])
    second = put(tmp_path / "in2", {"x2": changed(1, KVP="99")})
    run(second, *undisturbed)
    killed(kill_at_call(Path, "replace", number), second, *out)
    run(second, *out)
    assert end_state(*out) == end_state(*undisturbed)


def test_without_a_mapping_another_file_of_one_uid_is_quarantined_and_the_output_withdrawn(tmp_path: Path) -> None:
    out, first = tmp_path / "out", put(tmp_path / "in1", {"x1": as_bytes(planted(1)), "y": as_bytes(planted(2))})
    run(first, out, None)
    state = outputs(out)
    result = run(put(tmp_path / "in2", {"x2": changed(1, KVP="99")}), out, None)
    assert result.reasons == {"DUPLICATE_SOP_INSTANCE": 1}
    assert len(outputs(out)) == 1 and outputs(out).items() <= state.items()
    run(first, out, None)
    run(first, out, None)
    assert outputs(out) == state


def test_without_a_mapping_another_profile_replaces_its_outputs(tmp_path: Path) -> None:
    out, source = tmp_path / "out", put(tmp_path / "in", studies(3))
    run(source, out, None)
    assert run(source, out, None, profile="research").deidentified == 3
    run(source, tmp_path / "fresh", None, profile="research")
    assert outputs(out) == outputs(tmp_path / "fresh")


def test_only_the_uids_of_what_went_out_are_told(tmp_path: Path, out: tuple[Path, Path]) -> None:
    referring = planted(1, study=3)
    referring.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.276.0.99999.8.8"
    other = planted(1, study=3)
    files = {"x1": referring, "x2": other, "y": planted(2, study=3), "z": planted(1)}
    run(put(tmp_path / "in", {name: as_bytes(dataset) for name, dataset in files.items()}), *out)
    assert set(reasons(out[1])) == {"x1", "x2"}
    run(put(tmp_path / "only", {name: as_bytes(files[name]) for name in "yz"}), tmp_path / "o", tmp_path / "m")
    assert uid_pairs(out[1]) == uid_pairs(tmp_path / "m")


def test_a_link_in_the_place_of_a_folder_of_ours_is_refused(tmp_path: Path, out: tuple[Path, Path]) -> None:
    source, victim = put(tmp_path / "in", studies(1)), put(tmp_path / "victim", {"file": b"1", "sub/file": b"2"})
    for parent in out:
        parent.mkdir()
        (parent / ".unfinished").symlink_to(victim)
        with pytest.raises(DicomAssetsError, match="PLACE_TAKEN"):
            run(source, *out)
        (parent / ".unfinished").unlink()
    run(source, *out)
    place = next(iter(places(out[1])))
    for folder in Path(place).parents[:3]:
        shutil.move(out[0] / folder, tmp_path / "moved")
        (out[0] / folder).symlink_to(tmp_path / "moved")
        with pytest.raises(DicomAssetsError, match="PLACE_TAKEN"):
            run(source, *out)
        (source / "study0/0.dcm").write_bytes(studies(1)["study0/0.dcm"][:-600])
        with pytest.raises(DicomAssetsError, match="PLACE_TAKEN"):
            run(source, *out)
        put(source, studies(1))
        (out[0] / folder).unlink()
        shutil.move(tmp_path / "moved", out[0] / folder)
    assert outputs(victim) == {"file": b"1", "sub/file": b"2"}
    assert set(outputs(out[0])) == places(out[1])


@pytest.mark.parametrize("fails_at", [1, 2, 5])
def test_where_no_folder_can_be_made_nothing_changes(
    tmp_path: Path, out: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    source = put(tmp_path / "in", studies(1))
    run(source, *out)
    state = end_state(*out)
    put(source, studies(11))
    real, calls = os.mkdir, []

    def no_inodes(path: str, mode: int = 0o777, **more: object) -> None:
        if str(path).startswith(f"{out[0]}/P"):
            calls.append(path)
            if len(calls) > fails_at:
                raise OSError(errno.ENOSPC, "")
        real(path, mode, **more)

    monkeypatch.setattr(os, "mkdir", no_inodes)
    with pytest.raises(DicomAssetsError, match="DISK_FULL"):
        run(source, *out)
    assert end_state(*out) == state
    assert len(list(out[0].iterdir())) == 1


def test_a_path_that_is_not_utf8_is_a_path(tmp_path: Path) -> None:
    places = [Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)) for name in (b"in\xff", b"out\xff", b"map\xff")]
    assert run(put(places[0], studies(2)), *places[1:]).deidentified == 2
    assert run(*places).deidentified == 2
    assert len(rows(places[2], "mapping.csv")) == len(outputs(places[1])) == 2


def test_what_is_neither_file_nor_folder_is_no_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path / "pipe", Path("/dev/null"), tmp_path / "absent"):
        with pytest.raises(BadInput, match="INPUT_MISSING"):
            check_places(source, tmp_path / "out", None, tmp_path / "key")


@pytest.mark.parametrize(
    ("target", "mapping", "key"),
    [
        ("in", "map", "key"), ("in/out", "map", "key"), (".", "map", "key"), ("out", "out/map", "key"),
        ("out", "in/map", "key"), ("map/out", "map", "key"), ("out", "map", "out/key"), ("out", "map", "in/key"),
        ("link/out", "map", "key"),
    ],
)  # fmt: skip
def test_places_inside_one_another_are_refused(tmp_path: Path, target: str, mapping: str, key: str) -> None:
    source = put(tmp_path / "in", {"a.dcm": b""})
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(BadInput, match="FOLDERS_OVERLAP"):
        check_places(source, tmp_path / target, tmp_path / mapping, tmp_path / key)
    check_places(source, tmp_path / "out", tmp_path / "map", tmp_path / "map" / "key")


def killed(at: Callable[[], None], source: Path, target: Path, mapping: Path) -> None:
    """Run in a child that `at` prepares to kill itself."""
    pid = os.fork()
    if not pid:
        try:
            at()
            run(source, target, mapping, workers=2)
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL


def kill_at_call(owner: object, name: str, number: int) -> Callable[[], None]:
    """Replaces owner.name in the child: its call of that number kills the process."""
    real, calls = getattr(owner, name), Counter()

    def counted(*arguments: object, **more: object) -> object:
        calls[name] += 1
        if calls[name] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **more)

    return lambda: setattr(owner, name, counted)


@pytest.mark.parametrize(
    ("owner", "name", "number"),
    [
        (folder_module, "_commit", 1), (folder_module, "_sync", 1), (Path, "replace", 1), (Path, "replace", 3),
        (os, "rename", 1), (os, "rename", 2), (os, "rename", 7), (folder_module, "_sync", 2),
        (Places, "remove", 1), (shutil, "rmtree", 1),
    ],
)  # fmt: skip
def test_killed_anywhere_and_run_again_it_ends_as_undisturbed(
    tmp_path: Path, out: tuple[Path, Path], owner: object, name: str, number: int
) -> None:
    source = put(tmp_path / "in", studies(12))
    run(source, *out)  # an earlier run, so that there is something to withdraw
    cut = (source / "study0/0.dcm").read_bytes()[:-600]
    put(source, {"study0/0.dcm": cut, "study5/0.dcm": as_bytes(planted(1, patient_id="88", study=88))})
    undisturbed = tmp_path / "out2", tmp_path / "map2"
    shutil.copytree(out[0], undisturbed[0]), shutil.copytree(out[1], undisturbed[1])
    run(source, *undisturbed)
    killed(kill_at_call(owner, name, number), source, *out)
    visible = {place for place in outputs(out[0]) if not place.startswith(".unfinished")}
    assert visible <= places(out[1])
    run(source, *out)
    assert end_state(*out) == end_state(*undisturbed)


def test_killed_at_any_time_and_run_again_it_ends_as_undisturbed(tmp_path: Path, out: tuple[Path, Path]) -> None:
    source = put(tmp_path / "in", studies(60))
    undisturbed = tmp_path / "out2", tmp_path / "map2"
    started = time.monotonic()
    run(source, *undisturbed, workers=2)
    seconds = time.monotonic() - started
    for fraction in (0.1, 0.3, 0.5, 0.7, 0.85, 0.95):
        pid = os.fork()
        if not pid:
            run(source, *out, workers=2)
            os._exit(0)
        time.sleep(seconds * fraction)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        visible = {place for place in outputs(out[0]) if not place.startswith(".unfinished")}
        assert not visible or visible <= places(out[1])
    run(source, *out)
    assert end_state(*out) == end_state(*undisturbed)


def test_a_full_disk_stops_the_run_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    put(tmp_path / "in", studies(4))
    run_command = subprocess.run(
        [*COMMAND, "in", "out", "--mapping", "map", "--key-file", "key", "--workers", "2"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert (run_command.returncode, run_command.stderr.splitlines()[-1].split(":")[0]) == (1, "DISK_FULL")
    assert outputs(tmp_path / "out") == outputs(tmp_path / "map") == {}


def test_a_second_run_in_the_same_place_waits_and_is_refused(
    tmp_path: Path, out: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_folder, "_LOCK_SECONDS", 0.2)
    source = put(tmp_path / "in", studies(1))
    with working_folder.working_folder(out[0], 0o750), pytest.raises(DicomAssetsError, match="FOLDER_BUSY"):
        run(source, *out)
    run(source, *out)


def test_the_command_says_the_sums_and_its_exit_code(tmp_path: Path) -> None:
    put(tmp_path / "in", studies(3) | {"notes.txt": b"no image"})

    def command(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, cwd=tmp_path)

    done = command("in", "out", "--key-file", "key", "--json")
    made_a_key, told = done.stderr.splitlines()
    assert made_a_key.startswith("A new pseudonym key lies in key. ")
    assert (done.returncode, told.split(":")[:2]) == (0, ["1 file", " NOT_DICOM"])
    said = json.loads(done.stdout)
    assert list(said) == [
        "read", "deidentified", "quarantined", "not_dicom", "bytes", "seconds", "profile", "profile_digest"
    ]  # fmt: skip
    assert (said["read"], said["deidentified"], said["not_dicom"], said["profile"]) == (4, 3, 1, "basic")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    closed = subprocess.run(
        [*COMMAND, "in", "out2", "--key-file", "key", "--json"],
        preexec_fn=lambda: os.close(2), stdout=subprocess.PIPE, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert (closed.returncode, json.loads(closed.stdout)["read"]) == (0, 4)
    (tmp_path / "in" / "empty").touch()
    assert command("in", "out", "--key-file", "key").returncode == 3
    for wrong in (
        ("in", "in/out"),
        ("absent", "out"),
        ("in", "out", "--workers", "0"),
        ("in", "out", "--profile", "none"),
        ("in",),
    ):
        assert command(*wrong).returncode == 2
