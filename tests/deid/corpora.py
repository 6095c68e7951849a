"""Instances for tests: pydicom's bundled files, the demo's studies, and hand-made ones for what both lack.

Everything hand-made is one invented patient's, whose values (PLANTED) may stand in no output.
"""

import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pydicom

from dicom_assets.demo.studies import small_corpus
from tests.deid.encoding import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    PIXEL_DATA,
    Element,
    File,
    Item,
    write,
    write_elements,
)

NAME, PATIENT_ID, ACCESSION, PHYSICIAN = "Hollowmere^Thaddea", "KQ7741X553", "VX8835512", "Brackenridge^Ulfrida"
INSTITUTION, ADDRESS, BIRTH_DATE = "Wenlockspital Oberau", "22 Tannwaldgasse", "19370823"
#: What may be in no output, in no encoding. The name in its parts: each of them tells who it is.
PLANTED = ("Hollowmere", "Thaddea", PATIENT_ID, ACCESSION, "Brackenridge", "Ulfrida", INSTITUTION, ADDRESS)

CT, MR, ENHANCED_MR, SC = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.7",
)
SR, KEY_OBJECTS, PRESENTATION_STATE, SEGMENTATION, RT_STRUCTURES = (
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.88.59",
    "1.2.840.10008.5.1.4.1.1.11.1",
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.481.3",
)
_ROOT = "1.2.826.0.1.3680043.10.1337.77"
STUDY, SERIES, INSTANCE, FRAME_OF_REFERENCE = f"{_ROOT}.1", f"{_ROOT}.2", f"{_ROOT}.3", f"{_ROOT}.4"
RLE, JPEG_BASELINE = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50"


def bundled() -> dict[str, Path]:
    """Every file below pydicom's own data folder that is not text or code, by its path there."""
    root = Path(pydicom.__file__).parent / "data"
    other = {".py", ".pyc", ".json", ".txt", ".md", ".icc", ".dump", ".gz", ""}
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): path
        for path in paths
        if path.suffix not in other or (path.suffix == "" and path.name != "README")
    }


def generated(folder: Path) -> dict[str, Path]:
    """The demo's small corpus, made in folder."""
    corpus = small_corpus(folder)
    return {instance.path: corpus.folder / instance.path for instance in corpus.instances}


@cache
def hand_made() -> dict[str, bytes]:
    return {name: write(make()) for name, make in _MAKERS.items()}


# --- how they are made -------------------------------------------------------------------------------------------


def text(tag: int, vr: str, value: str, codec: str = "ascii") -> Element:
    encoded = value.encode(codec)
    return Element(tag, vr, encoded + (b"\0" if vr == "UI" else b" ") * (len(encoded) % 2))


def numbers(tag: int, vr: str, *values: float) -> Element:
    form = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "OW": "H", "OF": "f", "OD": "d"}[vr]
    return Element(tag, vr, struct.pack(f"<{len(values)}{form}", *values))


def sequence(tag: int, *items: list[Element], undefined: bool = False) -> Element:
    made = [Item(sorted(item, key=_tag), undefined=undefined) for item in items]
    return Element(tag, "SQ", items=made, undefined=undefined)


def _tag(element: Element) -> int:
    return element.tag


def code(tag: int, value: str, scheme: str, meaning: str) -> Element:
    return sequence(
        tag, [text(0x00080100, "SH", value), text(0x00080102, "SH", scheme), text(0x00080104, "LO", meaning)]
    )


def referenced(sop_class_uid: str, sop_instance_uid: str) -> list[Element]:
    return [text(0x00081150, "UI", sop_class_uid), text(0x00081155, "UI", sop_instance_uid)]


def instance(sop_class_uid: str, *more: Element, syntax: str = EXPLICIT) -> File:
    """What every object has, and more. An element of more replaces one with its tag."""
    elements = [
        text(0x00080016, "UI", sop_class_uid), text(0x00080018, "UI", INSTANCE), text(0x00080020, "DA", "20190417"),
        text(0x00080030, "TM", "101530.25"), text(0x00080050, "SH", ACCESSION), text(0x00080060, "CS", "OT"),
        text(0x00080070, "LO", "ACME"), text(0x00080080, "LO", INSTITUTION), text(0x00080081, "ST", ADDRESS),
        text(0x00080090, "PN", PHYSICIAN), text(0x00081030, "LO", f"Thorax nativ {NAME.partition('^')[0]}"),
        text(0x00100010, "PN", NAME), text(0x00100020, "LO", PATIENT_ID), text(0x00100030, "DA", BIRTH_DATE),
        text(0x00100040, "CS", "F"), text(0x00101010, "AS", "081Y"),
        text(0x0020000D, "UI", STUDY), text(0x0020000E, "UI", SERIES), text(0x00200010, "SH", "4711"),
        text(0x00200011, "IS", "3"), text(0x00200013, "IS", "1"),
    ]  # fmt: skip
    elements = {element.tag: element for element in (*elements, *more)}
    meta = [
        Element(0x00020001, "OB", b"\0\1"), text(0x00020002, "UI", sop_class_uid), text(0x00020003, "UI", INSTANCE),
        text(0x00020012, "UI", f"{_ROOT}.9"), text(0x00020016, "AE", "HOLLOWMERE"),
    ]  # fmt: skip
    file = File(meta, sorted(elements.values(), key=_tag), preamble=b"Hollowmere".ljust(128, b"\0"))
    file.syntax = syntax
    return file


def image(rows: int, columns: int, bits: int = 16, frames: int = 1, samples: int = 1) -> list[Element]:
    """Image Pixel module and native pixel data, all values different from each other."""
    size = rows * columns * frames * samples * bits // 8
    pixels = bytes((7 * i + i // 251) % 256 for i in range(size))
    return [
        numbers(0x00280002, "US", samples), text(0x00280004, "CS", "MONOCHROME2" if samples == 1 else "RGB"),
        *([text(0x00280008, "IS", str(frames))] if frames > 1 else []),
        *([numbers(0x00280006, "US", 0)] if samples > 1 else []),
        numbers(0x00280010, "US", rows), numbers(0x00280011, "US", columns), numbers(0x00280100, "US", bits),
        numbers(0x00280101, "US", bits), numbers(0x00280102, "US", bits - 1), numbers(0x00280103, "US", 0),
        Element(PIXEL_DATA, "OW" if bits > 8 else "OB", pixels + b"\0" * (size % 2)),
    ]  # fmt: skip


def _everywhere() -> File:
    """Identifiers in every kind of place that goes, at top level and nested."""
    nested = [
        text(0x00100010, "PN", NAME), text(0x00080050, "SH", ACCESSION), text(0x0008103E, "LO", "Abdomen KM"),
        text(0x00400254, "LO", f"seen by {PHYSICIAN}"), *referenced(CT, f"{_ROOT}.3.7"), text(0x00180050, "DS", "1.25"),
        sequence(0x0040A170, [text(0x00080104, "LO", "Localizer"), text(0x00080100, "SH", "P5-09051")], undefined=True),
    ]  # fmt: skip
    return instance(
        CT, *image(8, 8),
        sequence(0x00081140, nested), sequence(0x00400275, nested, nested, undefined=True),
        sequence(0x00081115, [text(0x0020000E, "UI", f"{_ROOT}.2.8"), sequence(0x00081199, referenced(CT, INSTANCE))]),
        text(0x00080021, "DA", "20190417"), text(0x0008002A, "DT", "20190417101530.5+0100"),
        text(0x00100021, "LO", "UNKNOWN"), text(0x00104000, "LT", f"{NAME}\r\n{PATIENT_ID}\r\nno metal"),
        text(0x00180015, "CS", "CHEST"), text(0x00180060, "DS", "120"), text(0x00181000, "LO", "SN-5512"),
        text(0x00181020, "LO", "VA44A"), text(0x00181030, "LO", f"Thorax {NAME}"), text(0x00181210, "SH", "B70f"),
        text(0x00200052, "UI", FRAME_OF_REFERENCE), text(0x00200032, "DS", "-120.5\\-88\\41.25"),
        code(0x00082218, "51185008", "SCT", "Chest"), text(0x00081190, "UR", f"http://pacs.example/{PATIENT_ID}"),
    )  # fmt: skip


def _enhanced() -> File:
    def frame(number: int) -> list[Element]:
        return [
            sequence(0x00209111, [
                text(0x00189074, "DT", f"20190417101530.{number}"), numbers(0x00209157, "UL", 1, number),
                text(0x00209158, "LT", f"frame of {NAME}") if number % 2 else numbers(0x00209156, "US", number),
            ]),
            sequence(0x00209113, [text(0x00200032, "DS", f"0\\0\\{number}")]),
            sequence(0x00289110, [text(0x00180050, "DS", "5"), text(0x00280030, "DS", "0.5\\0.5")]),
            sequence(0x00081140, referenced(MR, f"{_ROOT}.3.{number}")),
        ]  # fmt: skip

    return instance(
        ENHANCED_MR, *image(4, 4, frames=12), sequence(0x52009229, [sequence(0x00189006, [numbers(0x00189098, "FD",
        63.5)])]),
        sequence(0x52009230, *(frame(number) for number in range(1, 13))),
        sequence(0x00209221, [text(0x00209164, "UI", f"{_ROOT}.5")]),
    )  # fmt: skip


def _structured_report() -> File:
    def item(kind: str, relation: str, concept: str, *value: Element) -> list[Element]:
        name = code(0x0040A043, concept, "DCM", "Concept")
        return [text(0x0040A010, "CS", relation), text(0x0040A040, "CS", kind), name, *value]

    content = sequence(
        0x0040A730,
        item("PNAME", "HAS OBS CONTEXT", "121008", text(0x0040A123, "PN", PHYSICIAN)),
        item("TEXT", "CONTAINS", "121071", text(0x0040A160, "UT", f"No lesion. {NAME}, born {BIRTH_DATE}.")),
        item("DATE", "HAS OBS CONTEXT", "121031", text(0x0040A121, "DA", BIRTH_DATE)),
        item("DATETIME", "HAS ACQ CONTEXT", "111526", text(0x0040A120, "DT", "20190417101530")),
        item("UIDREF", "HAS OBS CONTEXT", "121018", text(0x0040A124, "UI", STUDY)),
        item("CODE", "CONTAINS", "121071", code(0x0040A168, "51185008", "SCT", "Chest")),
        item("NUM", "CONTAINS", "121206", sequence(0x0040A300, [
            text(0x0040A30A, "DS", "12.5"), code(0x004008EA, "mm", "UCUM", "mm")])),
        item("IMAGE", "CONTAINS", "121112", sequence(0x00081199, referenced(CT, INSTANCE))),
        item("CONTAINER", "CONTAINS", "121070", text(0x0040A050, "CS", "SEPARATE"), sequence(
            0x0040A730, item("TEXT", "CONTAINS", "121071", text(0x0040A160, "UT", f"Call {PHYSICIAN}")))),
    )  # fmt: skip
    evidence = [text(0x0020000D, "UI", STUDY), sequence(0x00081115, [
        text(0x0020000E, "UI", SERIES), sequence(0x00081199, referenced(CT, INSTANCE))])]  # fmt: skip
    return instance(
        SR, text(0x0040A040, "CS", "CONTAINER"), text(0x0040A050, "CS", "SEPARATE"), content,
        code(0x0040A043, "126000", "DCM", "Imaging Measurement Report"), sequence(0x0040A375, evidence),
        sequence(0x0040A073, [text(0x0040A027, "LO", INSTITUTION), text(0x0040A075, "PN", PHYSICIAN),
                              text(0x0040A030, "DT", "20190417"), code(0x0040A088, "Q1", "99LOCAL", PHYSICIAN)]),
        text(0x0040A491, "CS", "COMPLETE"), text(0x0040A493, "CS", "VERIFIED"),
    )  # fmt: skip


def _key_objects() -> File:
    note = [text(0x0040A010, "CS", "CONTAINS"), text(0x0040A040, "CS", "TEXT"), text(0x0040A160, "UT",
        f"for {PHYSICIAN}"),
            code(0x0040A043, "113012", "DCM", "Key Object Description")]  # fmt: skip
    shown = [
        text(0x0040A010, "CS", "CONTAINS"),
        text(0x0040A040, "CS", "IMAGE"),
        sequence(0x00081199, referenced(CT, INSTANCE)),
    ]
    return instance(KEY_OBJECTS, text(0x0040A040, "CS", "CONTAINER"), sequence(0x0040A730, note, shown),
                    code(0x0040A043, "113000", "DCM", "Of Interest"))  # fmt: skip


def _structures() -> File:
    contour = [text(0x30060042, "CS", "CLOSED_PLANAR"), text(0x30060046, "IS", "3"), text(0x30060050, "DS",
        "0\\0\\1\\1\\0\\1\\0\\1\\1"),
               sequence(0x30060016, referenced(CT, INSTANCE))]  # fmt: skip
    return instance(
        RT_STRUCTURES, text(0x30060002, "SH", "PLAN1"), text(0x30060004, "LO", NAME), text(0x30060008, "DA",
        "20190418"),
        text(0x30060009, "TM", "1200"), sequence(0x30060010, [text(0x00200052, "UI", FRAME_OF_REFERENCE)]),
        sequence(0x30060020, [text(0x30060022, "IS", "1"), text(0x30060024, "UI", FRAME_OF_REFERENCE),
                              text(0x30060026, "LO", f"GTV {NAME}"), text(0x30060028, "ST", "drawn by hand")]),
        sequence(0x30060039, [text(0x30060084, "IS", "1"), sequence(0x30060040, contour, contour)]),
        sequence(0x30060080, [text(0x30060082, "IS", "1"), text(0x300600A6, "PN", PHYSICIAN), text(0x300600A4, "CS",
        "GTV")]),
    )  # fmt: skip


def _segmentation() -> File:
    segment = [numbers(0x00620004, "US", 1), text(0x00620005, "LO", "Liver"), text(0x00620006, "ST", f"of {NAME}"),
               text(0x00620008, "CS", "MANUAL"), text(0x00620020, "UT", "T1"), text(0x00620021, "UI", f"{_ROOT}.8"),
               code(0x0062000F, "10200004", "SCT", "Liver")]  # fmt: skip
    pixels = [
        element
        for element in image(8, 8, bits=8)
        if element.tag not in (PIXEL_DATA, 0x00280100, 0x00280101, 0x00280102)
    ]
    bits = [numbers(0x00280100, "US", 1), numbers(0x00280101, "US", 1), numbers(0x00280102, "US", 0)]
    return instance(
        SEGMENTATION, *pixels, *bits, Element(PIXEL_DATA, "OB", bytes(range(8))), sequence(0x00620002, segment),
        sequence(0x00081115, [text(0x0020000E, "UI", SERIES), sequence(0x0008114A, referenced(CT, INSTANCE))]),
        text(0x00700080, "CS", "SEG"), text(0x00700081, "LO", f"Liver of {NAME}"), text(0x00700084, "PN", PHYSICIAN),
    )  # fmt: skip


def _presentation_state() -> File:
    words = [
        text(0x00700006, "ST", NAME),
        numbers(0x00700014, "FL", 1, 2),
        text(0x00700015, "CS", "Y"),
        text(0x00700004, "CS", "PIXEL"),
    ]
    line = [text(0x00700005, "CS", "PIXEL"), numbers(0x00700020, "US", 2), numbers(0x00700021, "US", 2),
            numbers(0x00700022, "FL", 1, 2, 3, 4), text(0x00700023, "CS", "POLYLINE"), text(0x00700024, "CS",
            "N")]  # fmt: skip
    return instance(
        PRESENTATION_STATE,
        sequence(0x00700001, [text(0x00700002, "CS", "LAYER1"), sequence(0x00700008, words), sequence(0x00700009,
        line)]),
        sequence(0x00700060, [text(0x00700002, "CS", "LAYER1"), text(0x00700068, "LO", f"layer of {NAME}")]),
        text(0x00700082, "DA", "20190418"), text(0x00700083, "TM", "0900"), text(0x00700084, "PN", PHYSICIAN),
        sequence(0x00081115, [text(0x0020000E, "UI", SERIES), sequence(0x00081140, referenced(CT, INSTANCE))]),
    )  # fmt: skip


def _overlay() -> File:
    return instance(
        CT, *image(8, 8), numbers(0x60000010, "US", 8), numbers(0x60000011, "US", 8), text(0x60000022, "LO", NAME),
        text(0x60000040, "CS", "G"), text(0x60001500, "LO", NAME), numbers(0x60000050, "SS", 1, 1),
        numbers(0x60000100, "US", 1), numbers(0x60000102, "US", 0), Element(0x60003000, "OW", bytes(range(8))),
        numbers(0x50000005, "US", 2), text(0x50002500, "LO", NAME), numbers(0x50003000, "OW", 1, 2, 3, 4),
    )  # fmt: skip


def _palette() -> File:
    pixels = [element for element in image(8, 8, bits=8) if element.tag != 0x00280004]
    tables = [numbers(tag, "OW", *range(256)) for tag in (0x00281201, 0x00281202, 0x00281203)]
    described = [numbers(tag, "US", 256, 0, 16) for tag in (0x00281101, 0x00281102, 0x00281103)]
    return instance(
        SC, *pixels, text(0x00280004, "CS", "PALETTE COLOR"), *described, *tables, text(0x00080064, "CS", "WSD")
    )


def _lookup_tables() -> File:
    """Elements whose VR depends on Pixel Representation, and on each other."""
    table = [
        numbers(0x00283002, "US", 4, 0, 16),
        numbers(0x00283006, "US", 1, 2, 3, 4),
        text(0x00283003, "LO", f"by {PHYSICIAN}"),
    ]
    return instance(CT, *image(8, 8), numbers(0x00280106, "US", 0), numbers(0x00280107, "US", 65535),
                    numbers(0x00280120, "US", 63536), sequence(0x00283010, table), text(0x00281052, "DS",
                    "-1024"))  # fmt: skip


def _fragments(syntax: str, *fragments: bytes) -> Callable[[], File]:
    def make() -> File:
        elements = [
            element for element in image(8, 8, bits=8, frames=max(1, len(fragments))) if element.tag != PIXEL_DATA
        ]
        pixels = Element(PIXEL_DATA, "OB", fragments=[b"", *fragments], undefined=True)
        return instance(SC, *elements, pixels, text(0xFFFCFFFC, "OB", ""), syntax=syntax)

    return make


_RLE_FRAME = struct.pack("<16L", 1, 64, *[0] * 14) + b"\xc1\x05\xc1\x09"
_JPEG_FRAME = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9"


def _private() -> File:
    """Explicit VRs, UN, sequences, two creators, one block without a creator."""
    inner = [text(0x00290010, "LO", "QUILL HEADER"), text(0x00291001, "PN", NAME), text(0x00100010, "PN", NAME)]
    return instance(
        MR, *image(8, 8), text(0x00090010, "LO", "QUILL"), text(0x00091001, "LO", NAME), Element(0x00091002, "UN",
        b"Hollowmere"),
        text(0x00190010, "LO", "SIEMENS MR HEADER"), text(0x00190011, "LO", "QUILL"), text(0x0019100C, "IS", "1000"),
        numbers(0x0019100E, "FD", 0.5, 0.5, 0.5), text(0x0019110C, "LO", NAME), text(0x00191008, "CS", "IMAGE NUM 4"),
        text(0x00290010, "LO", "QUILL HEADER"), sequence(0x00291010, inner), sequence(0x00291020, inner,
        undefined=True),
        Element(0x00291030, "UN", write_elements([sequence(0x00291031, inner)], False)[8:]), text(0x00311001, "LO",
        NAME),
        text(0x20010010, "LO", "Philips Imaging DD 001"), numbers(0x20011003, "FL", 1000.0), text(0x20011004, "CS",
        "S"),
    )  # fmt: skip


def _unknown() -> File:
    """UN where the dictionary knows better: a text, numbers, a sequence of defined and of undefined length."""
    items = [Item([text(0x00081150, "UI", CT), text(0x00081155, "UI", INSTANCE)])]
    return instance(
        CT, *image(8, 8), Element(0x00180050, "UN", b"2.5 "), Element(0x00181310, "UN", struct.pack("<4H", 0, 64,
        64, 0)),
        Element(0x00104000, "UN", b"Hollowmere"), Element(0x00081140, "UN", items=items),
        Element(0x00082112, "UN", items=items, undefined=True), Element(0x0020103F, "UN", b"Hollowmere"),
    )  # fmt: skip


def _character_sets() -> File:
    other = [
        text(0x00080005, "CS", "ISO_IR 192"),
        text(0x00100010, "PN", "Hollowmere^Þaddea", "utf-8"),
        text(0x00081030, "LO", "Schädel", "utf-8"),
    ]
    japanese = [
        text(0x00080005, "CS", "\\ISO 2022 IR 87"),
        text(0x00100010, "PN", "Hollowmere^Thaddea=山田^太郎", "iso2022_jp"),
    ]
    return instance(
        CT, text(0x00080005, "CS", "ISO_IR 100"), text(0x00181020, "LO", "Gerät Version 4", "latin-1"), *image(8, 8),
        text(0x00100010, "PN", "Hollowmere^Thaddéa", "latin-1"), sequence(0x00081140, [*referenced(CT, INSTANCE),
        *other]),
        sequence(0x00082112, [*referenced(CT, INSTANCE), *japanese], undefined=True),
        text(0x00081030, "LO", "Schädel nativ", "latin-1"),
    )  # fmt: skip


def _behind_the_pixels() -> File:
    file = instance(CT, *image(8, 8))
    file.elements += [
        text(0x7FE10010, "LO", "QUILL"),
        text(0x7FE11001, "PN", NAME),
        Element(0xFFFCFFFC, "OB", b"Hollowmere"),
    ]
    return file


def _undefined_lengths() -> File:
    file = _everywhere()
    for element in file.elements:
        if element.items is not None:
            element.undefined = True
            for item in element.items:
                item.undefined = True
    return file


def _bare(syntax: str) -> Callable[[], File]:
    """No preamble, no prefix, no file meta."""

    def make() -> File:
        file = instance(CT, *image(8, 8), syntax=syntax)
        body = write_elements(file.elements, syntax != IMPLICIT, ">" if syntax == BIG_ENDIAN else "<")
        return File([], [], preamble=b"", prefix=b"", meta_length=False, tail=body)

    return make


def _without_meta() -> File:
    """Preamble and prefix, and then the data set at once."""
    return File([], instance(CT, *image(8, 8)).elements, meta_length=False)


def _in_syntax(make: Callable[[], File], syntax: str) -> Callable[[], File]:
    def made() -> File:
        file = make()
        file.syntax = syntax
        return file

    return made


_SMALL: dict[str, Callable[[], File]] = {
    "everywhere": _everywhere, "enhanced": _enhanced, "report": _structured_report, "key-objects": _key_objects,
    "structures": _structures, "segmentation": _segmentation, "presentation-state": _presentation_state,
    "overlay": _overlay, "palette": _palette, "lookup-tables": _lookup_tables, "private": _private, "unknown": _unknown,
    "character-sets": _character_sets,
}  # fmt: skip
_MAKERS: dict[str, Callable[[], File]] = {
    **_SMALL,
    **{f"{name}-implicit": _in_syntax(make, IMPLICIT) for name, make in _SMALL.items()},
    **{f"{name}-big-endian": _in_syntax(make, BIG_ENDIAN) for name, make in _SMALL.items()},
    **{f"{name}-deflated": _in_syntax(make, DEFLATED) for name, make in _SMALL.items()},
    "rle": _fragments(RLE, _RLE_FRAME), "jpeg": _fragments(JPEG_BASELINE, _JPEG_FRAME),
    "jpeg-frames": _fragments(JPEG_BASELINE, *[_JPEG_FRAME] * 3),
    "behind-the-pixels": _behind_the_pixels, "undefined-lengths": _undefined_lengths,
    "bare-implicit": _bare(IMPLICIT), "bare-explicit": _bare(EXPLICIT), "bare-big-endian": _bare(BIG_ENDIAN),
    "without-meta": _without_meta,
}  # fmt: skip
