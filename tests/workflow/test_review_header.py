"""An original's header as a reviewer reads it: all of it, harmless to a terminal, whatever the bytes hold."""

import random
import struct
from pathlib import Path

import pydicom
import pytest

from dicom_assets.deid.deidentify import Deidentifier
from dicom_assets.deid.elements import InMemory, encode, encode_sequence
from dicom_assets.deid.profile import Profile, load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.demo.corpus import Corpus
from dicom_assets.workflow.review_header import MOST_ELEMENTS, Header, Shown, harmless, header_of

ESCAPES = "A\x1b]0;owned\x07\x1b[2J\r\n\u202eB\x9b31m"


@pytest.fixture(scope="module")
def profile() -> Profile:
    return load_profile("basic")


def read(content: bytes, profile: Profile) -> Header:
    return header_of(InMemory(content), profile)


def rows_of(header: Header) -> dict[int, Shown]:
    """Of the top level."""
    return {row.tag: row for row in header.rows if not row.depth}


def data_set(*more: bytes) -> bytes:
    """Explicit VR Little Endian, without file meta information."""
    return b"".join([encode(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7"), encode(0x00080018, "UI", b"1.2.3"), *more])


@pytest.mark.parametrize("name", ["basic", "research", "halo"])
def test_it_says_what_the_engine_does(corpus: Corpus, name: str) -> None:
    profile = load_profile(name)
    engine = Deidentifier(profile, PseudonymKey(bytes(32)))
    for path in [corpus.folder / study.instances[0].path for study in corpus.studies]:
        source = InMemory(path.read_bytes())
        header = header_of(source, profile)
        assert header.code == ""
        out = pydicom.dcmread(_file(engine.deidentify(source).encoded(source)))
        original = pydicom.dcmread(path)
        rows = rows_of(header)
        assert {tag for tag in rows if tag & 0xFFFF} == {int(element.tag) for element in original}
        for tag, row in rows.items():
            if row.done == "removed":
                assert tag not in out, row
            elif row.done == "emptied":
                assert tag not in out or not out[tag].value, row
            elif row.done == "pseudonym":
                assert out[tag].value == out.PatientID != original[tag].value, row
            elif row.done == "new UID":
                assert out[tag].value != original[tag].value or not original[tag].value or "10008" in row.text, row
            elif row.done == "kept" and row.vr != "SQ" and tag in out:
                assert out[tag].value == original[tag].value, row


def _file(content: bytes) -> object:
    from io import BytesIO

    return BytesIO(content)


def test_every_level_and_private_elements_are_shown(profile: Profile) -> None:
    inner = encode(0x00100010, "PN", "Müller^Eva".encode("latin-1"))
    content = data_set(
        encode(0x00080005, "CS", b"ISO_IR 100"),
        encode_sequence(0x00081110, [encode_sequence(0x00081140, [inner])]),
        encode(0x00090010, "LO", b"ACME 1.1"),
        encode(0x00091001, "UN", b"in private"),
        encode(0x00280010, "US", struct.pack("<H", 512)),
        encode(0x7FE00010, "OW", bytes(4096)),
        encode(0xFFFCFFFC, "OB", bytes(6)),
    )
    header = read(bytes(128) + b"DICM" + encode(0x00020010, "UI", b"1.2.840.10008.1.2.1") + content, profile)
    assert header.code == ""
    found = {(row.depth, row.name): row for row in header.rows}
    assert found[2, "PatientName"].text == "Müller^Eva"
    assert found[2, "PatientName"].done == "removed", "with the sequence that holds it"
    assert (found[0, "(0009,1001)"].text, found[0, "(0009,1001)"].done) == ("in private", "removed")
    assert found[0, "Rows"].text == "512"
    assert found[0, "PixelData"].text == "<4096 bytes>"
    assert (0, "DataSetTrailingPadding") in found


def test_no_character_that_a_terminal_obeys_is_left(profile: Profile) -> None:
    text = encode(0x00080005, "CS", b"ISO_IR 192") + encode(0x00081030, "LO", "\u202eB\x9b31m\u2028".encode())
    text += encode(0x00100010, "PN", ESCAPES.encode())
    private = encode(0x00090010, "LO", ESCAPES.encode()) + encode(0x00091001, "UN", ESCAPES.encode())
    header = read(data_set(text, private, encode(0x00280010, "US", b"\x1b\x5b" * 999)), profile)
    assert header.code == "" and len(header.rows) == 8
    for row in header.rows:
        assert row.text.isprintable() and row.text.count("\n") == 0, row
    assert rows_of(header)[0x00081030].text == r"\u202eB\x9b31m\u2028"
    assert rows_of(header)[0x00100010].text.startswith(r"A\x1b]0;owned\x07\x1b[2J\r\n")
    assert all(len(row.text) <= 80 for row in header.rows)
    assert harmless("x" * 80) == "x" * 80 and len(harmless("\x1b" * 80)) == 80


@pytest.mark.parametrize("cut", [9, 200, 1000, -1000, -1])
def test_of_a_cut_file_it_shows_what_is_there_and_where_it_ends(corpus: Corpus, profile: Profile, cut: int) -> None:
    instance = next(one for one in corpus.instances if one.modality == "CT")
    content = (corpus.folder / instance.path).read_bytes()
    whole, header = read(content, profile), read(content[:cut], profile)
    assert header.code in ("NOT_DICOM", "UNREADABLE", "ELEMENT_TRUNCATED")
    assert header.rows[:-1] == whole.rows[: max(len(header.rows) - 1, 0)]
    assert (0 < header.position <= len(content[:cut])) == bool(header.rows)


def test_damaged_bytes_end_it_and_never_break_it(corpus: Corpus, profile: Profile) -> None:
    chance = random.Random(20261122)
    codes = set()
    for path in [corpus.folder / study.instances[0].path for study in corpus.studies]:
        content = path.read_bytes()[:20000]
        for _ in range(40):
            damaged = bytearray(content)
            for _ in range(chance.randint(1, 8)):
                damaged[chance.randrange(100, min(len(damaged), 4000))] = chance.randrange(256)
            header = read(bytes(damaged), profile)
            codes.add(header.code)
            assert all(row.text.isprintable() for row in header.rows)
    assert {"ELEMENT_TRUNCATED", "VR_UNKNOWN"} <= codes


def test_bombs_are_small(profile: Profile) -> None:
    begin = struct.pack("<HH2sHL", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    header = read(data_set(begin * 100_000), profile)
    assert header.code == "NESTED_TOO_DEEPLY" and len(header.rows) < 50
    many = read(data_set(*[encode(0x00280010, "US", b"\1\0")] * 20_000), profile)
    assert many.code == "REVIEW_HEADER_CUT" and len(many.rows) == MOST_ELEMENTS
    claims = read(data_set(struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, 0xFFFFFFF0)), profile)
    assert claims.code == "ELEMENT_TRUNCATED" and claims.rows[-1].name == "PixelData"
    assert read(b"", profile).code == "NOT_DICOM" and read(Path(__file__).read_bytes(), profile).code == "NOT_DICOM"
