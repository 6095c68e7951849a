"""The instances and their answer key: the same for the same seed and number.

plain/         images without text in them      burned-in/     radiographs and ultrasound with a name in their pixels
"""

import datetime
import random
from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from benchmarks.proof import header, images, people, pixels, reports
from benchmarks.proof.header import Series
from benchmarks.proof.key import Action, AnswerKey, Instance
from benchmarks.proof.phrases import Writer
from benchmarks.proof.sheet import Notes, Sheet

SEED = 20241006
INSTANCES = 400
PLAIN, BURNED_IN = "plain", "burned-in"

_MODALITIES = "CT MR CT PT CR SR DX MG US MR SR CT US".split()
_PRIVATE_CREATOR = "1.2.826.0.1.3680043.10.999.9"
_SIZE = 64  # rows and columns
_PATIENTS_SHARE = 16  # instances a patient, about
_BURNED_IN_SHARE = 10  # one of so many is made once more, with a name in its pixels
_REACH = 24  # pixels around the text that a tool may change: boxes have margins, and JPEG is blanked by blocks


def generate(folder: Path, seed: int = SEED, instances: int = INSTANCES) -> AnswerKey:
    """Write the instances below folder; -> their key, which is written nowhere."""
    key = AnswerKey()
    for number, (series, at, is_enhanced) in enumerate(_plan(seed, instances)):
        notes, data_set = _filled(series, at, is_enhanced=is_enhanced)
        name = f"{series.modality}{number:04}-{series.who.patient_id}.dcm"
        path = folder / PLAIN / series.who.patient_id / f"study{series.study}" / name
        _write(data_set, series, path)
        _note(key, notes, data_set, series, path.relative_to(folder).as_posix())
        if number % _BURNED_IN_SHARE == 0:
            _burned_in(key, seed, number // _BURNED_IN_SHARE, folder)
    return key


def _plan(seed: int, instances: int) -> Iterator[tuple[Series, int, bool]]:
    """Patients by turns, each with a few studies, each with a few series of a few instances; -> series, number in it,
    whether it is of the modality's enhanced class."""
    patients = max(len(_MODALITIES), instances // _PATIENTS_SHARE)
    left = instances
    for study in range(instances):
        rng = random.Random(f"{seed} study {study}")
        who = people.patient(seed, study % patients)
        first = datetime.date(2011, 1, 7) + datetime.timedelta(random.Random(who.patient_id).randrange(3000))
        day = first + datetime.timedelta(
            sum(random.Random(f"{who.patient_id} {n}").randrange(20, 400) for n in range(study // patients))
        )
        modality = _MODALITIES[study % len(_MODALITIES)]
        where, accession = people.site(seed, rng.randrange(8)), f"{rng.choice('AEX')}{rng.randrange(10**7, 10**8)}"
        words = Writer(random.Random(f"{seed} words {study}"), who, where, day, accession)
        for number in range(1, 2 + (modality != "SR")):
            series = Series(seed, who, where, modality, day, study, number, words, accession, _SIZE)
            is_enhanced = modality in ("MR", "PT") and rng.random() < 0.3
            for at in range(1, 2 if is_enhanced or modality == "SR" else rng.randint(2, 5)):
                if left == 0:
                    return
                left -= 1
                yield series, at, is_enhanced


def _filled(series: Series, number: int, *, is_enhanced: bool = False) -> tuple[Notes, Dataset]:
    data_set = Dataset()
    notes = Notes(series.instance_uid(number), series.who.patient_id)
    sheet = Sheet(notes, data_set)
    if series.modality == "SR":
        header.fill(sheet, series, reports.SOP_CLASS, number)
        reports.fill(sheet, series, number)
    else:
        sop_class = images.SOP_CLASSES[f"{series.modality} enhanced" if is_enhanced else series.modality]
        header.fill(sheet, series, sop_class, number)
        images.fill(sheet, series, number, is_enhanced=is_enhanced)
    return notes, data_set


def _syntax(data_set: Dataset, series: Series) -> str:
    rng = series.series_rng
    if data_set.get("PhotometricInterpretation") == "PALETTE COLOR":
        return rng.choice(pixels.NATIVE)
    if data_set.get("BitsAllocated") == 8 and rng.random() < 0.4:
        return JPEGBaseline8Bit
    if "PixelData" in data_set and rng.random() < 0.25:
        return rng.choice(pixels.COMPRESSED)
    return rng.choice(pixels.NATIVE)


def _write(data_set: Dataset, series: Series, path: Path, transfer_syntax: str | None = None) -> None:
    """Also into the preamble and the file meta information, which name the station that wrote it."""
    data_set.file_meta = meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data_set.SOPClassUID, data_set.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.SourceApplicationEntityTitle = meta.SendingApplicationEntityTitle = series.where.station
    meta.PrivateInformationCreatorUID = _PRIVATE_CREATOR
    meta.PrivateInformation = series.who.patient_id.encode().ljust(16, b"\0")
    data_set.preamble = b"II*\0" + series.where.station.encode().ljust(124, b"\0")
    pixels.encode(data_set, transfer_syntax or _syntax(data_set, series))
    path.parent.mkdir(parents=True, exist_ok=True)
    data_set.save_as(path, enforce_file_format=True)


def _note(key: AnswerKey, notes: Notes, data_set: Dataset, series: Series, file: str) -> None:
    fingerprint = pixels.fingerprint(data_set)
    station, patient = series.where.station, series.who.patient_id
    for path, value, category in [
        ("(0002,0016)", station, "HIPAA-M"),
        ("(0002,0017)", station, "HIPAA-M"),
        ("(0002,0102)", patient, "HIPAA-H"),
    ]:
        notes.add(Action.TEXT_REMOVED, path, value, value, category)
        notes.plant(value)
    if "PixelData" in data_set:
        notes.add(Action.PIXELS_RETAINED, "(7FE0,0010)", fingerprint, pixels.meaning_of(data_set), "TCIA-P15-PIX-K")
    syntax = str(data_set.file_meta.TransferSyntaxUID)
    ids = series.who.patient_id, series.study_uid, series.series_uid
    key.instances.append(Instance(notes.instance, file, series.modality, *ids, syntax, fingerprint))
    key.answers += notes.answers
    key.planted |= notes.planted


def _burned_in(key: AnswerKey, seed: int, number: int, folder: Path) -> None:
    """One image whose pixels show its patient's name and ID; only its pixels are asked for: the text has to go, and
    what is further from it than a tool may reach has to stay. Half of the ultrasound images say where they measure."""
    who, where = people.patient(seed, number), people.site(seed, number)
    day, modality = datetime.date(2019, 5, 2), ("US", "CR", "US", "DX")[number % 4]
    words = Writer(random.Random(number), who, where, day, "B0000000")
    series = Series(seed, who, where, modality, day, 10**6 + number, 2, words, f"B{10**7 + number}", _SIZE * 4)
    _, data_set = _filled(series, 1)
    data_set.BurnedInAnnotation = "YES"
    text = f"{who.name.partition('=')[0].encode('ascii', 'ignore').decode()} {who.patient_id}"
    box = pixels.burn(data_set, text)
    may_change = pixels.around(box, _REACH)
    if modality == "US":
        may_change = _region_below(data_set, may_change) if number % 8 else _no_region(data_set, may_change)
    path = folder / BURNED_IN / f"{modality}{number:03}.dcm"
    syntaxes = [one for one in pixels.BURNED_IN if pixels.fits(data_set, one)]
    _write(data_set, series, path, syntaxes[number // 2 % len(syntaxes)])
    notes = Notes(data_set.SOPInstanceUID, who.patient_id)
    notes.add(Action.PIXELS_HIDDEN, "(7FE0,0010)", ",".join(map(str, box)), text, "HIPAA-A")
    outside = pixels.fingerprint_outside(data_set, may_change)
    notes.add(Action.PIXELS_RETAINED, "(7FE0,0010)", outside, pixels.meaning_of(data_set), "TCIA-P15-PIX-K")
    ids = who.patient_id, series.study_uid, series.series_uid
    syntax, file = str(data_set.file_meta.TransferSyntaxUID), path.relative_to(folder).as_posix()
    key.instances.append(Instance(notes.instance, file, modality, *ids, syntax, pixels.fingerprint(data_set)))
    key.answers += notes.answers


def _region_below(data_set: Dataset, text: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """An ultrasound region from below the text on; -> what is outside of it."""
    region = data_set.SequenceOfUltrasoundRegions[0]
    region.RegionLocationMinY0 = top = text[3]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = data_set.Columns - 1, data_set.Rows - 1
    return 0, 0, data_set.Columns, top


def _no_region(data_set: Dataset, text: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    del data_set.SequenceOfUltrasoundRegions
    return text
