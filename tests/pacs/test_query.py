"""What is sent as a query, how its answers are read, and which of them count."""

import warnings
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from dicom_assets.errors import BadInput
from dicom_assets.pacs.answers import codes, digits, number, text, texts
from dicom_assets.pacs.query import (
    StudyMatch,
    StudyQuery,
    answers_query,
    checked,
    checked_uid,
    keys_not_returned,
    study_identifier,
    study_match,
)


@pytest.mark.parametrize("name", ["patient_id", "accession_number", "study_instance_uid"])
@pytest.mark.parametrize("value", ["*", "12*", "1?3", "1\\2", "1\n2", "1\0002"])
def test_wildcards_and_lists_in_identifiers_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadInput, match="QUERY_WILDCARD"):
        checked(StudyQuery(**{name: value}))


def test_wildcards_in_modalities_are_refused() -> None:
    with pytest.raises(BadInput, match="QUERY_WILDCARD"):
        checked(StudyQuery(modalities=("CT", "*")))


@pytest.mark.parametrize("uid", ["", " ", "\0", "1.2.*"])
def test_a_study_uid_that_could_match_several_studies_is_refused(uid: str) -> None:
    with pytest.raises(BadInput, match="QUERY_WILDCARD"):
        checked_uid(uid)


@pytest.mark.parametrize(
    ("value", "keyword"),
    [
        (b"", "PatientID"),
        (b"", "StudyDate"),
        (b"2024", "StudyDate"),
        (b"", "ModalitiesInStudy"),
    ],
)
def test_what_an_answer_lacks_is_not_compared_but_an_empty_identifier_is_a_value(value: bytes, keyword: str) -> None:
    query = StudyQuery(patient_id="1", date_from="20240101", modalities=("CT",))
    elements = {
        "PatientID": (0x0010, 0x0020, b"1 "),
        "StudyDate": (0x0008, 0x0020, b"20240101"),
        "ModalitiesInStudy": (0x0008, 0x0061, b"CT"),
    }
    of = {name: (*element[:2], value) if name == keyword else element for name, element in elements.items()}
    whole = answer(*(of[name] for name in ("StudyDate", "ModalitiesInStudy", "PatientID")))
    lacking = keys_not_returned(whole, study_match(whole, ""), query)
    assert lacking == ((keyword,) if value or keyword == "ModalitiesInStudy" else ())
    without = answer(*(elements[name] for name in ("StudyDate", "ModalitiesInStudy", "PatientID") if name != keyword))
    assert keys_not_returned(without, study_match(without, ""), query) == (keyword,)


@pytest.mark.parametrize("date", ["20240230", "2024", "2024-01-01", "20240101-", "２０２４０１０１", "today"])
def test_a_date_that_is_not_yyyymmdd_is_refused(date: str) -> None:
    with pytest.raises(BadInput, match="QUERY_DATE"):
        checked(StudyQuery(date_from=date))


@pytest.mark.parametrize(
    ("first", "last", "sent"),
    [
        ("20240101", "20240102", "20240101-20240102"),
        ("20240101", "20240101", "20240101"),
        ("20240101", "", "20240101-"),
        ("", "20240102", "-20240102"),
        ("", "", None),
    ],
)
def test_dates_are_sent_as_a_range(first: str, last: str, sent: str | None) -> None:
    assert study_identifier(StudyQuery(date_from=first, date_to=last), "").StudyDate == sent


def test_the_character_set_is_named_only_where_a_value_needs_it() -> None:
    assert "SpecificCharacterSet" not in study_identifier(StudyQuery(patient_id="0012345"), "CT")
    assert study_identifier(StudyQuery(patient_id="Ä1"), "").SpecificCharacterSet == "ISO_IR 192"


def match(**changes: object) -> StudyMatch:
    return StudyMatch(**{**dict.fromkeys(StudyMatch.__dataclass_fields__, ""), "modalities": (), **changes})


@pytest.mark.parametrize(
    ("query", "found", "counts"),
    [
        (StudyQuery(), match(), True),
        (StudyQuery(patient_id="007"), match(patient_id="007"), True),
        (StudyQuery(patient_id="007"), match(patient_id="7"), False),
        (StudyQuery(patient_id="abc"), match(patient_id="ABC"), True),  # some archives match and answer so
        (StudyQuery(patient_id="abc"), match(patient_id="abd"), False),
        (StudyQuery(patient_id="STRASSE1"), match(patient_id="Straße1"), False),
        (StudyQuery(accession_number="A1"), match(accession_number="a1"), True),
        (StudyQuery(accession_number="01"), match(accession_number="1"), False),
        (StudyQuery(patient_id="007"), match(), False),
        (StudyQuery(date_from="20240102"), match(study_date="20240101"), False),
        (StudyQuery(date_to="20240101"), match(study_date="20240101"), True),
        (StudyQuery(date_to="20240101"), match(), False),
        (StudyQuery(modalities=("CT", "MR")), match(modalities=("MR", "SR")), True),
        (StudyQuery(modalities=("CT",)), match(modalities=("MR",)), False),
        (StudyQuery(modalities=("ct",)), match(modalities=("CT",)), True),
        (StudyQuery(modalities=("CT",)), match(), False),
    ],
)
def test_an_answer_counts_only_if_it_answers_the_query(query: StudyQuery, found: StudyMatch, counts: bool) -> None:
    assert answers_query(found, query) is counts


def answer(*elements: tuple[int, int, bytes]) -> Dataset:
    """Encoded as Implicit VR Little Endian and read as pynetdicom reads it: group, element, value."""
    encoded = b"".join(
        group.to_bytes(2, "little") + element.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value
        for group, element, value in elements
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_dataset(BytesIO(encoded), True, True)


@pytest.mark.parametrize("value", [b"1.2.3\0", b"1.2.3 ", b"1.2.3\0\0\0", b" 1.2.3"])
def test_padding_is_taken_off(value: bytes) -> None:
    assert text(answer((0x0020, 0x000D, value)), "StudyInstanceUID") == "1.2.3"


def test_an_absent_element_is_none_and_an_empty_one_is_empty() -> None:
    assert text(answer((0x0010, 0x0020, b"")), "PatientID") == ""
    assert text(answer(), "PatientID") is None


@pytest.mark.parametrize(
    ("charset", "encoded", "name"),
    [
        (b"ISO_IR 100", "Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
        (b"ISO_IR 192", "Müller^Jörg ".encode(), "Müller^Jörg"),
        (b"ISO_IR 144", "Люкceмбypг".encode("iso8859-5"), "Люкceмбypг"),
        (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada^Tarou=山田^太郎"),
        (b"", b"Plain^Name", "Plain^Name"),
    ],
)
def test_names_are_read_by_the_answers_own_character_set(charset: bytes, encoded: bytes, name: str) -> None:
    assert text(answer((0x0008, 0x0005, charset), (0x0010, 0x0010, encoded)), "PatientName") == name


@pytest.mark.parametrize("charset", [b"ISO_IR 999", b"nonsense", b"ISO_IR 192", b"ISO_IR 100\\ISO_IR 192", b"\xff\xfe"])
@pytest.mark.parametrize("encoded", [b"M\xfcller", b"\xff\xfe\x1b$B", b"\x1b\x1b", bytes(range(128, 256))])
def test_a_bad_character_set_never_raises(charset: bytes, encoded: bytes) -> None:
    assert text(answer((0x0008, 0x0005, charset), (0x0010, 0x0010, encoded)), "PatientName") is not None


@pytest.mark.parametrize(("value", "count"), [(b"12 ", 12), (b"0", 0), (b"", None), (b"-1", None), (b"many", None)])
def test_counts_that_are_no_numbers_are_unknown(value: bytes, count: int | None) -> None:
    assert number(answer((0x0020, 0x1208, value)), "NumberOfStudyRelatedInstances") == count


@pytest.mark.parametrize(
    ("site", "encoded", "name"),
    [
        ("ISO_IR 144", "Люкceмбypг".encode("iso8859-5"), "Люкceмбypг"),
        ("ISO_IR 192", "Müller".encode(), "Müller"),
        ("\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B", "山田"),
        ("nonsense", "Müller".encode("latin-1"), "Müller"),
    ],
)
@pytest.mark.parametrize("declared", [[], [(0x0008, 0x0005, b"")]])
def test_an_undeclared_character_set_is_the_sites(declared: list, site: str, encoded: bytes, name: str) -> None:
    assert text(answer(*declared, (0x0010, 0x0010, encoded)), "PatientName", site) == name
    declaring = answer((0x0008, 0x0005, b"ISO_IR 100"), (0x0010, 0x0010, "Jörg".encode("latin-1")))
    assert text(declaring, "PatientName", site) == "Jörg"


@pytest.mark.parametrize("value", [b"CT\\SR ", b"CT/SR", b"ct, sr\0"])
def test_modalities_are_read_however_they_are_joined(value: bytes) -> None:
    assert codes(answer((0x0008, 0x0061, value)), "ModalitiesInStudy") == ("CT", "SR")


def test_values_come_one_by_one_without_empty_ones() -> None:
    assert texts(answer((0x0008, 0x0061, b"CT\\ MR \\\\SR ")), "ModalitiesInStudy") == ("CT", "MR", "SR")
    assert texts(answer(), "ModalitiesInStudy") == ()


def test_old_dates_and_times_lose_their_punctuation() -> None:
    assert (digits("1997.04.24"), digits("12:30:01")) == ("19970424", "123001")
