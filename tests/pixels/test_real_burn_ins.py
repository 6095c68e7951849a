"""Real images with real text in their pixels, as pydicom and pydicom-data ship them: none of it is to be read in what
the command line writes, or the image is kept back. Where the text is was read off the images by eye."""

import csv
import shutil
import subprocess
import sys

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_color_lut, convert_color_space, pixel_array

pytest.importorskip("onnxruntime")
pytest.importorskip("data_store")

#: File -> what is written there, and left, top, right, bottom of it
TEXTS = {
    "US1_J2KR.dcm": {"a hospital": (18, 26, 170, 40), "an exam": (18, 42, 82, 56), "a number": (520, 88, 620, 104)},
    "gdcm-US-ALOKA-16.dcm": {"a hospital": (78, 2, 250, 24), "a date": (550, 2, 640, 24)},
    "OBXXXX1A.dcm": {"an exam": (94, 36, 266, 52), "a date": (668, 9, 776, 24), "a time": (668, 36, 784, 52)},
    # BurnedInAnnotation is NO
    "JPGLosslessP14SV1_1s_1f_8b.dcm": {"an examination": (15, 22, 142, 48), "a measurement": (106, 62, 330, 86)},
}
_DONE = (0, 3)  #: 3: something was kept back
_GONE = 0.1  #: of the contrast that the text had


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """File -> what became of it; such as were kept back are not there."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "in").mkdir()
    for name in TEXTS:
        shutil.copy(get_testdata_file(name, download=False), folder / "in" / name)
    command = (sys.executable, "-m", "dicom_assets.cli", "deidentify", folder / "in", folder / "out", "--profile")
    options = ("research", "--mapping", folder / "mapping", "--key-file", folder / "key")
    run = subprocess.run([*command, *options], capture_output=True, text=True, timeout=900)
    assert run.returncode in _DONE, run.stderr
    with (folder / "mapping" / "uids.csv").open(newline="") as file:
        new_of = {row["id_old"]: row["id_new"] for row in csv.DictReader(file)}
    outputs = {data_set.SOPInstanceUID: data_set for data_set in map(dcmread, (folder / "out").rglob("*.dcm"))}
    uids = {name: dcmread(folder / "in" / name, stop_before_pixels=True).SOPInstanceUID for name in TEXTS}
    return {name: outputs[new_of[uid]] for name, uid in uids.items() if new_of.get(uid) in outputs}


@pytest.mark.parametrize("name", TEXTS)
def test_text_of_a_real_image_is_gone_or_the_image_is_kept_back(name: str, written: dict[str, Dataset]) -> None:
    if name not in written:
        return
    before, after = (_seen(one) for one in (dcmread(get_testdata_file(name, download=False)), written[name]))
    assert after.shape == before.shape
    for what, (left, top, right, bottom) in TEXTS[name].items():
        was, now = (picture[top:bottom, left:right] for picture in (before, after))
        letters = was > (was.max() + np.median(was)) / 2
        assert 0.03 < letters.mean() < 0.6, f"{name}: {what} is elsewhere"
        contrast = was[letters].mean() - was[~letters].mean()
        assert abs(now[letters].mean() - now[~letters].mean()) < _GONE * contrast, f"{name} shows {what}"


def test_most_real_images_are_cleaned_and_none_of_them_is_blanked_as_a_whole(written: dict[str, Dataset]) -> None:
    assert len(written) >= len(TEXTS) - 1
    for name, data_set in written.items():
        assert _seen(data_set).std() > 5, name
        assert data_set.BurnedInAnnotation == "NO", name


def _seen(data_set: Dataset) -> np.ndarray:
    """Lightness as shown: float (rows, columns), 0 to 255."""
    picture = pixel_array(data_set)
    if data_set.PhotometricInterpretation == "PALETTE COLOR":
        shown = apply_color_lut(picture, data_set)
        picture = shown / (257 if shown.dtype == np.uint16 else 1)
    elif data_set.PhotometricInterpretation.startswith("YBR_FULL"):
        picture = convert_color_space(picture, data_set.PhotometricInterpretation, "RGB")
    return picture @ np.array([0.299, 0.587, 0.114]) if picture.ndim == 3 else picture.astype(float)
