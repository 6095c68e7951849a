"""`dicom-assets profile` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.profile_file import SHIPPED
from dicom_assets.deid.tables import rows_of

OWN = """
base = "basic"
[overrides]
StudyDescription = "K"
"""


def profile(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "dicom_assets.cli", "profile", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def as_json(*arguments: str) -> dict:
    done = profile(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def own_profile(content: str = OWN) -> str:
    Path("own.toml").write_text(content)
    return "own.toml"


def test_show_has_a_line_for_every_row_of_the_table() -> None:
    done = profile("show", "basic")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"basic  {load_profile('basic').digest}"
    for row in rows_of("table_e_1_1.csv"):
        if row["tag"] != "PRIVATE":
            place = f"({row['tag'][:4]},{row['tag'][4:]})"
            shown = [line.split() for line in lines if line.startswith(place)]
            assert any(row["basic_prof"] in cells for cells in shown), place


@pytest.mark.parametrize("name", SHIPPED)
def test_show_as_json_gives_for_every_rule_the_action_and_why(name: str) -> None:
    shown = as_json("show", name)
    assert (shown["name"], shown["digest"]) == (name, load_profile(name).digest)
    assert all(rule["action"] and rule["why"] for rule in (*shown["rules"], *shown["classes"]))


def test_show_of_an_own_profile_says_what_the_override_did() -> None:
    rules = {rule["name"]: rule for rule in as_json("show", own_profile())["rules"]}
    assert rules["StudyDescription"] == {
        "tag": "(0008,1030)", "name": "StudyDescription", "action": "K", "why": "override"
    }  # fmt: skip


def test_show_says_what_becomes_of_images_devices_and_faces() -> None:
    Path("rules.toml").write_text(
        '[[device]]\nname = "Ours"\nsource = "seen"\nmatch = { Manufacturer = "Quarzwerk" }\nwhole = true\n'
    )
    content = 'device_rules = "rules.toml"\nfaces = "release"\n[images]\nphotographs = "clean"\n'
    basic, own = as_json("show", "basic"), as_json("show", own_profile(content))
    assert (own["settings"]["photographs"], own["settings"]["own device rules"]) == ("clean", "1")
    for kind, sign, name, actions in (
        ("pixels", "visible light", "VL Photographic", ("X", "C")),
        ("pixels", "ultrasound", "Ultrasound", ("C", "C")),
        ("pixels", "measured", "CT", ("K", "K")),
        ("devices", "device", "Aloka SSD-4000", ("C", "C")),
    ):
        found = [next(r for r in one[kind] if (r["tag"], r["name"]) == (sign, name)) for one in (basic, own)]
        assert tuple(rule["action"] for rule in found) == actions, name
    assert [rule["name"] for rule in own["devices"]][len(basic["devices"]) :] == ["Ours"]
    assert (basic["faces"][0]["action"], own["faces"][0]["action"]) == ("X", "K")


def test_diff_names_what_differs_and_nothing_else() -> None:
    own = own_profile()
    found = as_json("diff", "basic", own)
    assert found["profiles"] == ["basic", own]
    (only,) = found["differences"]
    assert (only["name"], only["actions"]) == ("StudyDescription", ["X", "K"])
    assert "StudyDescription" in profile("diff", "basic", own).stdout
    assert profile("diff", "basic", "basic").stdout == "no difference\n"


def test_list_names_every_shipped_profile_with_its_digest() -> None:
    listed = as_json("list")["profiles"]
    assert [(one["name"], one["digest"]) for one in listed] == [(name, load_profile(name).digest) for name in SHIPPED]
    assert [line.split()[0] for line in profile("list").stdout.splitlines()] == list(SHIPPED)


def test_an_unknown_profile_is_wrong_usage() -> None:
    for arguments in (("show", "Quillfeather"), ("diff", "basic", "Quillfeather")):
        done = profile(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("PROFILE_UNKNOWN: ")
        assert "Quillfeather" not in done.stderr


@pytest.mark.parametrize(
    ("content", "code", "note"),
    [
        ("options = [", "PROFILE_UNREADABLE", ""),
        ('[overrides]\nPatientID = "Q"', "PROFILE_UNUSABLE", "look at: overrides.PatientID"),
        ('dates = "Quillfeather"', "PROFILE_UNUSABLE", "look at: dates"),
        ("Quillfeather = 1", "PROFILE_UNUSABLE", "look at: the names of the keys"),
        ('faces = "Quillfeather"', "PROFILE_UNUSABLE", "look at: faces"),
        ('[images]\nvideos = "clean"', "PROFILE_UNUSABLE", "look at: images"),
        ('device_rules = "Quillfeather.toml"', "DEVICE_RULES_UNREADABLE", ""),
        ('device_rules = "own.toml"', "DEVICE_RULES_UNUSABLE", "look at: the names of the keys"),
    ],
)
def test_a_profile_file_that_cannot_be_used_says_where_to_look(content: str, code: str, note: str) -> None:
    done = profile("show", own_profile(content))
    assert (done.returncode, done.stdout) == (1, "")
    sentence, *notes = done.stderr.splitlines()
    assert sentence.startswith(f"{code}: ")
    assert notes == ([note] if note else [])
    assert "Quillfeather" not in done.stderr


@pytest.mark.parametrize("arguments", [(), ("show",), ("diff", "basic"), ("explain", "basic")])
def test_what_is_no_command_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    done = profile(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: dicom-assets profile" in done.stderr


def test_help_says_what_each_command_does() -> None:
    said = profile("--help").stdout
    assert all(name in said for name in ("show", "diff", "list", "tag, name, action, why"))
