"""Whatever way a value of the patient is written and wherever it stands it is found; what only looks like it is not."""

import io
import random
import struct
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread, uid
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence

from dicom_assets.deid.deidentify import Deidentifier
from dicom_assets.deid.elements import InMemory
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.residual import Search, find_in_text, find_residuals, identifiers_of, merged, pieces_of
from dicom_assets.deid.residual_text import dates_in, folded, ordinary_words
from dicom_assets.errors import Refused
from tests.deid.instances import KEY, encoded, minimal

OLD_UID = "1.2.276.0.99999.1.20240117.3"


def original(**changes):
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Vandermolen^Isidora", "0012345", "19610823"
    ds.ReferringPhysicianName, ds.AccessionNumber, ds.StudyDate = "Brown^May", "ACC-778812", "20240117"
    ds.PatientAddress, ds.InstitutionName = "Quellgasse 14^98765 Nirgendheim", "Klinikum Nirgendheim"
    ds.PatientTelephoneNumbers, ds.StudyInstanceUID = "+49 999 7654321", OLD_UID
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def output(syntax=uid.ExplicitVRLittleEndian, preamble=bytes(128), **values):
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = uid.CTImageStorage, "2.25.99"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.file_meta, ds.preamble = FileMetaDataset(), preamble
    ds.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


IDENTIFIERS = identifiers_of([original()])

WRITTEN = {
    "whole name": ("Isidora Vandermolen", "name"),
    "a part": ("seen VANDERMOLEN today", "name"),
    "inside a word": ("xvandermolen2", "name"),
    "ordinary parts as a whole": ("May  Brown, MD", "name"),
    "joined": ("MayBrown", "name"),
    "ID": ("MRN:0012345", "identifier"),
    "ID without zeros": ("no. 12345.", "identifier"),
    "ID next to letters": ("PAT0012345x", "identifier"),
    "accession": ("acc 778812", "identifier"),
    "accession joined": ("ACC778812", "identifier"),
    "address": ("98765 nirgendheim", "contact"),
    "institution": ("KLINIKUM NIRGENDHEIM", "contact"),
    "telephone": ("(+49) 999-7654321", "contact"),
    "telephone joined": ("499997654321", "identifier"),
    "UID": (f"from {OLD_UID}", "uid"),
    "UID continued": (f"{OLD_UID}.7", "uid"),
}


@pytest.mark.parametrize("text, kind", WRITTEN.values(), ids=WRITTEN.keys())
def test_a_value_is_found_however_it_is_written(text, kind):
    assert kind in find_in_text(text, IDENTIFIERS)


DATES = """19610823 1961-08-23 1961/08/23 1961.08.23 23.08.1961 23.8.1961 08/23/1961 8/23/1961 23/08/1961 23-08-1961
23.08.61 08/23/61 23081961 19610823101500 DOB19610823T10"""


@pytest.mark.parametrize(
    "text",
    [
        *DATES.split(),
        "23 August 1961",
        "August 23, 1961",
        "23-AUG-1961",
        "Aug 23rd 1961",
        "23. aout 1961",
        "23 de agosto de 1961",
    ],
)
def test_a_date_is_found_however_it_is_written(text):
    assert find_in_text(f"on {text.replace('aout', 'août')} at", IDENTIFIERS) == ["date"]


HARMLESS = {
    "ordinary part": "a brown stain in may",
    "short part of a word": "isidor",
    "digits in a UID": "2.25.19610823.12345",
    "digits in a longer number": "9912345",
    "digits before a decimal point": "12345.5",
    "year alone": "1961",
    "another date": "24.08.1961",
    "dummy date": "19000101",
    "another UID with the same root": "1.2.276.0.99999.1.20240117.33",
    "numbers of a vector": r"23\8\1961",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_only_looks_like_it_is_no_hit(text):
    assert find_in_text(text, IDENTIFIERS) == []


def nested(depth):
    item = Dataset()
    item.CodeMeaning = "of Isidora"
    for _ in range(depth):
        outer = Dataset()
        outer.ConceptCodeSequence = Sequence([item])
        item = outer
    return item.ConceptCodeSequence


SYNTAXES = [
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_it_is_found_at_any_depth_in_any_syntax(syntax):
    (hit,) = find_residuals(output(syntax, ConceptCodeSequence=nested(3)), IDENTIFIERS)
    assert hit.place == "(0040,A168)[0].(0040,A168)[0].(0040,A168)[0].(0008,0104)" and hit.kind == "name"


def test_nesting_without_end_is_searched_as_bytes():
    encoded = output() + struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    encoded += (
        struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    ) * 5000
    assert [hit.kind for hit in find_residuals(encoded + b" Vandermolen ", IDENTIFIERS)] == ["name"]


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("name", ["Vandermolen", "Müllenbrück"])
def test_it_is_found_in_bytes_of_any_encoding(name, codec):
    identifiers = identifiers_of([original(PatientName=f"{name}^Isidora")])
    encoded = output(EncapsulatedDocument=b"\x01\x02" + name.encode(codec) + b"\x03\x04")
    assert [(hit.kind, hit.place) for hit in find_residuals(encoded, identifiers)] == [("name", "(0042,0011)")]


@pytest.mark.parametrize("path", get_charset_files("chr*.dcm"), ids=lambda path: path.rsplit("/", 1)[-1])
def test_names_are_found_in_every_character_set(path):
    """As they are, and as text of another element in UTF-8."""
    ds = dcmread(path)
    identifiers = identifiers_of([ds])
    encoded = Path(path).read_bytes()
    kinds = {hit.kind for hit in find_residuals(encoded, identifiers) if "(0010,0010)" in hit.place}
    assert "name" in kinds or not str(ds.get("PatientName", ""))


def test_a_name_of_another_script_is_found_as_text():
    identifiers = identifiers_of([original(PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")])
    for text in ("山田太郎", "山田 太郎", "やまだ^たろう", "YAMADA"):
        encoded = output(SpecificCharacterSet="ISO_IR 192", SeriesDescription=f"for {text}")
        assert find_residuals(encoded, identifiers), text


PLACES = {
    "preamble": (output(preamble=b"II*\0Vandermolen".ljust(128, b"\0")), "preamble"),
    "after the data set": (output() + b"19610823", "after the data set"),
    "no file": (b"Isidora", "not a Part 10 file"),
    "after the pixels": (output(DataSetTrailingPadding=b"Vandermolen\0"), "(FFFC,FFFC)"),
}


@pytest.mark.parametrize("encoded, place", PLACES.values(), ids=PLACES.keys())
def test_it_is_found_outside_of_the_data_set(encoded, place):
    assert {hit.place for hit in find_residuals(encoded, IDENTIFIERS)} == {place}


def test_what_the_profile_keeps_is_masked_at_that_element_only():
    encoded = output(StudyDate="20240117", SeriesDescription="of 20240117")
    kept = frozenset({0x00080020})
    assert [hit.place for hit in find_residuals(encoded, IDENTIFIERS, kept)] == ["(0008,103E)"]


def test_pixels_are_not_searched():
    ds = {"PixelData": b"Vandermolen\0", "BitsAllocated": 8, "PixelRepresentation": 0}
    assert find_residuals(output(**ds), IDENTIFIERS) == []


def test_a_short_id_counts_as_a_whole_value_only():
    identifiers = identifiers_of([original(PatientID="A12")])
    assert find_residuals(output(SeriesDescription="A12"), identifiers)
    assert not find_residuals(output(SeriesDescription="level A12 left"), identifiers)


def test_an_id_of_one_or_two_digits_is_equal_to_a_counter():
    for number in ("0", "1", "12"):
        assert not find_residuals(output(FilterType=number), identifiers_of([original(AccessionNumber=number)]))
    identifiers = identifiers_of([original(PatientID="101")])
    assert find_residuals(output(SeriesDescription="101"), identifiers)
    assert not find_residuals(output(ViewName="101"), identifiers)


@pytest.mark.parametrize(
    "own, said",
    [
        ({"PatientName": "TrioTim^QA"}, "TrioTim"),
        ({"PatientName": "GE^SIGNA"}, "GE SIGNA"),
        ({"PatientName": "EPIQ^7G"}, "EPIQ 7G"),
        ({"InstitutionName": "Vivid E95"}, "Vivid E95"),
        ({"OperatorsName": "planmed"}, "Planmed"),
        ({"AccessionNumber": "10000"}, "10000"),
    ],
)
def test_a_product_is_no_hit_where_the_make_is_said(own, said):
    identifiers = identifiers_of([original(**own)])
    for keyword in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions"):
        assert not find_residuals(output(**{keyword: said}), identifiers), keyword
        assert find_residuals(output(**{keyword: f"{said} of Vandermolen^Isidora"}), IDENTIFIERS)
    assert find_residuals(output(SeriesDescription=said), identifiers)


def test_an_id_of_few_digits_may_be_a_measurement():
    encoded = output(Exposure="12345", TubeAngle=1.5)
    assert find_residuals(encoded, IDENTIFIERS) == []


def test_more_ids_of_the_request_count():
    identifiers = identifiers_of([original()], ["1.2.276.0.99999.77.12", "COHORT-7"])
    assert find_in_text("cohort 7 in 1.2.276.0.99999.77.12", identifiers) == ["identifier", "uid"]


def test_kinds_of_objects_are_no_identifiers():
    ds = original(SOPClassUID="1.3.12.2.1107.5.9.1.77.1")
    assert "1.3.12.2.1107.5.9.1.77.1" not in identifiers_of([ds]).uids


def test_every_byte_but_the_pixels_is_in_a_piece():
    encoded = Path(get_testdata_file("CT_small.dcm")).read_bytes()
    pieces = pieces_of(encoded)
    assert {piece.zone for piece in pieces} == {"preamble", "file meta", ""}
    headers = sum(12 if piece.vr in ("OB", "OW", "UN", "SQ", "UT") else 8 for piece in pieces if piece.tag)
    items = 16  # two items of the one sequence
    values = sum(len(piece.value) for piece in pieces)
    assert values + headers + items + 4 + 32768 == len(encoded)


def test_ordinary_words_are_those_of_the_standard_and_of_radiology_in_its_languages():
    assert {"chest", "brown", "contrast", "herz", "schadel", "schaedel", "dixon"} <= ordinary_words()
    assert not {"vandermolen", "schmidt", "campbell", "hutchinson"} & ordinary_words()


def test_folding_leaves_what_matters():
    assert folded("Müller-José^山田 Straße") == " muller jose 山田 strasse "
    assert dates_in("no date 99.99.2020") == set()


@pytest.mark.parametrize(
    "stream",
    [
        b"\xff\xd8\xff\xfe\x00\x19Ottoline Quillfeather\0\0\xff\xda\0\2" + b"\x55" * 20 + b"\xff\xd9",
        b"\xff\xd8\xff\xda\0\2" + b"\x55" * 20 + b"\xff\xd9" + b"Ottoline Quillfeather ",
        b"\xff\x4f\xff\x64\x00\x19\0\1Ottoline Quillfeather\xff\x90\0\2" + b"\x55" * 21 + b"\xff\xd9",
    ],
    ids=["JPEG comment", "behind the end", "JPEG 2000 comment"],
)
def test_a_name_beside_the_coded_pixels_is_found(stream: bytes) -> None:
    original = Dataset()
    original.PatientName = "Quillfeather^Ottoline"
    identifiers = identifiers_of([original])
    item = b"\xfe\xff\x00\xe0"
    pixels = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + item + bytes(4) + item + len(stream).to_bytes(4, "little")
    encoded = bytes(128) + b"DICM" + pixels + stream + b"\xfe\xff\xdd\xe0" + bytes(4)
    assert {hit.kind for hit in find_residuals(encoded, identifiers)} == {"name"}


def held(element, value, **header):
    """An original with this header, and a text or number in an element that halo keeps."""
    ds = minimal()
    ds.SpecificCharacterSet, ds.PatientBirthDate, ds.StudyDate = "ISO_IR 192", "19610823", "20240117"
    for keyword, own in {**header, element: value}.items():
        setattr(ds, keyword, own)
    return ds


@pytest.fixture(scope="module", params=["basic", "hipaa-safe-harbor", "research", "halo"])
def engine(request, tmp_path_factory):
    """One for each shipped profile, and the profile."""
    path = tmp_path_factory.mktemp("profile") / "unexamined.toml"
    path.write_text(f'base = "{request.param}"\npixels = "unexamined"\n')
    profile = load_profile(str(path))
    return Deidentifier(profile, KEY), profile


@pytest.fixture(scope="module")
def halo():
    profile = load_profile("halo")
    return Deidentifier(profile, KEY), profile


def released(engine, original):
    """The output's bytes and what the check finds in them; Refused where the last gate does."""
    deidentifier, profile = engine
    source = InMemory(encoded(original))
    out = deidentifier.deidentify(source).encoded(source)
    return out, find_residuals(out, identifiers_of([original]), profile.kept_tags)


BOTH_PASS = [
    ("SeriesDescription", "Herz Bauch Bein nativ", {"OperatorsName": "Herz^Anna"}),
    ("SeriesDescription", "Sch\u00e4del nativ", {"OperatorsName": "Schaedel^Anna"}),
    ("SeriesDescription", "Fu\u00df re", {"PatientName": "Fu\u00df^Jo"}),
    ("StudyDescription", "TC cuello", {"PatientName": "Cuello^Jo"}),
    ("StudyDescription", "Kopf MRT", {"PerformingPhysicianName": "Prof. Dr. Kopf"}),
    ("StudyDescription", "Stein CT", {"PatientName": "Stein^Rita"}),
    ("StudyDescription", "T1 Dixon", {"PatientName": "Dixon^Jo"}),
    ("ReceiveCoilName", "CT BODY", {"OperatorsName": "CT^Body"}),
    ("ReceiveCoilName", "MR Head", {"OperatorsName": "MR^Head"}),
    ("ReceiveCoilName", "Brain Phantom", {"PatientName": "BRAIN^PHANTOM"}),
    ("ImageType", ["DERIVED", "SECONDARY", "AXIAL", "VOLUME"], {"OperatorsName": "Axial^Volume"}),
    ("ImagePositionPatient", ["-10.212", "3.0", "5"], {"PatientID": "10-212"}),
    ("ImagePositionPatient", ["150", "200", "30"], {"PatientID": "150-200"}),
    ("ImagePositionPatient", ["10", "20", "30"], {"PatientID": "10-20-30"}),
    ("SliceLocation", "123.456", {"PatientID": "123-456"}),
    ("SliceLocation", "0.123456", {"PatientID": "123-456"}),
    ("SliceLocation", "12.34", {"PatientID": "12-34"}),
    ("SOPClassUID", uid.CTImageStorage, {"PatientID": "5-1-4"}),
    ("SeriesDescription", "MR Center", {"InstitutionName": "MR Center"}),
    ("SeriesDescription", "TEST", {"PatientID": "TEST"}),
    ("SoftwareVersions", "2024-01-17", {}),
    ("ReceiveCoilName", "100", {"PatientID": "100"}),
    ("ConvolutionKernel", "STANDARD", {"PatientID": "Standard"}),
]
BOTH_HIT = [
    ("SeriesDescription", "for Herz, Anna", {"OperatorsName": "Herz^Anna"}),
    ("SeriesDescription", "Rita Stein", {"OperatorsName": "Stein Rita"}),
    ("SeriesDescription", "RoseStone", {"PatientName": "Stone^Rose"}),
    ("SeriesDescription", "of Le An", {"PatientName": "Le^An"}),
    ("SeriesDescription", "M\u00fcller re", {"PatientName": "M\u00fcller^Jo"}),
    ("SeriesDescription", "by Hutchinson", {"ReferringPhysicianName": "Hutchinson^A"}),
    ("ReceiveCoilName", "no. 123 4567", {"PatientID": "123-4567"}),
    ("ReceiveCoilName", "Siemens^Werner", {"PatientName": "Siemens^Werner"}),
    ("SliceLocation", "1234567", {"PatientID": "123-4567"}),
    ("SeriesDescription", "+49 999 765-4321", {"PatientTelephoneNumbers": "+49 999 765 4321"}),
    ("SeriesDescription", "Klinikum Nirgendheim", {"InstitutionName": "Klinikum Nirgendheim"}),
    ("SeriesDescription", "2024-01-17", {}),
    ("SoftwareVersions", "1961-08-23", {}),
    ("ReceiveCoilName", "A12", {"PatientID": "A12"}),
    ("ReceiveCoilName", "12-34", {"PatientID": "12-34"}),
]


@pytest.mark.parametrize("element, value, header", BOTH_PASS, ids=str)
def test_what_tells_nobody_passes_the_gate_and_the_check(halo, element, value, header):
    out, hits = released(halo, held(element, value, **header))
    assert dcmread(io.BytesIO(out))[element].value == value and hits == []


@pytest.mark.parametrize("element, value, header", BOTH_HIT, ids=str)
def test_what_tells_the_patient_passes_neither(halo, element, value, header):
    """The engine refuses it or takes it out."""
    original = held(element, value, **header)
    try:
        out, hits = released(halo, original)
    except Refused:
        pass
    else:
        assert dcmread(io.BytesIO(out))[element].value != value and hits == []
    assert find_residuals(output(**{element: value}), identifiers_of([original]))


def test_an_id_of_digits_is_found_as_it_is_written_where_text_stands():
    identifiers = identifiers_of([original(PatientID="10-212")])
    assert find_residuals(output(ReceiveCoilName="subject 10-212"), identifiers)
    assert not find_residuals(
        output(ImagePositionPatient=["10.212", "3", "5"], SOPInstanceUID="2.25.10.212"), identifiers
    )
    assert not find_residuals(output(OtherPatientIDs="", EncapsulatedDocument=b"\xff10\xfe212" * 9), identifiers)


@pytest.mark.parametrize(
    "meaning, name, counts",
    [
        ("Baker's cyst", "Baker^Jo", False),
        ("Hutchinson fracture", "Hutchinson^Jo", False),
        ("Hutchinson", "Hutchinson^Jo", True),
        ("Jo Hutchinson fracture", "Hutchinson^Jo", True),
    ],
)
def test_an_eponym_is_no_hit_where_a_code_is_spelled_out(meaning, name, counts):
    code = Dataset()
    code.CodeMeaning = meaning
    identifiers = identifiers_of([original(PatientName=name)])
    assert bool(find_residuals(output(ConceptCodeSequence=Sequence([code])), identifiers)) == counts


@pytest.mark.parametrize("name", ["Philips^Imaging", "Imaging^Philips^DD"])
def test_a_safe_private_creator_is_no_hit_whoever_is_called_like_it(name):
    identifiers = identifiers_of([original(PatientName=name)])
    for tag, creator, counts in (
        (0x20010010, "Philips Imaging DD 001", False),
        (0x20010010, "Philips Imaging", True),
        (0x20011001, "Philips Imaging DD 001", True),
    ):
        ds = dcmread(io.BytesIO(output()))
        ds.add_new(tag, "LO", creator)
        assert bool(find_residuals(encoded(ds), identifiers)) == counts


FAMILIES = """Smith Johnson Williams Brown Jones Miller Davis Wilson Young King Wright Hill Green Baker Hall Campbell
Long Stone Ward Bell Cook Gray Price Wood Foster Hunt Fox Rice Black Kopf Stein Herz Bauch Knie Lang Kurz Gross Klein
Weiss
Zahn Leber Lunge Becken Bein Braun M\u00fcller Fu\u00df Sch\u00e4fer Cuello Cabeza Cruz Blanco Petit Leroy Rossi Piede
Li Le Van An Dixon Swan Vida Siemens Philips Canon Fischer Axial Brain CT MR Test""".split()
GIVENS = "John Mary Anna Jo Heidi Rose May Max Ida An Le Mark Grace Rita Body Head Phantom Volume QA Emma Bo".split()
TEXTS = """Herz Bauch Bein nativ|Kopf MRT|T1 Dixon cor|Smith fracture|Baker cyst|SWAN 3D|CT BODY|MR Head|Brain Phantom
|Knie re|Fu\u00df li|Stein CT|TC cuello|TC cabeza|piede dx|Becken tief|Lunge low dose|Leber portal|young adult|long axis
|Ward round|axial volume|Hill-Sachs|Bell palsy|black blood|white matter|gray scale|petit bassin|soft|STANDARD|10-20|100
|Siemens coil 15|Rose Stone|Le An|VIDA|Canon|head and neck|hand|T2 brown fat""".replace("\n", "").split("|")
PLACES_OF_TEXT = """SeriesDescription StudyDescription ProtocolName ReceiveCoilName ConvolutionKernel SequenceName
Manufacturer ManufacturerModelName SoftwareVersions FilterType BodyPartExamined""".split()


def anybody(draw):
    """An original of somebody who is called like many, with technical texts and numbers."""
    header = {
        "PatientName": f"{draw.choice(FAMILIES)}^{draw.choice(GIVENS)}",
        "OperatorsName": draw.choice(["{0}^{1}", "{0}", "Dr. {0}", "{1} {0}"]).format(
            draw.choice(FAMILIES), draw.choice(GIVENS)
        ),
        "PatientID": draw.choice(["{}-{:03}", "{}{:05}", "P{}{:03}", "{}/{}"]).format(
            draw.randint(1, 200), draw.randint(1, 400)
        ),
        "AccessionNumber": draw.choice(["", "100", "1001", "CT1", "A10001", "HEAD", "10-20"]),
        "InstitutionName": draw.choice(["MR Center", "Klinik am Stein", "Radiology", "Siemens", "CT"]),
        "ImagePositionPatient": [f"{draw.uniform(-250, 250):.3f}" for _ in range(3)],
        "SliceLocation": f"{draw.randint(1, 200)}.{draw.randint(1, 400):03}",
        "ImageType": ["DERIVED", "SECONDARY", "AXIAL", "VOLUME"],
    }
    for place in draw.sample(PLACES_OF_TEXT, 2):
        header[place] = draw.choice(TEXTS)
    return held("Modality", "CT", **header)


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, about values that their VR does not allow
def test_the_check_reports_nothing_that_the_engine_releases(engine):
    draw, reported, out = random.Random(20240117), [], 0
    for _ in range(500):
        original = anybody(draw)
        try:
            _, hits = released(engine, original)
        except Refused:
            continue
        out += 1
        reported += [(str(original.PatientName), str(original.OperatorsName), hits)] if hits else []
    assert reported == [] and out > 400


def test_what_one_file_told_hides_nothing_in_the_next() -> None:
    """One search over many files finds in each what a search of its own finds."""
    kept = frozenset({0x00080020})
    search = Search(IDENTIFIERS, kept)
    files = [
        output(SeriesDescription="Abdomen", StudyDate="20240117"),
        output(SeriesDescription="Abdomen", ImageComments="asked by Vandermolen"),
        output(SeriesDescription="asked by Vandermolen", StudyDate="20240117"),
        output(SeriesDescription="Abdomen", ProtocolName="Abdomen", ContentDate="20240117"),
        output(SeriesDescription="Abdomen", SoftwareVersions="20240117"),
        output(SeriesDescription="Abdomen", AcquisitionDate="20240117", ImageComments="20240117"),
        output(uid.ImplicitVRLittleEndian, SeriesDescription="Abdomen", ImageComments="Vandermolen"),
    ]
    found = [search.in_pieces(pieces_of(encoded)) for encoded in (*files, *files)]
    assert found == [find_residuals(encoded, IDENTIFIERS, kept) for encoded in files] * 2
    assert [len(hits) for hits in found[: len(files)]] == [0, 1, 1, 1, 0, 2, 1]


def test_originals_read_in_parts_tell_what_they_tell_together() -> None:
    originals = [original(), original(PatientName="Le^An"), original(OperatorsName="Brandtmeier^Ottokar")]
    together = identifiers_of(originals, ["AB-99881"])
    assert merged([*(identifiers_of([one]) for one in originals), identifiers_of((), ["AB-99881"])]) == together
