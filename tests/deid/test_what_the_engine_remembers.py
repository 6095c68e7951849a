"""One engine for many instances: what it saw before must not tell in what it gives, nor in what it refuses."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_assets.deid.deidentify import Deidentifier
from dicom_assets.deid.elements import InMemory, encode
from dicom_assets.deid.profile import load_profile
from dicom_assets.errors import DicomAssetsError
from tests.deid.instances import INSTANCE, KEY, STUDY, encoded, minimal

BASIC = load_profile("basic")
PERSON = "Hollowmere^Barnaby"


def outcome(engine: Deidentifier, content: bytes) -> bytes | str:
    source = InMemory(content)
    try:
        return engine.deidentify(source).encoded(source)
    except DicomAssetsError as error:
        return error.code


def alone_and_after(content: bytes, *before: bytes) -> tuple[bytes | str, bytes | str]:
    engine = Deidentifier(BASIC, KEY)
    for earlier in before:
        outcome(engine, earlier)
    return outcome(Deidentifier(BASIC, KEY), content), outcome(engine, content)


def plain(number: int = 0) -> Dataset:
    dataset = minimal()
    dataset.SOPInstanceUID = f"{INSTANCE}.{number}"
    dataset.Manufacturer, dataset.InstanceNumber = "ACME", number
    return dataset


def naming_in(tag: int, vr: str = "SQ") -> bytes:
    """Somebody is named where the profile removes a sequence, and again in text that it keeps."""
    dataset = plain(7)
    dataset.Manufacturer = PERSON.replace("^", " ")
    item = Dataset()
    item.PatientName = PERSON
    inner = encoded_item(item)
    content = encoded(dataset)
    element = tag.to_bytes(4, "big")
    sequence = element[1::-1] + element[:1:-1] + vr.encode() + b"\0\0" + len(inner).to_bytes(4, "little") + inner
    following = content.index(b"\x20\x00\x0d\x00UI")
    return content[:following] + sequence + content[following:]


def encoded_item(item: Dataset) -> bytes:
    data = encode(0x00100010, "PN", str(item.PatientName).encode())
    return b"\xfe\xff\x00\xe0" + len(data).to_bytes(4, "little") + data


@pytest.mark.parametrize("tag", [0x00120064, 0x00180999, 0x00181000], ids=["our own", "unknown", "of another VR"])
def test_a_name_in_a_sequence_that_goes_is_looked_for_whatever_came_before(tag: int) -> None:
    alone, after = alone_and_after(naming_in(tag), encoded(plain(1)), encoded(plain(2)))
    assert alone == after == "IDENTIFIER_LEFT"


def test_a_private_element_that_is_cut_off_ends_the_walk_whatever_came_before() -> None:
    content = encoded(plain(3)) + b"\x09\x70\x10\x00LO\xff\x00abc"
    alone, after = alone_and_after(content, encoded(plain(1)), encoded(plain(2)))
    assert alone == after == "ELEMENT_TRUNCATED"


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_a_uid_that_states_another_vr_is_replaced_like_others(keyword: str) -> None:
    right = encoded(plain(1))
    tag = {"StudyInstanceUID": b"\x20\x00\x0d\x00", "SeriesInstanceUID": b"\x20\x00\x0e\x00"}.get(
        keyword, b"\x08\x00\x18\x00"
    )
    wrong = right.replace(tag + b"UI", tag + b"LO")
    alone, after = alone_and_after(wrong, right, encoded(plain(2)))
    assert alone == after == outcome(Deidentifier(BASIC, KEY), right)
    assert STUDY.encode() not in after


def test_a_patient_name_that_states_another_vr_names_the_patient() -> None:
    dataset = plain(1)
    dataset.PatientName, dataset.Manufacturer = PERSON, "made by Hollowmere"
    content = encoded(dataset).replace(b"\x10\x00\x10\x00PN", b"\x10\x00\x10\x00LO")
    assert alone_and_after(content, encoded(plain(2))) == ("IDENTIFIER_LEFT", "IDENTIFIER_LEFT")


@pytest.mark.parametrize("text", ["see {}", "{}.1", "x{}"])
def test_an_old_uid_in_kept_text_is_found(text: str) -> None:
    dataset = plain(1)
    dataset.SOPInstanceUID = "2.25.40000000000000000000000000000000001"
    dataset.SoftwareVersions = text.format(dataset.SOPInstanceUID)
    assert alone_and_after(encoded(dataset), encoded(plain(2))) == ("IDENTIFIER_LEFT", "IDENTIFIER_LEFT")


def test_a_class_that_is_a_number_of_this_patient_does_not_pass() -> None:
    dataset = plain(1)
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = STUDY, INSTANCE
    dataset.ReferencedImageSequence = Sequence([item])
    alone, after = alone_and_after(encoded(dataset), encoded(plain(2)))
    assert alone == after
    assert alone == "IDENTIFIER_LEFT" or STUDY.encode() not in alone


def test_elements_that_vary_and_patients_that_alternate_change_nothing() -> None:
    instances = []
    for number in range(40):
        dataset = plain(number)
        dataset.PatientID = f"00{number % 3}"
        dataset.SeriesInstanceUID = f"{STUDY}.{number % 4}"
        dataset.SliceLocation, dataset.KVP, dataset.SliceThickness = number / 2, 120, 1
        if number % 5 == 0:
            dataset.ImageComments, dataset.BodyPartExamined = "Quillfeather", "CHEST"
        if number % 7 == 0:
            dataset.SpecificCharacterSet = "ISO_IR 192"
        instances.append(encoded(dataset))
    alone = [outcome(Deidentifier(BASIC, KEY), content) for content in instances]
    engine = Deidentifier(BASIC, KEY)
    assert [outcome(engine, content) for content in instances] == alone
    assert [outcome(engine, content) for content in reversed(instances)] == alone[::-1]


def test_an_offset_table_is_judged_by_its_own_file() -> None:
    def with_pixels(number: int, rows: int) -> bytes:
        dataset = plain(number)
        dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.SamplesPerPixel = rows, 64, 8, 1
        dataset.add_new(0x7FE00001, "OV", (3000).to_bytes(8, "little"))
        dataset.PixelData = bytes(rows * 64)
        return encoded(dataset)

    large, small = with_pixels(1, 64), with_pixels(2, 2)
    alone, after = alone_and_after(small, large)
    assert alone == after
    assert b"\xe0\x7f\x01\x00" not in alone
    assert b"\xe0\x7f\x01\x00" in outcome(Deidentifier(BASIC, KEY), large)
