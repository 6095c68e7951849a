"""The child that decodes: whatever happens to it is one image's matter, and it outlives nobody."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from dicom_assets.errors import BadInput, Refused
from dicom_assets.pixels import cleaner as module
from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.cleaned import Cleaned, Plan
from dicom_assets.pixels.cleaner import Cleaner

codecs = pytest.importorskip("imagecodecs")

NAME = "DOE JANE 0012345"
SIGN = "secondary capture"


@pytest.fixture(scope="module")
def cleaner() -> Iterator[Cleaner]:
    with Cleaner() as running:
        yield running


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    return a_capture(tmp_path / "staged.dcm")


def a_capture(path: Path, text: str = NAME) -> Path:
    """400 x 300, dark, with text on it that its header says too."""
    picture = Image.new("L", (400, 300), 20)
    ImageDraw.Draw(picture).text((40, 30), text, fill=235, font=ImageFont.load_default(24))
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "0012345"
    dataset.Rows, dataset.Columns, dataset.PixelRepresentation = 300, 400, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue", "RescaleSlope"):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.PixelData = np.asarray(picture).tobytes()
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path)
    return path


def children_of(pid: int) -> set[int]:
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_text_is_blanked_and_proved_gone(cleaner: Cleaner, staged: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.dcm"
    cleaned = cleaner.clean(staged, staged, target, Plan(SIGN))
    assert Cleaned.of(cleaned.text) == cleaned
    assert (cleaned.sign, cleaned.how, cleaned.frames, cleaned.syntax) == (SIGN, "native", 1, "")
    assert cleaned.texts >= 1 and cleaned.own_values >= 1
    assert {box.source for box in cleaned.blanked} == {"detected"}
    assert cleaner.prove(staged, target, cleaned, Plan(SIGN)) == []
    before, after = (pydicom.dcmread(path).pixel_array for path in (staged, target))
    assert (before > 100).any() and not (after > 100).any()
    assert not any(part in cleaned.text.upper() for part in ("DOE", "JANE", "0012345"))


def test_what_is_not_blanked_is_no_proof(cleaner: Cleaner, staged: Path) -> None:
    nothing = Cleaned(SIGN, "header only", (), 1)
    assert "TEXT_LEFT_IN_PIXELS" in cleaner.prove(staged, staged, nothing, Plan(SIGN))


def test_a_reviewers_rectangles_are_all_that_is_blanked(cleaner: Cleaner, staged: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.dcm"
    plan = Plan.of_reviewer(SIGN, ["200,100,300,200"], False)
    cleaned = cleaner.clean(staged, staged, target, plan)
    assert cleaned.blanked == (Box(200, 100, 300, 200, source="reviewer"),)
    before, after = (pydicom.dcmread(path).pixel_array for path in (staged, target))
    differing = np.argwhere(before != after)
    assert np.array_equal(before[:100], after[:100]) and len(np.unique(after[100:200, 200:300])) == 1
    assert not len(differing) or (differing.min(0) >= (100, 200)).all()
    assert cleaner.prove(staged, target, cleaned, plan) == []
    more = replace(plan, boxes=(*plan.boxes, Box(0, 100, 201, 200)))
    assert cleaner.prove(staged, target, cleaned, more) == ["TEXT_NOT_BLANKED"]
    assert "TEXT_LEFT_IN_PIXELS" in cleaner.prove(staged, target, cleaned, Plan(SIGN))


def test_what_hides_in_bits_that_the_pixels_do_not_use_goes_or_the_image_is_kept_back(
    cleaner: Cleaner, staged: Path, tmp_path: Path
) -> None:
    dataset = pydicom.dcmread(staged)
    pixels = dataset.pixel_array
    dataset.BitsAllocated = 16
    dataset.PixelData = (pixels // 8 | pixels.astype("<u2") << 8).tobytes()
    dataset["PixelData"].VR = "OW"
    hiding, target, plan = tmp_path / "hiding.dcm", tmp_path / "target.dcm", Plan.of_reviewer(SIGN, [], False)
    dataset.save_as(hiding)
    cleaned = cleaner.clean(hiding, hiding, target, plan)
    assert pydicom.dcmread(target).PixelData == (pixels // 8).astype("<u2").tobytes()
    assert cleaner.prove(hiding, target, cleaned, plan) == []
    assert "OVERLAY_IN_PIXEL_DATA" in cleaner.prove(hiding, hiding, cleaned, plan)
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.PixelData = encapsulate([bytes(codecs.jpegls_encode(pixels // 8 | pixels.astype("u2") << 8))])
    dataset.save_as(hiding)
    with pytest.raises(BadInput, match="OVERLAY_IN_PIXEL_DATA"):
        cleaner.clean(hiding, hiding, target, plan)


def test_a_whole_image_is_blanked(cleaner: Cleaner, staged: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.dcm"
    cleaned = cleaner.clean(staged, staged, target, Plan(SIGN, whole=True))
    assert [box.source for box in cleaned.blanked] == ["whole"]
    assert len(np.unique(pydicom.dcmread(target).pixel_array)) == 1
    assert cleaner.prove(staged, target, cleaned, Plan(SIGN)) == []


def test_a_frame_is_drawn_with_its_boxes(cleaner: Cleaner, staged: Path) -> None:
    picture = Image.open(BytesIO(cleaner.look(staged, 0, [Box(200, 100, 300, 200)])))
    assert (picture.format, picture.size) == ("PNG", (400, 300))
    is_coloured = np.ptp(np.asarray(picture.convert("RGB")).astype(int), axis=2) > 100
    assert is_coloured[90:100, 200:300].any(0).all() and is_coloured[200:210, 200:300].any(0).all()
    assert not is_coloured[100:200, 200:300].any() and not is_coloured[:70].any() and not is_coloured[210:].any()


def test_a_frame_that_is_not_there(cleaner: Cleaner, staged: Path) -> None:
    with pytest.raises(BadInput, match="FRAME_NOT_THERE"):
        cleaner.look(staged, 1, [])


def test_time_out_is_a_reason_and_leaves_nothing(staged: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.dcm"
    target.touch()
    with Cleaner(most_seconds=0.01) as hurried:
        with pytest.raises(BadInput, match="PIXEL_CLEANING_TOOK_TOO_LONG"):
            hurried.clean(staged, staged, target, Plan(SIGN))
        assert not target.exists()
        assert not children_of(os.getpid()) & {hurried._child.pid if hurried._child else 0}


def test_a_child_that_may_have_no_memory_is_a_reason(staged: Path, tmp_path: Path) -> None:
    with Cleaner(memory=120 << 20) as short, pytest.raises(BadInput) as raised:
        short.clean(staged, staged, tmp_path / "target.dcm", Plan(SIGN))
    assert raised.value.code in ("PIXEL_DECODER_CRASHED", "PIXELS_TOO_LARGE", "PIXEL_CLEANING_FAILED")


def test_limits_that_the_machine_sets_are_kept(staged: Path) -> None:
    program = f"""
from pathlib import Path
from dicom_assets.pixels.cleaner import cleaner
cleaner().look(Path({str(staged)!r}), 0, [])
print(Path(f"/proc/{{cleaner()._child.pid}}/limits").read_text())
"""
    limited = ["sh", "-c", 'ulimit -v 3000000 && ulimit -t 1000 && exec "$@"', "sh", sys.executable, "-c", program]
    done = subprocess.run(limited, capture_output=True, text=True, check=True, timeout=120)
    (memory,) = (line.split()[3:5] for line in done.stdout.splitlines() if line.startswith("Max address space"))
    assert memory == [str(3_000_000 << 10)] * 2


def test_after_a_crash_there_is_a_new_child(staged: Path, tmp_path: Path) -> None:
    before = children_of(os.getpid())
    with Cleaner() as cleaner:
        cleaner.look(staged, 0, [])
        (first,) = children_of(os.getpid()) - before
        os.kill(first, signal.SIGKILL)
        while is_running(first):
            time.sleep(0.01)
        assert cleaner.look(staged, 0, [])
        (second,) = children_of(os.getpid()) - before
        assert second != first
    assert not is_running(second)


def test_a_child_that_ends_as_it_is_asked_costs_no_image(staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send, killed = Cleaner._send, []

    def kill_then_send(cleaner: Cleaner, line: bytes) -> None:
        if cleaner._child is not None and not killed:
            killed.append(cleaner._child.pid)
            cleaner._child.send_signal(signal.SIGKILL)
            monkeypatch.setattr(cleaner._child, "poll", lambda: None)  # some of its threads are still there
        send(cleaner, line)

    monkeypatch.setattr(Cleaner, "_send", kill_then_send)
    with Cleaner() as cleaner:
        assert cleaner.look(staged, 0, [])
        assert cleaner.look(staged, 0, [])
        assert killed
        assert cleaner._child.pid not in killed


def test_the_child_ends_with_a_parent_that_is_killed(staged: Path) -> None:
    program = f"""
import time
from pathlib import Path
from dicom_assets.pixels.cleaner import cleaner
cleaner().look(Path({str(staged)!r}), 0, [])
print("ready", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout.readline() == b"ready\n"
            (child,) = children_of(parent.pid)
        finally:
            parent.kill()
    deadline = time.monotonic() + 60
    while is_running(child):
        assert time.monotonic() < deadline, "it was left behind"
        time.sleep(0.02)


def test_the_child_knows_nothing_of_the_environment(staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOM_PSEUDONYM_KEY", "a secret")
    before = children_of(os.getpid())
    with Cleaner() as cleaner:
        cleaner.look(staged, 0, [])
        (child,) = children_of(os.getpid()) - before
        environment = Path(f"/proc/{child}/environ").read_bytes()
    assert b"a secret" not in environment and b"HOME" not in environment


def test_what_is_wrong_with_an_image_is_told_by_code_alone(
    cleaner: Cleaner, staged: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    dataset = pydicom.dcmread(staged)
    dataset.PixelData = dataset.PixelData[:-400]
    dataset.save_as(tmp_path / "short.dcm")
    with caplog.at_level(logging.DEBUG), pytest.raises(BadInput) as raised:
        cleaner.clean(staged, tmp_path / "short.dcm", tmp_path / "target.dcm", Plan(SIGN))
    said = caplog.text + "".join(capfd.readouterr()) + str(raised.value)
    assert raised.value.code != "PIXEL_CLEANING_FAILED"
    assert not any(part in said.upper() for part in ("DOE", "JANE", "0012345"))


def test_without_the_extra_the_reason_names_it(staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EXTRA", ("no_such_module",))
    monkeypatch.setattr(module, "extra_is_installed", module.extra_is_installed.__wrapped__)
    with Cleaner() as cleaner, pytest.raises(Refused, match="PIXELS_EXTRA_MISSING"):
        cleaner.look(staged, 0, [])
