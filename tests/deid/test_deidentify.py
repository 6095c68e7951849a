import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from dicom_assets.deid.deidentify import Deidentifier, notes_of
from dicom_assets.deid.elements import InMemory
from dicom_assets.deid.profile import load_profile
from dicom_assets.errors import BadInput, DicomAssetsError, Refused
from tests.deid.instances import INSTANCE, KEY, STUDY, deidentified, deidentify, encoded, minimal

BASIC, HALO = load_profile("basic"), load_profile("halo")
BUNDLED = sorted(path for path in (Path(pydicom.__file__).parent / "data" / "test_files").rglob("*") if path.is_file())


def code_of(dataset_bytes: bytes) -> str:
    with pytest.raises(DicomAssetsError) as caught:
        deidentify(dataset_bytes, BASIC, KEY)
    return caught.value.code


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("RetrieveURL", "http://archive.quillfeather.example/1"),
        ("SegmentDescription", "lesion of O. Quillfeather"),
        ("LUTExplanation", "made for Quillfeather"),
        ("SecondaryReviewerName", "Quillfeather^Ottoline"),
    ],
)
def test_text_that_the_table_does_not_name_goes(keyword: str, value: str) -> None:
    dataset = minimal()
    setattr(dataset, keyword, value)
    assert keyword not in deidentified(dataset, BASIC)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Manufacturer", "ACME"),
        ("ConvolutionKernel", "B70f"),
        ("SoftwareVersions", "VA44A"),
        ("KVP", 120),
        ("Rows", 64),
    ],
)
def test_technical_elements_stay(keyword: str, value: object) -> None:
    dataset = minimal()
    setattr(dataset, keyword, value)
    assert deidentified(dataset, BASIC)[keyword].value == value


def test_unknown_tags_private_elements_and_values_that_do_not_fit_go() -> None:
    dataset = minimal()
    dataset.add_new(0x00180001, "LO", "Quillfeather")  # no such element
    dataset.private_block(0x0009, "QUILL", create=True).add_new(0x01, "LO", "Quillfeather")
    dataset.add_new(0x60000010, "US", 64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.add_new(0x00180015, "CS", "Quillfeather chest")  # Body Part Examined: lower case is no code
        output = deidentified(dataset, BASIC)
    assert not {0x00180001, 0x00090010, 0x00091001, 0x60000010, 0x00180015} & set(output.keys())


def test_nested_sequences_are_cleaned_at_every_depth() -> None:
    dataset = minimal()
    item = Dataset()
    item.PatientName, item.KVP = "Quillfeather^Ottoline", 120
    for _ in range(10):
        outer = Dataset()
        outer.RelatedSeriesSequence = Sequence([item])
        item = outer
    dataset.RelatedSeriesSequence = Sequence([item])
    output = encoded(deidentified(dataset, BASIC))
    assert b"Quillfeather" not in output
    assert b"120" in output


def test_nesting_without_end_is_quarantined() -> None:
    dataset = minimal()
    item = Dataset()
    for _ in range(40):
        outer = Dataset()
        outer.RelatedSeriesSequence = Sequence([item])
        item = outer
    dataset.RelatedSeriesSequence = Sequence([item])
    assert code_of(encoded(dataset)) == "NESTED_TOO_DEEPLY"


def test_a_code_that_names_a_person_is_replaced_and_other_codes_stay() -> None:
    dataset = minimal()
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "Q1", "99LOCAL", "Quillfeather Ottoline"
    person = Dataset()
    person.PersonIdentificationCodeSequence = Sequence([code])
    dataset.ContentCreatorIdentificationCodeSequence = Sequence([person])
    dataset.AnatomicRegionSequence = Sequence([Dataset()])
    dataset.AnatomicRegionSequence[0].CodeMeaning = "Chest"
    output = deidentified(dataset, BASIC)
    assert b"Quillfeather" not in encoded(output)
    assert output.AnatomicRegionSequence[0].CodeMeaning == "Chest"


def test_file_meta_and_preamble_are_made_anew() -> None:
    dataset = minimal()
    dataset.preamble = b"Quillfeather".ljust(128, b"\0")
    dataset.file_meta.SourceApplicationEntityTitle = "QUILLFEATHER"
    dataset.file_meta.PrivateInformationCreatorUID = STUDY
    dataset.file_meta.PrivateInformation = b"Quillfeather"
    whole, _ = deidentify(encoded(dataset), BASIC, KEY)
    assert whole[:128] == b"\0" * 128
    assert b"uillfeather" not in whole.lower()
    output = pydicom.dcmread(io.BytesIO(whole))
    assert output.file_meta.MediaStorageSOPInstanceUID == output.SOPInstanceUID == KEY.uid(INSTANCE)
    assert output.PatientIdentityRemoved == "YES"
    assert BASIC.digest[:16] in output.DeidentificationMethod
    assert output.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert output.LongitudinalTemporalInformationModified == "REMOVED"


def test_well_known_uids_stay_and_references_follow_their_objects() -> None:
    dataset = minimal()
    dataset.FrameOfReferenceUID = "1.2.840.10008.1.4.1.1"
    dataset.ReferencedStudySequence = Sequence([Dataset()])
    dataset.SourceImageSequence = Sequence([Dataset()])
    dataset.SourceImageSequence[0].ReferencedSOPClassUID = dataset.SOPClassUID
    dataset.SourceImageSequence[0].ReferencedSOPInstanceUID = INSTANCE
    output = deidentified(dataset, BASIC)
    assert output.FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"
    assert output.SourceImageSequence[0].ReferencedSOPInstanceUID == output.SOPInstanceUID
    assert output.SourceImageSequence[0].ReferencedSOPClassUID == dataset.SOPClassUID


def test_a_public_instance_keeps_its_uid_and_no_study_and_no_series_does() -> None:
    dataset = minimal()
    dataset.SOPInstanceUID = dataset.PaletteColorLookupTableUID = "1.2.840.10008.1.5.1"
    dataset.StudyInstanceUID = dataset.SeriesInstanceUID = "1.2.840.10008.1.5.2"
    whole, result = deidentify(encoded(dataset), BASIC, KEY)
    output = pydicom.dcmread(io.BytesIO(whole))
    assert output.SOPInstanceUID == output.PaletteColorLookupTableUID == "1.2.840.10008.1.5.1"
    assert output.file_meta.MediaStorageSOPInstanceUID == result.sop_instance_uid == "1.2.840.10008.1.5.1"
    assert output.StudyInstanceUID == output.SeriesInstanceUID == KEY.uid("1.2.840.10008.1.5.2")
    assert "1.2.840.10008.1.5.1" not in dict(result.uids)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_encodings_come_out_explicit_little_endian_with_the_same_pixels(syntax: str) -> None:
    name = "MR_small_implicit.dcm" if syntax == ImplicitVRLittleEndian else "MR_small_bigendian.dcm"
    source = next(path for path in BUNDLED if path.name == name)
    output = pydicom.dcmread(io.BytesIO(deidentify(source.read_bytes(), BASIC)[0]))
    assert output.file_meta.TransferSyntaxUID.name == "Explicit VR Little Endian"
    assert np.array_equal(output.pixel_array, pydicom.dcmread(source).pixel_array)


def test_an_instance_without_patient_id_has_a_pseudonym_of_its_study() -> None:
    dataset = minimal()
    dataset.PatientID = ""
    assert deidentified(dataset, BASIC).PatientID == KEY.patient_of_study(STUDY)


def test_pseudonyms_depend_on_the_patient_id_byte_for_byte() -> None:
    pseudonyms = {KEY.patient(patient_id.encode()) for patient_id in ("0012345", "12345", "abc", "ABC")}
    assert len(pseudonyms) == 4
    assert all(len(pseudonym) == 17 for pseudonym in pseudonyms)


def test_truncated_pixel_data_is_quarantined() -> None:
    dataset = minimal()
    dataset.Rows = dataset.Columns = 64
    dataset.SamplesPerPixel, dataset.BitsAllocated = 1, 16
    dataset.add_new(0x7FE00010, "OW", b"\0" * 100)
    assert code_of(encoded(dataset)) == "PIXEL_DATA_TRUNCATED"


def with_overlay_in_bit(position: int) -> bytes:
    """Of pixels that have 12 bits, from 0 to 11, in 16."""
    dataset = minimal()
    dataset.Rows = dataset.Columns = 2
    dataset.SamplesPerPixel, dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 1, 16, 12, 11
    dataset.add_new(0x60000100, "US", 16)
    dataset.add_new(0x60000102, "US", position)
    dataset.add_new(0x7FE00010, "OW", b"\0" * 8)
    return encoded(dataset)


def test_an_overlay_in_unused_pixel_bits_is_told() -> None:
    def told(position: int) -> Mapping[str, str]:
        source = InMemory(with_overlay_in_bit(position))
        return Deidentifier(BASIC, KEY).deidentify(source).notes.values

    assert told(12)["OverlayInPixelData"] == "YES"
    assert "OverlayInPixelData" not in told(0)


def test_an_overlay_in_the_pixels_own_bits_is_quarantined() -> None:
    assert code_of(with_overlay_in_bit(11)) == "OVERLAY_IN_PIXEL_DATA"


def test_an_instance_without_class_is_quarantined() -> None:
    dataset = minimal()
    del dataset.SOPClassUID
    content = encoded(dataset).replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"x" * 26)
    assert code_of(content) == "SOP_CLASS_MISSING"


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_an_instance_without_study_or_series_gets_one_of_its_own(keyword: str) -> None:
    """By rule, and never one that another instance has: nothing is merged by accident."""
    first, second = minimal(), minimal()
    second.SOPInstanceUID = INSTANCE + ".4"
    outputs = []
    for dataset in (first, second):
        delattr(dataset, keyword)
        outputs.append(deidentified(dataset, BASIC))
    assert outputs[0][keyword].value.startswith("2.25.")
    assert outputs[0][keyword].value != outputs[1][keyword].value
    assert outputs[0][keyword].value == deidentified(first, BASIC)[keyword].value


def test_an_instance_uid_that_is_lacking_is_the_file_metas() -> None:
    dataset = minimal()
    content = encoded(dataset)
    start = content.index(b"\x08\x00\x18\x00UI")
    output, result = deidentify(content[:start] + content[start + 8 + 32 :], BASIC)
    assert pydicom.dcmread(io.BytesIO(output)).SOPInstanceUID == KEY.uid(INSTANCE) == result.sop_instance_uid


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_every_bundled_file_is_de_identified_or_has_a_reason(path: Path) -> None:
    """No crash, no pass-through, the same bytes twice."""
    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd on purpose, these files
        try:
            whole, result = deidentify(content, BASIC)
        except DicomAssetsError as error:
            assert error.code
            return
        assert whole == deidentify(content, BASIC)[0]
        output = pydicom.dcmread(io.BytesIO(whole))
        assert output.PatientID == output.PatientName == result.patient
        assert not [element.tag for element in output if element.tag.is_private]


def test_halo_with_all_groups_on_cleans_the_groups_and_keeps_the_rest() -> None:
    dataset = minimal()
    dataset.StudyDescription, dataset.InstitutionName = "Chest routine", "St. Quill Hospital"
    dataset.StudyDate, dataset.AccessionNumber, dataset.PatientWeight = "20240102", "ACC77", "71"
    output = deidentified(dataset, HALO)
    assert output.StudyDescription == "Chest routine"
    assert not output.get("InstitutionName")
    assert not output.get("StudyDate")
    assert not output.get("AccessionNumber")
    assert "PatientWeight" not in output
    assert output.PatientID == KEY.patient(b"0012345")
    assert KEY.uid(STUDY) == output.StudyInstanceUID


def code(value: str, scheme: str | None, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = value, meaning
    if scheme:
        item.CodingSchemeDesignator = scheme
    return item


def test_the_meaning_of_a_sites_own_code_is_text_that_is_cleaned() -> None:
    dataset = minimal()
    told = "Abdomen supine tech Piotr Kaczmarek 2016-05-03"
    dataset.ProcedureCodeSequence = Sequence(
        [code("1", "L", told), code("T-1", "SRT", "Kaczmarek sign"), code("3", None, told),
         code("4", "99Q", "Kaczmarek"), code("5", "HL70005", "Kaczmarek")]
    )  # fmt: skip
    output = deidentified(dataset, load_profile("research"))
    assert [item.CodeMeaning for item in output.ProcedureCodeSequence] == [
        "Abdomen supine tech", "Kaczmarek sign", "Abdomen supine tech", "ANONYMIZED", "Kaczmarek",
    ]  # fmt: skip


def test_technical_text_that_names_the_patient_is_cleaned_where_descriptors_are_and_refused_elsewhere() -> None:
    dataset = minimal()
    dataset.Manufacturer, dataset.SequenceName = "Acme Imaging for Quillfeather", "Quillfeather"
    output = deidentified(dataset, load_profile("research"))
    assert output.Manufacturer == "Imaging for" and "SequenceName" not in output
    with pytest.raises(Refused, match="IDENTIFIER_LEFT"):
        deidentified(dataset, load_profile("basic"))


@pytest.mark.parametrize(
    ("switch", "keyword", "value"),
    [
        ("patient_data", "PatientName", "Quillfeather^Ottoline"),
        ("institution_data", "InstitutionName", "St. Quill Hospital"),
        ("study_data", "AccessionNumber", "ACC77"),
        ("dates", "StudyDate", "20240102"),
        ("regenerate_uids", "StudyInstanceUID", STUDY),
        ("remove_private_tags", 0x00091001, "kept"),
    ],
)
@pytest.mark.parametrize("base", ["basic", "halo"])
def test_each_group_can_be_switched_off(tmp_path: Path, base: str, switch: str, keyword: str, value: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'base = "{base}"\n[groups]\n{switch} = false\n')
    dataset = minimal()
    dataset.InstitutionName, dataset.StudyDate, dataset.AccessionNumber = "St. Quill Hospital", "20240102", "ACC77"
    dataset.private_block(0x0009, "QUILL", create=True).add_new(0x01, "LO", "kept")
    output = deidentified(dataset, load_profile(str(path)))
    assert output[keyword].value == value
    assert output.PatientIdentityRemoved == ("NO" if switch == "patient_data" else "YES")


@pytest.mark.parametrize(
    "content",
    [
        'base = "nothing"',
        'options = ["retain_everything"]',
        "[groups]\npatients = false",
        'dates = "forget"',
        'dates = "shift"\noptions = ["retain_longitudinal_full_dates"]',
        "pixels = 1",
        "x =",
    ],
)
def test_a_profile_file_that_is_not_understood_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(content)
    with pytest.raises(DicomAssetsError):
        load_profile(str(path))


def test_the_standards_root_alone_makes_no_uid_well_known() -> None:
    dataset = minimal()
    dataset.SeriesInstanceUID = "1.2.840.10008.12345.19530411"
    dataset.ContextUID = "1.2.276.19530411.12345"
    output = encoded(deidentified(dataset, BASIC))
    assert b"19530411" not in output


def test_free_text_where_a_code_belongs_goes_even_if_somebody_has_asked_for_it() -> None:
    dataset = minimal()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "Frau Quillfeather, Bett 7"]
        dataset.Modality = "Quillfeather"
        output = deidentified(dataset, BASIC)
    assert "ImageType" not in output
    assert "Modality" not in output


def test_bytes_behind_the_pixels_are_cut_off() -> None:
    dataset = minimal()
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel, dataset.BitsAllocated = 1, 8
    dataset.add_new(0x7FE00010, "OB", b"\1" * 64 + b"Quillfeather")
    assert deidentified(dataset, BASIC).PixelData == b"\1" * 64


def test_two_kinds_of_pixel_data_are_quarantined() -> None:
    dataset = minimal()
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel, dataset.BitsAllocated = 1, 8
    dataset.add_new(0x7FE00009, "OD", b"\1" * 512)
    dataset.add_new(0x7FE00010, "OB", b"\1" * 64)
    assert code_of(encoded(dataset)) == "PIXEL_DATA_MALFORMED"


@pytest.mark.parametrize(
    ("spelt", "standard"),
    [("utf-8", "ISO_IR 192"), ("latin1", "ISO_IR 100"), ("ISO_IR 100", "ISO_IR 100"), ("?", None)],
)
def test_a_misspelt_character_set_is_set_right_or_removed(spelt: str, standard: str | None) -> None:
    dataset = minimal()
    content = encoded(dataset)
    element = b"\x08\x00\x05\x00CS" + len(spelt.ljust(10)).to_bytes(2, "little") + spelt.ljust(10).encode()
    content = content.replace(b"\x08\x00\x16\x00UI", element + b"\x08\x00\x16\x00UI", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = pydicom.dcmread(io.BytesIO(deidentify(content, BASIC)[0]))
    assert output.get("SpecificCharacterSet") == standard


def test_what_the_cohort_knows_of_the_patient_is_cleaned_away_too(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('base = "basic"\noptions = ["clean_descriptors"]\n')
    dataset = minimal()
    dataset.SeriesDescription = "Thorax QFX-20771 venous"
    source = InMemory(encoded(dataset))
    engine = Deidentifier(load_profile(str(own)), KEY)
    output = engine.deidentify(source, known=("QFX-20771", "Hollowmere^Quill")).encoded(source)
    assert pydicom.dcmread(io.BytesIO(output)).SeriesDescription == "Thorax venous"


def test_halo_cleans_a_text_that_names_the_patient_and_leaves_others_alone() -> None:
    dataset = minimal()
    dataset.StudyDescription, dataset.SeriesDescription = "CT Thorax Quillfeather", "Xylograph 7 of ward nine"
    output = deidentified(dataset, HALO)
    assert (output.StudyDescription, output.SeriesDescription) == ("CT Thorax", "Xylograph 7 of ward nine")


def test_what_cannot_be_read_to_its_end_still_tells_which_instance_it_is() -> None:
    whole = encoded(minimal())
    cut = whole[: whole.index(b"\x20\x00\x0e\x00UI") + 20]
    with pytest.raises(BadInput, match="ELEMENT_TRUNCATED"):
        deidentify(cut, BASIC)
    notes = notes_of(InMemory(cut))
    assert (notes.sop_instance_uid, notes.study_instance_uid) == (INSTANCE, STUDY)
    assert notes.patient_id == minimal().PatientID


def test_padding_behind_the_pixels_is_left_out_unread() -> None:
    dataset = minimal()
    dataset.Rows = dataset.Columns = 8
    dataset.BitsAllocated, dataset.SamplesPerPixel, dataset.PixelData = 8, 1, bytes(64)
    dataset.add_new(0xFFFCFFFC, "OB", b"Quillfeather" * 10)
    output, result = deidentify(encoded(dataset), BASIC)
    assert b"Quill" not in output
    assert "DataSetTrailingPadding" in result.tags
