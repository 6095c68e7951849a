"""Whatever way a value of the patient is written in an output, the last gate finds it; what only looks so passes."""

import random
import time
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_charset_files

from dicom_assets.deid.dictionary import tag_of
from dicom_assets.deid.identity import IDENTIFYING, IDENTIFYING_VRS, Identity, identity_of

VRS = {
    "PatientName": "PN",
    "ReferringPhysicianName": "PN",
    "OperatorsName": "PN",
    "PatientBirthDate": "DA",
    "StudyDate": "DA",
}
VALUES = {
    "PatientName": "Vandermolen^Isidora",
    "PatientID": "0012345",
    "PatientBirthDate": "19610823",
    "ReferringPhysicianName": "Brown^May",
    "AccessionNumber": "ACC-778812",
    "StudyDate": "20240117",
    "PatientAddress": "Quellgasse 14^98765 Nirgendheim",
    "InstitutionName": "Klinikum Nirgendheim",
    "PatientTelephoneNumbers": "+49 999 7654321",
    "StudyID": "7",
}


def identity(codecs=(), extra=(), **changes: str) -> Identity:
    values = {**VALUES, **changes}
    return identity_of([(tag_of(k), VRS.get(k, "LO"), v) for k, v in values.items()], extra, codecs)


FOUND = {
    "whole name": "Isidora Vandermolen",
    "a part": "seen VANDERMOLEN today",
    "inside a word": "xvandermolen2",
    "ordinary parts as a whole": "May  Brown, MD",
    "the other way round": "BROWN^MAY",
    "with underscores": "brown_may",
    "joined": "MayBrown",
    "ID": "MRN:0012345",
    "ID without zeros": "no. 12345.",
    "ID next to letters": "PAT0012345x",
    "accession": "acc 778812",
    "accession joined": "ACC778812",
    "address": "98765 nirgendheim",
    "institution": "KLINIKUM NIRGENDHEIM",
    "telephone": "499997654321",
}


@pytest.mark.parametrize("text", FOUND.values(), ids=FOUND.keys())
def test_a_value_is_found_however_it_is_written(text):
    assert identity().found_in(text.encode(), "LO")


DATES = """19610823 1961-08-23 1961/08/23 1961.08.23 23.08.1961 23.8.1961 08/23/1961 8/23/1961 23/08/1961 23-08-1961
23.08.61 08/23/61 61-08-23 23081961 19610823101500 DOB19610823T10 23-Aug-61 23aug1961 AUG-23-1961
1961.8.23 1961-8-23 1961:08:23 23,8,1961 23|08|1961 23~08~61 (23)(08)(1961) 23.VIII.61 61.8.23
3/23/08/1961 No.23.08.1961 S36.8.23 S36/8/23 昭和36年8月23日 1961年8月23日"""


@pytest.mark.parametrize(
    "text",
    [
        *DATES.split(),
        "23 August 1961",
        "August 23, 1961",
        "23-AUG-1961",
        "Aug 23rd 1961",
        "Aug 23, 61",
        "23. août 1961",
        "23 de agosto de 1961",
        "1961 Aug 23",
        "23, 8, 1961",
        "23/08/ 1961",
        "23 VIII 1961",
    ],
)
def test_a_date_is_found_however_it_is_written(text):
    assert identity().found_in(f"on {text} at".encode(), "LO")


HARMLESS = {
    "ordinary part": "a brown stain in may",
    "short part of a word": "isidor",
    "digits in a UID": "2.25.19610823.12345",
    "digits in a longer number": "9912345",
    "digits before a decimal point": "12345.5",
    "year alone": "1961",
    "another date": "24.08.1961",
    "short ID in a text": "7 slices",
    "short ID of a step": "7",
    "versions": "syngo MR 2004V 4VB11D",
    "numbers": r"23\8\1961",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_only_looks_like_it_passes(text):
    assert not identity().found_in(text.encode(), "LO")


def test_dates_and_short_numbers_count_in_texts_only():
    for vr, value in {"DA": b"19610823", "IS": b"12345 ", "DS": b"12345", "TM": b"12345", "UI": b"1.2.12345"}.items():
        assert not identity().found_in(value, vr), vr
    assert identity(PatientID="12345678").found_in(b"12345678", "IS")


@pytest.mark.parametrize(
    "value",
    "19610823 20240117 23081961 08231961 4711823 +04711823 4711823.00 1\\4711823 1.5\\19610823.5 0.19610823 1961.0823 "
    "1.9610823E7 0.0019610823000".split(),
)
def test_dates_and_long_ids_are_found_written_as_numbers(value):
    for vr in ("IS", "DS"):
        assert identity(PatientID="004711823").found_in(value.encode(), vr), vr


@pytest.mark.parametrize(
    "value", "47118230 47118 4711.823 0.4711823 14711823 19610824 119610823 12345 512 -125.4\\99.1 1\\0\\0".split()
)
def test_other_numbers_pass(value):
    for vr in ("IS", "DS"):
        assert not identity(PatientID="4711823", AccessionNumber="12345").found_in(value.encode(), vr), vr


BINARY = "AT FD FL OB OD OF OL OV OW SL SV UL UN UV".split()


@pytest.mark.parametrize("vr", BINARY)
@pytest.mark.parametrize("text", ["Nowak 12.03.1956", "Nowak\0", "geb 12.3.56", "tel 5551 Nowak", "id 4711823"])
def test_text_is_found_where_numbers_should_be(vr, text):
    someone = identity(PatientName="Nowak^Ida", PatientBirthDate="19560312", PatientID="4711823")
    assert someone.found_in(text.encode(), vr)
    assert someone.found_in(text.encode("utf-16-le"), vr)
    assert someone.found_in(b"\1\x80\xff" * 400 + text.encode().ljust(8) + b"\xff\2\x93" * 400, vr)


def test_numbers_pass_where_numbers_should_be():
    someone = identity(PatientName="Nowak^Ida", PatientID="7", AccessionNumber="A12")
    ramp = b"".join(number.to_bytes(2, "little") for number in range(0, 65536, 3))
    for value in (b"7\0", b"A12\0", bytes(range(256)), ramp, bytes(5000), random.Random(5).randbytes(50_000)):
        assert not someone.found_in(value, "OW")


@pytest.mark.parametrize("maker", "Fischer Zeiss Heidelberg Olympus Pentax Storz Vidar Lunar Sectra Topcon".split())
def test_a_maker_is_no_hit_where_the_make_is_said(maker):
    manufacturer, model, sequence = map(tag_of, ("Manufacturer", "ManufacturerModelName", "SequenceName"))
    for someone in (identity(PatientName=f"{maker}^Ida"), identity(InstitutionName=f"{maker} Medical Systems")):
        for tag in (manufacturer, model):
            assert not someone.found_in(maker.encode(), "LO", tag)
            assert not someone.found_in(f"{maker.upper()} Medical Systems".encode(), "LO", tag)
    someone = identity(PatientName=f"{maker}^Ida")
    assert someone.found_in(maker.encode(), "LO", sequence) and someone.found_in(maker.encode(), "LO")
    assert someone.found_in(f"Ida {maker}".encode(), "LO", manufacturer)
    assert identity().found_in(f"{maker}, Isidora Vandermolen".encode(), "LO", model)


@pytest.mark.parametrize(
    "own, said",
    [
        ({"PatientName": "TrioTim^QA"}, "TrioTim"),
        ({"PatientName": "GE^SIGNA"}, "GE SIGNA HDxt"),
        ({"PatientName": "EPIQ^7G"}, "EPIQ 7G"),
        ({"PatientName": "EPIQ^7G"}, "EPIQ7G"),
        ({"InstitutionName": "Vivid E95"}, "Vivid E95"),
        ({"OperatorsName": "TomTec"}, "TOMTEC"),
        ({"OperatorsName": "planmed"}, "Planmed Oy"),
        ({"AccessionNumber": "10000"}, "10000"),
        ({"PatientID": "730"}, "730"),
    ],
)
def test_a_product_is_no_hit_where_the_make_is_said(own, said):
    someone = identity(**own)
    for keyword in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions"):
        assert not someone.found_in(said.encode(), "LO", tag_of(keyword)), keyword
        assert identity().found_in(f"{said} of Isidora Vandermolen".encode(), "LO", tag_of(keyword))
    assert someone.found_in(said.encode(), "LO")


def test_a_number_of_one_or_two_digits_is_no_id():
    for number in ("0", "1", "12"):
        for someone in (identity(PatientID=number), identity(AccessionNumber=number)):
            assert not someone.found_in(number.encode(), "SH"), number
    assert identity(PatientID="101").found_in(b"101", "SH") and identity(PatientID="A1").found_in(b"A1", "SH")


@pytest.mark.parametrize("name", ["Le^An", "Do^An", "Los^Van", "Ma^Li", "Do^Thi Van"])
def test_a_name_of_particles_counts_as_a_whole(name):
    someone = identity(PatientName=name)
    family, given = name.split("^")
    for text in (name, f"{family} {given}", f"{given}, {family}", f"for {given.upper()} {family}."):
        assert someone.found_in(text.encode(), "LO"), text
    for text in (family, f"{family} chest", f"{given.split()[-1]} knee"):
        assert not someone.found_in(text.encode(), "LO"), text


def test_names_of_phantoms_are_nobody():
    for name in ("HEAD^NECK", "PET^CT", "CT^HEAD"):
        assert not identity(PatientName=name).found_in(name.replace("^", " ").encode(), "LO"), name


@pytest.mark.parametrize("text", ["88 27 731", "8827-731", "MRN 8827.731", "no. 8-8-2-7-7-3-1", "8827731"])
def test_a_long_id_is_found_with_marks_between_its_digits(text):
    for value in ("MRN8827731", "8827731", "MRN-8827-731"):
        assert identity(PatientID=value).found_in(text.encode(), "LO"), value
    assert not identity(PatientID="MRN8827732").found_in(text.encode(), "LO")


@pytest.mark.parametrize("vr", ["CS", "AE", "LO"])
@pytest.mark.parametrize("text", ["KX_774411", "KX 77 44 11", "K_X_774411", "KX774411", "KX      774411", "774_4112"])
def test_a_long_id_is_found_with_marks_in_it_in_codes_too(text, vr):
    someone = identity(PatientID="KX774411", AccessionNumber="7744112")
    assert someone.found_in(text.encode(), vr)
    assert not identity(PatientID="KX774412").found_in(text.encode(), vr)


def test_a_long_number_is_found_beside_letters_with_marks_in_it():
    someone = identity(PatientID="4347-091")
    for text in ("CT4347-091", "4347 091a", "P4347.091 head"):
        assert someone.found_in(text.encode(), "LO"), text
    for text in ("14347-091", "CT4347-0912", "4347 092"):
        assert not someone.found_in(text.encode(), "LO"), text


def test_a_name_that_a_code_string_cuts_off_is_found():
    someone = identity(PatientName="Wolfeschlegelsteinhausenbergerdorff^Hubert")
    for text in ("Wolfeschlegelste", "WOLFESCHLEGELST", "Wolfeschlegelsteinhausenberger"):
        assert someone.found_in(text.encode(), "CS"), text
    assert not someone.found_in(b"Wolfeschlegel", "CS")


def test_a_date_with_a_roman_october_is_found():
    someone = identity(PatientBirthDate="19521031")
    for text in ("31.X.1952", "31.x.1952", "31 X 52", "1952/X/31"):
        assert someone.found_in(text.encode(), "SH"), text
    for text in ("31.V.1952", "512 x 52", "31 XI 52"):
        assert not someone.found_in(text.encode(), "SH"), text


def test_numbers_that_only_look_like_an_id_pass():
    someone = identity(PatientID="AB1000000", AccessionNumber="0000001")
    for text in ("1 000 0009", "0.0.0.0.0.0.1", "1.0.0.0.0.0.0"):
        assert not someone.found_in(text.encode(), "LO"), text
    someone = identity(PatientID="CT20240209")
    assert not someone.found_in(b"20240209", "DA") and not someone.found_in(b"20240209", "IS")


@pytest.mark.parametrize("version", ["15.1.24", "V1.15.24", "1 15 24", "VB17A_20240115", "2024.01.15", "12.3.56"])
def test_a_version_that_looks_like_a_date_is_no_hit(version):
    someone = identity(StudyDate="20240115", PatientBirthDate="19560312")
    assert not someone.found_in(version.encode(), "LO", tag_of("SoftwareVersions"))
    assert someone.found_in(version.encode(), "LO")


def test_a_date_of_birth_is_found_in_a_version():
    for version in ("12.03.1956", "1956-03-12", "VB19560312"):
        found = identity(PatientBirthDate="19560312").found_in(version.encode(), "LO", tag_of("SoftwareVersions"))
        assert found, version


@pytest.mark.parametrize("code", ["101", "SRT", "DCM", "121322", "T-0400"])
@pytest.mark.parametrize(
    "keyword", ["StackID", "CodingSchemeDesignator", "CodeValue", "FilterType", "ViewName", "OpticalPathIdentifier"]
)
def test_a_short_id_is_no_hit_where_a_code_stands(code, keyword):
    for someone in (identity(PatientID=code), identity(AccessionNumber=code)):
        assert not someone.found_in(code.encode(), "SH", tag_of(keyword))
        assert someone.found_in(code.encode(), "SH")
    assert identity(PatientID="4711823").found_in(b"4711823", "SH", tag_of(keyword))
    assert identity().found_in(b"Vandermolen", "SH", tag_of(keyword))


@pytest.mark.parametrize(
    "keyword, said",
    [
        ("OutputPower", "100"),
        ("CodeMeaning", "Head"),
        ("CodeMeaning", "Chest"),
        ("ConvolutionKernel", "STANDARD"),
        ("ConvolutionKernel", "BONE"),
        ("PlateType", "Standard"),
        ("AttenuationCorrectionMethod", "Default"),
        ("ReceiveCoilName", "Head"),
    ],
)
def test_an_id_that_is_an_ordinary_word_or_short_number_is_no_hit_where_such_stand(keyword, said):
    for someone in (identity(PatientID=said.upper()), identity(AccessionNumber=said)):
        assert not someone.found_in(said.encode(), "LO", tag_of(keyword))
        assert someone.found_in(said.encode(), "LO", tag_of("SequenceName"))
    for value in ("B30f", "4711823"):
        assert identity(PatientID=value).found_in(value.encode(), "SH", tag_of(keyword))


@pytest.mark.parametrize(
    "name, said",
    [
        ("Baker^Amber", "Baker's cyst"),
        ("Bell^Ida", "Bell palsy"),
        ("Young^Ada", "Young adult"),
        ("Graf^Uwe", "Graf hip"),
        ("Stryker^Lea", "Stryker notch view"),
    ],
)
def test_an_eponym_is_no_hit_in_the_meaning_of_a_code(name, said):
    someone = identity(PatientName=name)
    family, given = name.split("^")
    meaning = tag_of("CodeMeaning")
    assert not someone.found_in(said.encode(), "LO", meaning)
    assert someone.found_in(said.encode(), "LO")
    for text in (family, f"{given} {said}", f"{said}, {family}", f"{family}  {given}", f"{family}, knee"):
        assert someone.found_in(text.encode(), "LO", meaning), text


def test_a_short_id_counts_as_a_whole_value_of_a_text_only():
    someone = identity(PatientID="A12")
    assert someone.found_in(b"A12 ", "SH") and someone.found_in(b"a12", "LO")
    assert not someone.found_in(b"level A12 left", "LO") and not someone.found_in(b"A12", "CS")


@pytest.mark.parametrize(
    "name", ["Anonymous^Patient", "UNKNOWN", "NONE", "Test^Demo", "^", "", "Dr^", "X^Y", "CT^HEAD"]
)
def test_placeholders_are_nobody(name):
    someone = identity_of([(0x00100010, "PN", name), (0x00100020, "LO", "NOID"), (0x00100030, "DA", "19000101")])
    for text in (name, "anonymous patient", "unknown", "noid", "19000101", "CT Head", "Dr"):
        assert not someone.found_in(text.encode(), "LO")


def test_manufacturers_eponyms_and_anatomy_are_no_names_alone():
    someone = identity(PatientName="Siemens^Chest", ReferringPhysicianName="Hodgkin^May")
    for text in ("SIEMENS", "CHEST AP", "Hodgkin lymphoma", "may"):
        assert not someone.found_in(text.encode(), "LO")
    assert someone.found_in(b"Hodgkin, May", "LO")


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("name", ["Vandermolen", "Müllenbrück"])
@pytest.mark.parametrize("vr", ["OB", "LT"])
def test_a_name_is_found_in_bytes_of_any_encoding(name, codec, vr):
    value = b"\x01\x02" + name.encode(codec) + b"\x03\x04"
    assert identity(PatientName=f"{name}^Isidora").found_in(value, vr)


def test_accents_and_umlauts_are_found_as_they_are_spelt():
    someone = identity(PatientName="Müller^Jürgen")
    for text in ("Muller", "MUELLER", "müller", "MÜLLER", "Juergen"):
        assert someone.found_in(text.encode("latin-1"), "LO") and someone.found_in(text.encode(), "LO"), text
    assert identity(PatientName="Muller^Isidora").found_in("Müller".encode(), "LO")


def test_names_of_other_scripts_are_found_in_their_character_set():
    someone = identity(["iso2022_jp"], PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")
    for text in ("山田太郎", "山田 太郎", "やまだ^たろう", "YAMADA"):
        for codec in ("utf-8", "iso2022_jp"):
            assert someone.found_in(f"for {text}".encode(codec), "LO"), text


OTHER_LETTERS = {
    "Иванов^Пётр": ["Иванов", "ИВАНОВ", "иванов", "иВАНОВ Петр", "пётр, иванов", "д-р Иванов"],
    "Ли^Ан": ["Ли Ан", "АН ЛИ", "ли^ан"],
    "Παπαδόπουλος^Γιώργος": ["ΠΑΠΑΔΟΠΟΥΛΟΣ", "Γιωργος"],
    "王^小明": ["王小明", "小明", "王 小明", "病人王小明先生", "王\u3000小明"],
    "王^明": ["王明", "王 明", "王^明", "王\u3000明", "明 王"],
    "王明": ["王明", "王 明"],
    "山田^太郎": ["山田太郎", "山田", "太郎様"],
    "ヤマダ^タロウ": ["ﾔﾏﾀﾞ", "ヤマダタロウ"],
    "김^희중": ["김희중", "희중"],
    "Łukaszewicz^Żaneta": ["Lukaszewicz", "ŁUKASZEWICZ", "ŻANETA", "zaneta"],
    "Çelikoğlu^Işıl": ["ÇELİKOĞLU", "celikoglu", "IŞIL"],
    "Åse^Ørn": ["ÅSE ØRN", "ase orn", "ørn åse"],
    "Vandermolen^Isidora": ["ＶＡＮＤＥＲＭＯＬＥＮ", "Vandërmolen"],
}


@pytest.mark.parametrize("name", OTHER_LETTERS)
def test_names_are_found_in_text_that_was_decoded(name):
    someone = identity(PatientName=name)
    for text in OTHER_LETTERS[name]:
        for written in (text, f"t2 {text} sag"):
            assert someone.found_in(written.encode(), "LO"), text


@pytest.mark.parametrize("name", ["Иванов^Ли", "王^明", "山田^太郎", "Ли^Ан"])
def test_other_words_in_other_letters_pass(name):
    for text in ("Линия", "лиана", "王", "明", "山", "太い線", "Größe µm ²"):
        assert not identity(PatientName=name).found_in(text.encode(), "LO"), text


def test_an_escape_within_a_name_hides_nothing():
    assert identity().found_in(b"Vander\x1b(Bmolen", "LO")


def test_no_text_makes_it_fail():
    rng = random.Random(11)
    alphabet = "²³¹⁹٣１९㊿½Ⅻßſ\u0131İŉǅΣςл王明ﾔ가\u0301\u200d\ud800\x1b\0\\^=-./ \n0123456789aujnıJAN'"
    tags = [(0x00100010, "PN"), (0x00100030, "DA"), (0x00080050, "SH"), (0x00100020, "LO"), (0x00080080, "LO"),
            (0x00080015, "DT"), (0x00102154, "SH")]  # fmt: skip
    for _ in range(400):
        values = [(*rng.choice(tags), "".join(rng.choices(alphabet, k=rng.randrange(14)))) for _ in range(6)]
        someone = identity_of(values, [values[0][2]], ["iso2022_jp", "gb18030"])
        for _ in range(6):
            text = "".join(rng.choices(alphabet, k=rng.randrange(30)))
            value = text.encode(rng.choice(["utf-8", "utf-16-le", "latin-1"]), "replace")
            assert someone.found_in(value, rng.choice(["LO", "CS", "UT", "DS", "OB", "UI"])) in (True, False)


@pytest.mark.parametrize("date", ["1956031²", "２０２４０１１５", "٢٠٢٤٠١١٥"])
def test_a_date_of_other_digits_is_none(date):
    assert identity_of([(0x00100030, "DA", date)]) == Identity()


def test_months_in_letters_that_only_look_like_it_do_no_harm():
    assert identity(StudyDate="20240912").found_in("12 ſept 2024".encode(), "LO")


@pytest.mark.parametrize("path", get_charset_files("chr*.dcm"), ids=lambda path: Path(path).stem)
def test_names_are_found_as_they_stand_in_a_file(path):
    ds = dcmread(path)
    ds = ds if "PatientName" in ds else ds.RequestedProcedureCodeSequence[0]
    charset = ds.original_character_set
    codecs = [charset] if isinstance(charset, str) else charset
    someone = identity_of([(0x00100010, "PN", str(ds.PatientName))], codecs=codecs)
    assert someone.found_in(bytes(ds.PatientName.original_string), "LO")


def test_glued_names_are_found():
    someone = identity(PatientName="Smithe^Jo")
    for text in ("SmitheKnee", "kneeSmithe", "t1_smithe_sag", "SMITHE01", "01Smithe", "Smithe's"):
        assert someone.found_in(text.encode(), "LO"), text
    assert not someone.found_in(b"blacksmithery", "LO")


def test_more_values_of_the_cohort_count():
    someone = identity(extra=["COHORT-77", "Quillfeather^Ottoline"])
    assert someone.found_in(b"cohort 77", "LO") and someone.found_in(b"of Ottoline", "LO")


def test_what_does_not_identify_is_passed_over():
    assert identity_of([(0x0008103E, "LO", "Vandermolen")]) == Identity()
    assert tag_of("PatientID") in IDENTIFYING and "PN" in IDENTIFYING_VRS
    assert not Identity().found_in(b"anything 19610823", "LT")


def test_equal_values_make_equal_identities():
    assert identity() == identity() and hash(identity()) == hash(identity())


def test_it_is_quick():
    someone = identity()
    someone.found_in(b"SIEMENS", "LO")
    start = time.perf_counter()
    for _ in range(2000):
        someone.found_in(b"ORIGINAL\\PRIMARY\\AXIAL", "CS")
    assert time.perf_counter() - start < 5  # a guard against growth, no measurement


def test_it_is_quick_with_hundreds_of_terms():
    rng = random.Random(3)
    syllables = "ka mo ri ste lu bren to vi schw ang el pho dy zor".split()
    names = ["^".join("".join(rng.choices(syllables, k=3)) for _ in range(2)) for _ in range(400)]
    values = [(0x00081070, "PN", name) for name in names]
    values += [(0x00101000, "LO", str(rng.randrange(10**6, 10**9))) for _ in range(100)]
    start = time.perf_counter()
    someone = identity_of(values)
    someone.found_in(b"SIEMENS", "LO")
    assert time.perf_counter() - start < 5
    start = time.perf_counter()
    for _ in range(1000):
        someone.found_in(b"ORIGINAL\\PRIMARY\\AXIAL", "CS")
    assert time.perf_counter() - start < 5


def test_long_tables_are_quick():
    someone = identity()
    table = b"".join((number // 2).to_bytes(2, "little") for number in range(100_000))
    someone.found_in(b"\0\1\2\3", "OW")
    start = time.perf_counter()
    assert not someone.found_in(table, "OW")
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("patient_id", ["151-226", "10-012"])
def test_a_short_id_of_digits_is_found_as_it_is_written(patient_id: str) -> None:
    someone = identity_of([(0x00100020, "LO", patient_id)])
    assert someone.found_in(f"COIL {patient_id}".encode(), "SH")
    assert not someone.found_in(patient_id.replace("-", ".").encode(), "DS")
