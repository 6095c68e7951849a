"""What text in pixels costs: triage, which every instance pays, and finding and blanking, which only risky ones do,
beside copying the same files."""

import random
import shutil
import statistics
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from benchmarks.pixels import grounds
from benchmarks.pixels.layouts import stored
from benchmarks.pixels.planting import plant, wish
from benchmarks.report import table
from dicom_assets.deid.profile import Profile, load_profile
from dicom_assets.pixels.cleaned import Plan
from dicom_assets.pixels.cleaner import Cleaner
from dicom_assets.pixels.triage import judge

_JUDGED, _A_SERIES = 20_000, 100  #: instances


def measure(options: Namespace, scratch: Path) -> dict:
    """Print two tables; medians over the rounds. -> what -> seconds of each round"""
    rounds = 1 if options.quick else options.rounds or 3
    triage = {name: [_triaged(values, at) for at in range(rounds)] for name, values in _HEADERS.items()}
    print("\n# Text in pixels\n")
    lines = [[name, f"{1e6 * statistics.median(seconds):.1f}"] for name, seconds in triage.items()]
    print(table(("triage of", "microseconds an instance"), lines))
    cleaned, rows = {}, []
    with Cleaner() as cleaner:
        for name, make in _IMAGES.items():
            path = scratch / f"{name}.dcm"
            frames = make(path, 6 if options.quick else 60)
            took = [_cleaned(cleaner, path, scratch / "cleaned.dcm") for _ in range(rounds + 1)][1:]
            copied = statistics.median([_copied(path, scratch / "copy.dcm") for _ in range(rounds)])
            middle = statistics.median(took)
            cleaned[name] = took
            rows.append([name, f"{middle:.2f}", f"{frames / middle:.2f}", f"{copied:.4f}", f"{middle / copied:,.0f}"])
    print()
    columns = ("one process, its detector loaded", "seconds an image", "frames/s", "cp, seconds", "times cp")
    print(table(columns, rows), flush=True)
    return {"triage": triage, "cleaned": cleaned}


def _triaged(header: dict, round_: int) -> float:
    """Seconds an instance, in series of a hundred that nobody has seen yet."""
    profile: Profile = load_profile("research")
    series = [f"series {round_}-{number}" for number in range(_JUDGED // _A_SERIES)]
    told = [header | {"values": header["values"] | {"SeriesDescription": name}} for name in series]
    images = [SimpleNamespace(has_pixels=True, transfer_syntax_uid=ExplicitVRLittleEndian, **one) for one in told]
    start = time.perf_counter()
    for image in images:
        for _ in range(_A_SERIES):
            judge(image, profile)
    return (time.perf_counter() - start) / _JUDGED


def _cleaned(cleaner: Cleaner, path: Path, target: Path) -> float:
    start = time.perf_counter()
    cleaner.clean(path, path, target, Plan("measured"))
    return time.perf_counter() - start


def _copied(path: Path, target: Path) -> float:
    start = time.perf_counter()
    shutil.copyfile(path, target)
    return time.perf_counter() - start


def _screen(path: Path, _frames: int) -> int:
    picture = grounds.screen(np.random.default_rng(1), 512)
    return _write(path, SecondaryCaptureImageStorage, "OT", _grey(picture), "RGB")


def _loop(path: Path, frames: int) -> int:
    beats = [grounds.ultrasound_sector(3, 480, 640, at / frames) for at in range(frames)]
    shown = np.repeat(np.stack(beats).astype(np.float32)[..., None] / 255, 3, axis=3)
    return _write(path, UltrasoundMultiFrameImageStorage, "US", shown, "8 bit")


def _radiograph(path: Path, _frames: int) -> int:
    picture = grounds.chest(np.random.default_rng(1), 2000)
    return _write(path, ComputedRadiographyImageStorage, "CR", _grey(picture), "12 bit")


def _grey(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture[None, :, :, None], 3, axis=3)


def _write(path: Path, sop_class: str, modality: str, shown: np.ndarray, layout: str) -> int:
    """With a name and a date in its corners. -> its frames"""
    rng = random.Random(1)
    plant(shown[0], [wish(rng, (1, 1, 1), kind=kind, script="Latin", size=16) for kind in ("name", "date")], rng)
    shown[1:] = np.maximum(shown[1:], np.where(shown[:1] > 0.99, shown[:1], 0))
    values, header = stored(shown, layout, rng)
    data_set = Dataset()
    data_set.update(header)
    data_set.SOPClassUID, data_set.SOPInstanceUID, data_set.Modality = sop_class, generate_uid(), modality
    data_set.PatientName, data_set.PatientID = "Holloway^Marian", "MRN20341187"
    data_set.add_new(0x7FE00010, "OB" if values.dtype == np.uint8 else "OW", values.tobytes())
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.save_as(path, enforce_file_format=True)
    return len(values)


_HEADERS = {
    "a CT slice": {
        "sop_class_uid": CTImageStorage,
        "modality": "CT",
        "values": {"ImageType": "ORIGINAL\\PRIMARY\\AXIAL", "BodyPartExamined": "CHEST", "SliceThickness": "1"},
    },
    "a captured screen": {
        "sop_class_uid": SecondaryCaptureImageStorage,
        "modality": "OT",
        "values": {"ImageType": "DERIVED\\SECONDARY", "ConversionType": "WSD"},
    },
}
_IMAGES: dict[str, Callable[[Path, int], int]] = {
    "captured screen, 512 x 512, RGB": _screen,
    "ultrasound loop, 640 x 480": _loop,
    "radiograph, 2000 x 2000, 12 bit": _radiograph,
}
