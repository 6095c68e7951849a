"""A name in a compressed stream does not go out, wherever it stands; a stream without one goes out as it is."""

import random
import re
from collections.abc import Callable

import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import UID

from dicom_assets.deid.deidentify import Deidentifier
from dicom_assets.deid.elements import InMemory
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.residual import find_residuals, identifiers_of
from dicom_assets.errors import Refused
from tests.deid.encoding import PIXEL_DATA, parse
from tests.deid.instances import KEY, deidentify, encoded, minimal

BASIC = load_profile("basic")
NAME, HARMLESS = b"made for Ottoline Quillfeather", b"made with Lavc58.134.100 lossy"
JPEG, PROGRESSIVE, JPEG_LS = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 55, 80))
JPEG_2000, MPEG, RLE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.5"

#: Values of the usual Huffman table, T.81 K.5: an ID may look like part of them
_USUAL_TABLE = b"&'()*456789:CDEFGHIJSTUVWXYZcdefghijstuvwxyz"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def coded(size: int, seed: int = 1) -> bytes:
    """As the coded data of JPEG and JPEG-LS may be: behind FF stands nought."""
    return random.Random(seed).randbytes(size).replace(b"\xff", b"\xff\0").rstrip(b"\xff") + b"\0"


def scan(size: int = 300, components: int = 1, seed: int = 1) -> bytes:
    return segment(0xDA, bytes([components, *[1, 0] * components, 0, 63, 0])) + coded(size, seed)


def comment(text: bytes) -> bytes:
    return segment(0xFE, text)


SOI, EOI = b"\xff\xd8", b"\xff\xd9"
JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
TABLES = segment(0xDB, bytes(range(65))) + segment(0xC4, b"\x10" + bytes([1] * 16) + _USUAL_TABLE)
FRAME = segment(0xC0, b"\x08\0\x40\0\x40\1\1\x11\0")
FRAME_OF_THREE = segment(0xC2, b"\x08\0\x40\0\x40\3\1\x11\0\2\x11\0\3\x11\0")
HEADER = JFIF + TABLES + FRAME
IMAGE = SOI + HEADER + scan() + EOI
LARGE = 1_200_000  #: bytes of coded data: too many to be read for nothing


def large(behind: bytes = b"", end: bytes = EOI) -> bytes:
    return SOI + HEADER + scan(LARGE) + behind + end


SOC, SOT, SOD = b"\xff\x4f", 0x90, b"\xff\x93"
MAIN = segment(0x51, bytes(38)) + segment(0x52, bytes(10)) + segment(0x5C, bytes(5))


def tile(header: bytes = b"", size: int = 300, stated: bool = True) -> bytes:
    data = header + SOD + bytes([0x80, 0xFF, 0x64, 0, 9]) * (size // 5)
    return segment(SOT, bytes(2) + (stated * (len(data) + 12)).to_bytes(4, "big") + b"\0\1") + data


def box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


SIGNATURE = box(b"jP  ", b"\r\n\x87\n")
RLE_FRAME = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + bytes([193, 7]) * 64

#: What holds a text beside its pixels, as fragments
HIDING_PLACES: dict[str, tuple[str, Callable[[bytes], list[bytes]]]] = {
    "comment": (JPEG, lambda t: [SOI + comment(t) + HEADER + scan() + EOI]),
    "comment of UTF-16": (JPEG, lambda t: [SOI + comment(t.decode().encode("utf-16-le")) + HEADER + scan() + EOI]),
    "application segment": (JPEG, lambda t: [SOI + segment(0xE5, b"\0\1" + t) + HEADER + scan() + EOI]),
    "segment of no known kind": (JPEG, lambda t: [SOI + segment(0xF3, b"\0\1" + t) + HEADER + scan() + EOI]),
    "comment between scans": (
        PROGRESSIVE, lambda t: [SOI + TABLES + FRAME_OF_THREE + scan() + comment(t) + scan() + EOI]),
    "comment before the end": (JPEG, lambda t: [SOI + HEADER + scan() + comment(t) + EOI]),
    "comment in JPEG-LS": (
        JPEG_LS, lambda t: [SOI + segment(0xF7, FRAME[4:]) + scan(20) + b"\xff\x7f\xff\x01" + comment(t) + EOI]),
    "comment of the second frame only": (
        JPEG, lambda t: [IMAGE, SOI + HEADER + scan() + EOI, SOI + HEADER + scan(300, 1, 2) + comment(t) + EOI]),
    "comment in a later fragment of a frame": (
        JPEG, lambda t: [SOI + HEADER, segment(0xDD, b"\0\0") + comment(t) + scan() + EOI]),
    "comment in two fragments": (
        JPEG, lambda t: [(SOI + comment(t))[:20], (SOI + comment(t))[20:] + HEADER + scan() + EOI]),
    "marker in two fragments": (
        JPEG, lambda t: [SOI + segment(0xE0, b"JFIF\0") + b"\xff", comment(t)[1:] + HEADER + scan() + EOI]),
    "stray byte before the image": (JPEG, lambda t: [b"A" + SOI + comment(t) + HEADER + scan() + EOI]),
    "FF before the image": (JPEG, lambda t: [b"\xff" + SOI + comment(t) + HEADER + scan() + EOI]),
    "noughts before the image": (JPEG, lambda t: [b"\0\0" + SOI + comment(t) + HEADER + scan() + EOI]),
    "stray byte between segments": (JPEG, lambda t: [SOI + JFIF + b"\0" + comment(t) + TABLES + FRAME + scan() + EOI]),
    "marker 01": (JPEG, lambda t: [SOI + b"\xff\x01" + comment(t) + HEADER + scan() + EOI]),
    "fill bytes": (JPEG, lambda t: [SOI + b"\xff" * 999 + comment(t) + HEADER + scan() + EOI]),
    "segment of length nought": (JPEG, lambda t: [SOI + b"\xff\xdd\0\0" + comment(t) + HEADER + scan() + EOI]),
    "segment beyond the end": (JPEG, lambda t: [SOI + b"\xff\xe1\xff\xff" + comment(t) + HEADER + scan() + EOI]),
    "behind the end": (JPEG, lambda t: [IMAGE + t]),
    "behind the end, before another end": (JPEG, lambda t: [IMAGE + t + b"\x85" * 600 + EOI]),
    "behind 70 kB of noughts": (JPEG, lambda t: [IMAGE + bytes(70_000) + t]),
    "before 70 kB of text": (JPEG, lambda t: [IMAGE + t + b" hello" * 12_000]),
    "second image in the fragment": (JPEG, lambda t: [IMAGE + SOI + comment(t) + HEADER + scan() + EOI]),
    "no end of the image": (JPEG, lambda t: [SOI + HEADER + scan() + t]),
    "fragment of text": (JPEG, lambda t: [IMAGE, t]),
    "long fragment of text": (JPEG, lambda t: [IMAGE, b"hello you " * 7000 + t]),
    "fragment half of text": (JPEG, lambda t: [IMAGE, bytes(range(128, 254)) * 9 + t * 9]),
    "across two pieces of a fragment": (JPEG, lambda t: [IMAGE, b"\x85" * ((1 << 18) - 9) + t + b"\x85" * 999]),
    "large: comment before the end": (JPEG, lambda t: [large(comment(t))]),
    "large: long comment before the end": (JPEG, lambda t: [large(comment(t + b"\x85" * 3000))]),
    "large: long text before the end": (JPEG, lambda t: [large(comment(t + b" hello you" * 6000))]),
    "large: comment between scans": (
        PROGRESSIVE,
        lambda t: [SOI + TABLES + FRAME_OF_THREE + scan(LARGE, 3) + comment(t) + scan(9999) + EOI]),
    "large: behind the end": (JPEG, lambda t: [large(), large() + bytes(70_000) + t + bytes(70_000)]),
    "large: text before another end": (JPEG, lambda t: [large(end=EOI + t + b"hello you " * 900 + EOI)]),
    "large: second frame's comment": (JPEG, lambda t: [large(), SOI + comment(t) + large()[2:]]),
    "large: a frame of two fragments": (JPEG, lambda t: [large()[:700_000], large(comment(t))[700_000:]]),
    "JPEG 2000 comment": (JPEG_2000, lambda t: [SOC + MAIN + segment(0x64, b"\0\1" + t) + tile() + EOI]),
    "JPEG 2000 tile-part comment": (
        JPEG_2000, lambda t: [SOC + MAIN + tile() + tile(segment(0x64, b"\0\1" + t)) + EOI]),
    "JPEG 2000 behind a tile-part": (JPEG_2000, lambda t: [SOC + MAIN + tile() + t + tile() + EOI]),
    "JPEG 2000 tile-part of no length": (JPEG_2000, lambda t: [SOC + MAIN + tile(stated=False) + EOI + t]),
    "JPEG 2000 behind the end": (JPEG_2000, lambda t: [SOC + MAIN + tile() + EOI + t]),
    "JPEG 2000 in a later fragment": (
        JPEG_2000, lambda t: [SOC + MAIN + tile()[:99], tile()[99:] + tile(segment(0x64, b"\0\1" + t)) + EOI]),
    "JP2 box": (JPEG_2000, lambda t: [SIGNATURE + box(b"xml ", t) + box(b"jp2c", SOC + MAIN + tile() + EOI)]),
    "JP2 box behind the image": (
        JPEG_2000, lambda t: [SIGNATURE + box(b"jp2c", SOC + MAIN + tile() + EOI) + box(b"uuid", bytes(16) + t)]),
    "JPEG under the name of JPEG 2000": (JPEG_2000, lambda t: [SOI + comment(t) + HEADER + scan() + EOI]),
    "behind RLE": (RLE, lambda t: [RLE_FRAME, RLE_FRAME + t]),
    "short and behind RLE": (RLE, lambda t: [RLE_FRAME, RLE_FRAME + t[-12:] + bytes(9)]),
    "MPEG user data": (MPEG, lambda t: [b"\0\0\1\xb3" + coded(9999) + b"\0\0\1\xb2" + t + coded(9999)]),
}  # fmt: skip

#: What encoders do and the standards allow, or nearly
CLEAN: dict[str, tuple[str, list[bytes]]] = {
    "plain": (JPEG, [IMAGE]),
    "frames": (JPEG, [IMAGE, SOI + HEADER + scan(300, 1, 2) + EOI] * 3),
    "padding": (JPEG, [IMAGE + bytes(9), IMAGE + b"\xff", IMAGE + b"\0" * 600]),
    "fill bytes": (JPEG, [SOI + b"\xff\xff" + JFIF + b"\xff" + TABLES + FRAME + scan() + EOI]),
    "restarts": (JPEG, [SOI + HEADER + scan() + b"\xff\xd0" + coded(99) + b"\xff\xd1" + coded(99) + EOI]),
    "maker's comment": (JPEG, [SOI + comment(b"LEAD Technologies Inc. V1.01\0") + HEADER + scan() + EOI]),
    "colour transform": (JPEG, [SOI + segment(0xEE, b"Adobe\0d\0\0\0\0\1") + HEADER + scan() + EOI]),
    "cut anywhere": (JPEG, [IMAGE[:4], IMAGE[4:30], b"", IMAGE[30:]]),
    "large": (JPEG, [large(), large() + b"\0"]),
    "large and cut": (JPEG, [large()[:600_000], large()[600_000:]]),
    "no image's end": (JPEG, [IMAGE[:-2]]),
    "JPEG-LS": (JPEG_LS, [SOI + segment(0xF7, FRAME[4:]) + scan(99) + b"\xff\x01\xff\x7f\x11" + EOI]),
    "JPEG 2000": (JPEG_2000, [SOC + MAIN + tile() + tile() + EOI + b"\0"]),
    "large JPEG 2000": (JPEG_2000, [SOC + MAIN + tile(size=LARGE, stated=False) + EOI]),
    "JP2": (JPEG_2000, [SIGNATURE + box(b"jp2c", SOC + MAIN + tile() + EOI)]),
    "RLE": (RLE, [RLE_FRAME, RLE_FRAME + b"\0"]),
    "video": (MPEG, [coded(LARGE)]),
}


def instance(syntax: str, fragments: list[bytes]) -> FileDataset:
    """Fragments are padded to even length."""
    dataset = minimal()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.Rows = dataset.Columns = 64
    padded = [fragment + b"\0" * (len(fragment) % 2) for fragment in fragments]
    items = [b"\xfe\xff\0\xe0" + len(fragment).to_bytes(4, "little") + fragment for fragment in [b"", *padded]]
    dataset.add_new(PIXEL_DATA, "OB", b"".join(items))
    dataset["PixelData"].is_undefined_length = True
    return dataset


def pixels(file: bytes) -> list[bytes]:
    return next(element.fragments for element in parse(file).elements if element.tag == PIXEL_DATA)


@pytest.mark.parametrize("place", HIDING_PLACES)
def test_a_name_in_a_compressed_stream_is_quarantined(place: str) -> None:
    syntax, fragments = HIDING_PLACES[place]
    with pytest.raises(Refused) as refusal:
        deidentify(encoded(instance(syntax, fragments(NAME))), BASIC)
    assert refusal.value.code == "IDENTIFIER_LEFT"


@pytest.mark.parametrize("place", HIDING_PLACES)
def test_a_text_without_a_name_goes_out_with_its_stream(place: str) -> None:
    syntax, fragments = HIDING_PLACES[place]
    original = encoded(instance(syntax, fragments(HARMLESS)))
    assert pixels(deidentify(original, BASIC)[0]) == pixels(original)


@pytest.mark.parametrize("stream", CLEAN)
@pytest.mark.parametrize("patient_id", ["0012345", "456789"])
def test_what_encoders_write_goes_out_as_it_is(stream: str, patient_id: str) -> None:
    dataset = instance(*CLEAN[stream])
    dataset.PatientID = patient_id
    original = encoded(dataset)
    output = deidentify(original, BASIC)[0]
    assert pixels(output) == pixels(original)
    assert find_residuals(output, identifiers_of([dataset])) == []


@pytest.mark.parametrize("place", HIDING_PLACES)
def test_the_independent_check_finds_a_name_in_a_stream(place: str) -> None:
    syntax, fragments = HIDING_PLACES[place]
    dataset = instance(syntax, fragments(NAME))
    identifiers = identifiers_of([dataset])
    beside = "beside the pixels of (7FE0,0010)"
    assert beside in {hit.place for hit in find_residuals(encoded(dataset), identifiers)}
    harmless = encoded(instance(syntax, fragments(HARMLESS)))
    assert beside not in {hit.place for hit in find_residuals(harmless, identifiers)}


@pytest.mark.parametrize("text", ["Müllerhausen", "Волкова", "山田太郎"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16-be"])
@pytest.mark.parametrize(
    ("syntax", "before"), [(JPEG, IMAGE), (JPEG, SOI + segment(0xFE, bytes(40))[:-40]), (RLE, RLE_FRAME)]
)
def test_a_name_in_other_letters_is_found_among_other_bytes(text: str, codec: str, syntax: str, before: bytes) -> None:
    dataset = instance(syntax, [before + text.encode(codec) + b"\x83\x84" * 50])
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 192", f"{text}^Xenia"
    with pytest.raises(Refused):
        deidentify(encoded(dataset), BASIC)


def test_a_uid_in_a_compressed_stream_is_quarantined() -> None:
    dataset = instance(JPEG, [SOI + comment(minimal().StudyInstanceUID.encode()) + HEADER + scan() + EOI])
    with pytest.raises(Refused):
        deidentify(encoded(dataset), BASIC)


def test_coded_data_of_a_large_stream_is_not_read() -> None:
    """Pixels of a cine loop go over without being read: only their ends are."""

    class Counting(InMemory):
        count = 0

        def read(self, start: int, stop: int) -> bytes:
            Counting.count += stop - start
            return super().read(start, stop)

    source = Counting(encoded(instance(JPEG, [large()] * 9)))
    Deidentifier(BASIC, KEY).deidentify(source)
    assert Counting.count < 150_000
    assert source.size > 9 * LARGE


def test_the_hiding_places_are_what_they_seem() -> None:
    """The names are there, and markers stand in coded data only where a case wants them."""
    assert not re.search(rb"\xff[^\0]", coded(100_000))
    for syntax, fragments in HIDING_PLACES.values():
        joined = b"".join(fragments(NAME)).replace(b"\0", b"")
        assert b"Quillfeather" in joined, syntax
