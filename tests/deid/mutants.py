"""Damaged, odd and malicious variants of an instance, each made again by its name: seed, number.

Mutations of the tree (`encoding.File`) keep the rest right, so that the damage is reached; mutations of the bytes do
what disks and networks do. Identifiers are planted in every encoding, nowhere inside the pixels.
"""

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from pydicom.datadict import DicomDictionary

from dicom_assets.deid import dictionary
from tests.deid.corpora import CT, INSTANCE, NAME, PATIENT_ID, PLANTED, STUDY, sequence, text
from tests.deid.encoding import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    PIXEL_DATA,
    SIZES,
    VRS,
    Element,
    File,
    Item,
    parse,
    walk,
    write,
    write_elements,
)

CODECS = ("ascii", "utf-16-le", "utf-16-be", "utf-8", "utf-32-le")
_PIXELS = (PIXEL_DATA, 0x7FE00008, 0x7FE00009)
_TEXT_VRS = ("LO", "SH", "ST", "LT", "UT", "UC", "PN", "CS", "AE", "UR")


@dataclass(frozen=True)
class Mutant:
    """name: the seed's, the number and what was done; enough to make it again."""

    name: str
    encoded: bytes


def mutants(seed: str, encoded: bytes, count: int, start: int = 0) -> Iterator[Mutant]:
    """count variants of one instance, numbered from start; the same ones on every machine."""
    for number in range(start, start + count):
        yield mutant(seed, encoded, number)


def mutant(seed: str, encoded: bytes, number: int) -> Mutant:
    chance = random.Random(f"{seed}/{number}")
    done = []
    try:
        file = parse(encoded)
    except (ValueError, struct.error):
        file = None
    if file is not None and chance.random() < 0.85:
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            change = chance.choice(_TREE)
            change(file, chance)
            done.append(change.__name__)
        encoded = write(file)
    if not done or chance.random() < 0.15:
        change = chance.choice(_BYTES)
        encoded = change(encoded, chance)
        done.append(change.__name__)
    return Mutant(f"{seed}/{number} {'+'.join(done)}", encoded)


def planted_in(output: bytes) -> list[str]:
    """The planted values that are still there, in any encoding and case."""
    lowered = output.lower()
    return [form for form, spelt in _spellings() if spelt in lowered]


@cache
def _spellings() -> tuple[tuple[str, bytes], ...]:
    return tuple((f"{value} in {codec}", value.lower().encode(codec)) for value in PLANTED for codec in CODECS)


# --- changes of the tree -----------------------------------------------------------------------------------------


def _pick(file: File, chance: random.Random, wanted: Callable[[Element], bool] = lambda _: True) -> Element | None:
    """Any element of the data set, at any depth; seldom one of the file meta."""
    elements = file.meta if file.meta and chance.random() < 0.03 else file.elements
    found = [element for _, element in walk(elements) if wanted(element)]
    return chance.choice(found) if found else None


def _place(file: File, chance: random.Random) -> list[Element]:
    """The data set at top level or that of an item."""
    holders = [file.elements, *(item.elements for _, one in walk(file.elements) for item in one.items or ())]
    return chance.choice(holders) if chance.random() < 0.5 else file.elements


def _put(place: list[Element], element: Element) -> None:
    """In the order of tags, in place of one with its tag."""
    place[:] = sorted([*(one for one in place if one.tag != element.tag), element], key=lambda one: one.tag)


def _identifier(chance: random.Random) -> bytes:
    value = chance.choice((NAME, NAME.replace("^", " "), NAME.upper(), PATIENT_ID, *PLANTED))
    return value.encode(chance.choice(CODECS))


def _even(value: bytes, padding: bytes = b" ") -> bytes:
    return value + padding * (len(value) % 2)


_PLACING = (0x00080018, 0x0020000D, 0x0020000E)


def length_lies(file: File, chance: random.Random) -> None:
    element = _pick(file, chance)
    if element is not None:
        right = len(element.value)
        lies = (
            right + 2,
            right - 2,
            right + 1,
            0,
            right * 2,
            0xFFFE,
            0xFFFF,
            0x7FFFFFFE,
            0xFFFFFFFE,
            chance.randrange(2**16),
        )
        element.claimed = max(0, chance.choice(lies))


def item_length_lies(file: File, chance: random.Random) -> None:
    element = _pick(file, chance, lambda one: bool(one.items))
    if element is not None:
        chance.choice(element.items).claimed = chance.choice(
            (0, 4, 8, 30, 0xFFFFFFFF, 0xFFFFFFFE, chance.randrange(400))
        )


def other_vr(file: File, chance: random.Random) -> None:
    """In big endian the bytes of a UID that says that it is numbers may be read in two ways: placing UIDs stay."""
    swapped = file.syntax == BIG_ENDIAN
    element = _pick(file, chance, lambda one: not (swapped and one.tag in _PLACING))
    if element is not None:
        element.vr = chance.choice((*VRS, "UN", "OB", "??", "\0\0", "lo", "OX"))


def becomes_un(file: File, chance: random.Random) -> None:
    """As an implicit archive's export does it: PS3.5 6.2.2. Of defined or undefined length."""
    element = _pick(file, chance, lambda one: one.items is not None) if chance.random() < 0.7 else _pick(file, chance)
    if element is not None and element.fragments is None:
        element.vr = "UN"
        element.undefined = element.items is not None and chance.random() < 0.5


def out_of_order(file: File, chance: random.Random) -> None:
    place = _place(file, chance)
    if chance.random() < 0.3:
        chance.shuffle(place)
    elif len(place) > 1:
        place.insert(chance.randrange(len(place)), place.pop(chance.randrange(len(place))))


def twice(file: File, chance: random.Random) -> None:
    """The same tag again, with another value, beside it or far from it."""
    place = _place(file, chance)
    if place:
        first = chance.choice(place)
        again = Element(
            first.tag, first.vr, _even(_identifier(chance)) if first.vr in _TEXT_VRS else first.value, first.items
        )
        place.insert(chance.choice((place.index(first), place.index(first) + 1, len(place))), again)


def odd_length(file: File, chance: random.Random) -> None:
    element = _pick(file, chance, lambda one: one.items is None and one.fragments is None)
    if element is not None:
        element.value = (
            element.value + chance.choice((b"1", b" ", b"\0")) if chance.random() < 0.5 else element.value[:-1]
        )


def behind_the_pixels(file: File, chance: random.Random) -> None:
    tags = (0x00100010, 0x00104000, 0x7FE00020, 0x7FE10010, 0x7FE11001, 0xFFFCFFFC, 0xFFFAFFFA, 0x7FE00010, 0x00081140)
    for tag in chance.sample(tags, chance.choice((1, 2, 3))):
        if tag == 0x00081140:
            file.elements.append(sequence(tag, [text(0x00100010, "PN", NAME)]))
        else:
            vr = (dictionary.vr_of(tag) or "LO").split(" or ")[-1]
            file.elements.append(Element(tag, vr, _even(_identifier(chance))))


def undefined_lengths(file: File, chance: random.Random) -> None:
    share = chance.choice((0.2, 1.0))
    for _, element in walk(file.elements):
        if element.items is not None and chance.random() < share:
            element.undefined = chance.random() < 0.7
            for item in element.items:
                item.undefined = chance.random() < 0.7


def delimiter_missing(file: File, chance: random.Random) -> None:
    element = _pick(file, chance, lambda one: one.items is not None or one.fragments is not None)
    if element is not None:
        element.undefined, element.delimited = True, chance.random() < 0.4
        for item in element.items or ():
            item.undefined, item.delimited = True, chance.random() < 0.4


def stray_delimiter(file: File, chance: random.Random) -> None:
    place = _place(file, chance)
    place.insert(chance.randrange(len(place) + 1), Element(chance.choice((0xFFFEE00D, 0xFFFEE0DD, 0xFFFEE000)), "LO"))


def nested_deeply(file: File, chance: random.Random) -> None:
    inner = [text(0x00100010, "PN", NAME), text(0x00180050, "DS", "2")]
    for _ in range(chance.choice((3, 8, 14, 15, 16, 17, 18, 40, 120))):
        inner = [sequence(chance.choice((0x00081140, 0x00400275)), inner, undefined=chance.random() < 0.5)]
    _put(file.elements, inner[0])


def huge_claim(file: File, chance: random.Random) -> None:
    vr = chance.choice(("OB", "UT", "UN", "SQ", "OW"))
    tag = chance.choice((0x00282000, 0x0008010B, 0x00091001, 0x00081140, PIXEL_DATA, 0x00420011))
    _put(_place(file, chance), Element(tag, vr, b"\0" * 8, claimed=chance.choice((0xFFFFFFF0, 0x7FFFFFF0, 0x10000000))))


def character_set(file: File, chance: random.Random) -> None:
    names = (
        "ISO_IR 100", "ISO_IR 192", "ISO_IR 144", "\\ISO 2022 IR 87", "ISO 2022 IR 6\\ISO 2022 IR 149", "GB18030",
        "GBK",
        "ISO_IR 13", "", "latin1", "UTF8", "ISO_IR 999", "\\\\", "ISO 2022 IR 58", "ISO_IR 166", "Hollowmere",
    )  # fmt: skip
    place = _place(file, chance)
    _put(place, text(0x00080005, "CS", chance.choice(names)))
    noise = (b"\xe4\xf6", b"\x1b$B;3ED\x1b(B", b"\xff\xfe", "山田".encode(), b"\x1b", b"\x80\x81")
    values = [one for one in place if one.vr in _TEXT_VRS]
    if values:
        one = chance.choice(values)
        one.value = _even(one.value + chance.choice(noise))


def private_block(file: File, chance: random.Random) -> None:
    """With a creator, without, with the wrong one, with two; safe and unsafe elements; groups that are none."""
    group = chance.choice((0x0009, 0x0019, 0x0029, 0x2001, 0x2005, 0x0001, 0x0007, 0xFFFF, 0x6001, 0x5401))
    creators = (
        "SIEMENS MR HEADER",
        "Philips Imaging DD 001",
        "GEMS_PARM_01",
        "QUILL",
        "",
        NAME,
        "siemens mr header",
        " QUILL",
    )
    place, block = _place(file, chance), chance.choice((0x10, 0x11, 0xFF))
    if chance.random() < 0.8:
        _put(place, text(group << 16 | block, "LO", chance.choice(creators)))
        if chance.random() < 0.2:
            place.append(text(group << 16 | block, "LO", chance.choice(creators)))
    for _ in range(chance.randrange(1, 4)):
        number = chance.choice((0x01, 0x03, 0x0C, 0x0E, 0x17, chance.randrange(256)))
        vr = chance.choice(("LO", "IS", "FD", "UN", "OB", "SQ", "DS", "UI", "DA", "US"))
        tag = group << 16 | block << 8 | number
        if vr == "SQ":
            _put(place, sequence(tag, [text(0x00100010, "PN", NAME), text(0x00180050, "DS", "2")]))
        else:
            _put(place, Element(tag, vr, _value(vr, chance) if chance.random() < 0.6 else _even(_identifier(chance))))


def group_length(file: File, chance: random.Random) -> None:
    place = _place(file, chance)
    for group in chance.sample((0x0008, 0x0010, 0x0020, 0x0009, 0x7FE0, 0x5200), 3):
        _put(
            place,
            Element(group << 16, "UL", struct.pack("<L", chance.choice((0, 8, 0xFFFFFFFF, chance.randrange(4000))))),
        )


def planted(file: File, chance: random.Random) -> None:
    """An identifier in any value that is none of the pixels, over it, in its padding or behind a NUL."""
    for _ in range(chance.randrange(1, 5)):
        element = _pick(file, chance, lambda one: one.items is None and one.tag not in _PIXELS)
        if element is not None:
            separator = chance.choice((b"", b" ", b"\0", b"\\", b"\n", b"^"))
            whole, identifier = chance.random() < 0.5, _identifier(chance)
            element.value = _even(identifier if whole else element.value.rstrip(b" \0") + separator + identifier)


def planted_anew(file: File, chance: random.Random) -> None:
    """An identifier in elements that the dictionary knows and the seed has not."""
    for _ in range(chance.randrange(1, 6)):
        tag, vr = chance.choice(_known())
        if vr in SIZES:
            identifier = _identifier(chance)
            value = identifier + b"\0" * (-len(identifier) % SIZES[vr])
        else:
            value = _even(_identifier(chance))
        _put(_place(file, chance), Element(tag, vr, value))


def elements_of_the_dictionary(file: File, chance: random.Random) -> None:
    """Many elements, each of its VR's form, one or two in a sequence."""
    for _ in range(chance.choice((5, 20, 60))):
        tag, vr = chance.choice(_known())
        values = [_value(vr, chance).strip() for _ in range(chance.choice((1, 1, 1, 2, 3, 6)))]
        if vr in ("OB", "OW", "OF", "OL", "OD", "OV", "LT", "ST", "UT", "UR", *SIZES):
            value = b"".join(_value(vr, chance) for _ in values)
        else:
            value = _even(b"\\".join(values), b"\0" if vr == "UI" else b" ")
        _put(_place(file, chance), Element(tag, vr, value))


def sequences_of_the_dictionary(file: File, chance: random.Random) -> None:
    for _ in range(chance.randrange(1, 6)):
        tag = chance.choice(_sequences())
        inner = [Element(tag, vr, _value(vr, chance)) for tag, vr in chance.sample(_known(), chance.randrange(6))]
        unique = {element.tag: element for element in inner}
        _put(_place(file, chance), sequence(tag, list(unique.values()), undefined=chance.random() < 0.5))


def emptied(file: File, chance: random.Random) -> None:
    element = _pick(file, chance)
    if element is not None:
        element.value, element.undefined = b"", False
        element.items = None if element.items is None else []
        element.fragments = None


def numbers_as_text(file: File, chance: random.Random) -> None:
    """Forms of DS and IS that are seen, and some that are none."""
    forms = (b"1e5", b" 1.5", b"-0", b"+3.", b".5", b"1,5", b"0x10", b"1_000", b"NaN", b"1e999", b"12345678901234567",
             b"1.0000000000000000001", b"", b" ", b"1\\2\\", b"\\", b"3\0", b"3\0Hollowmere ")  # fmt: skip
    element = _pick(file, chance, lambda one: one.vr in ("DS", "IS"))
    if element is not None:
        element.value = _even(chance.choice(forms))


def dates(file: File, chance: random.Random) -> None:
    forms = {
        "DA": (b"20190417", b"2019.04.17", b"201904", b"00000000", b"20190231", b"20190417-20190418", b"", b"19370823",
               b"2019 417", b"20190417\\20190418", b"99999999", b"10000101"),
        "TM": (b"10", b"1015", b"101530.123456", b"10:15:30", b"250000", b"101530-1200", b""),
        "DT": (b"2019", b"201904", b"20190417101530.5+0100", b"20190417-20190418", b"20190417101530.123456-1200",
        b"20190417 "),
        "AS": (b"081Y", b"095Y", b"120Y", b"1200M", b"081", b"010W", b"999D", b"95Y ", b""),
    }  # fmt: skip
    element = _pick(file, chance, lambda one: one.vr in forms)
    if element is not None:
        element.value = _even(chance.choice(forms[element.vr]))


def uids(file: File, chance: random.Random) -> None:
    forms = (
        STUDY, CT, "1.2.840.10008.1.4.1.1", "1.2.840.10008.5.1.4.1.1.999", "1.2.840.10008.19370823", "", "1..2",
        "1.2.", "0",
        "01.2", "1." * 33 + "1", f" {STUDY}", f"{STUDY}\0\0\0", STUDY + "\\" + INSTANCE, f"{STUDY}\\",
        "1.2.Hollowmere", "\\\\",
        "1.2.840.10008.6.1.19", "2.16.840.1.113883.6.96",
    )  # fmt: skip
    element = _pick(file, chance, lambda one: one.vr == "UI")
    if element is not None:
        element.value = _even(chance.choice(forms).encode(), b"\0")


def overlays(file: File, chance: random.Random) -> None:
    group = chance.choice((0x6000, 0x6002, 0x601E, 0x60FE, 0x5000, 0x5002)) << 16
    _put(file.elements, Element(group | 0x0010, "US", b"\x08\0"))
    if chance.random() < 0.5:
        _put(file.elements, Element(group | 0x0102, "US", chance.choice((b"\x0c\0", b"\0\0"))))
    if chance.random() < 0.7:
        _put(file.elements, Element(group | 0x3000, "OW", b"Hollowmere"))
        _put(file.elements, text(group | 0x4000, "LT", NAME))


def geometry(file: File, chance: random.Random) -> None:
    tag = chance.choice((0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280008, 0x00280103))
    value = (
        chance.choice((b"0 ", b"2 ", b"1e9 "))
        if tag == 0x00280008
        else struct.pack("<H", chance.choice((0, 1, 8, 9, 16, 65535)))
    )
    _put(file.elements, Element(tag, "IS" if tag == 0x00280008 else "US", value))


def pixels_of_other_length(file: File, chance: random.Random) -> None:
    for element in file.elements:
        if element.tag in _PIXELS and element.fragments is None:
            cut = chance.choice((0, 1, 2, len(element.value) // 2, len(element.value) - 2))
            longer = element.value + b"Hollowmere" * chance.choice((1, 30, 300))
            element.value = element.value[:cut] if chance.random() < 0.5 else longer
        elif element.tag in _PIXELS:
            fragment = chance.choice((b"Hollowmere", b"", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xd9Hollowmere"))
            element.fragments.insert(chance.randrange(len(element.fragments) + 1), fragment)


def several_pixel_elements(file: File, chance: random.Random) -> None:
    tag = chance.choice((0x7FE00008, 0x7FE00009, PIXEL_DATA))
    vr = {0x7FE00008: "OF", 0x7FE00009: "OD"}.get(tag, "OW")
    _put(_place(file, chance), Element(tag, vr, bytes(range(16)) * chance.choice((1, 8, 16, 32))))


def meta_damaged(file: File, chance: random.Random) -> None:
    kind = chance.randrange(6)
    if kind == 0 and file.meta:
        file.meta.remove(chance.choice(file.meta))
    elif kind == 1:
        file.meta_length = chance.choice((False, 2, -2, 100, -100, 100_000))
    elif kind == 2:
        file.meta.append(Element(0x00020102, "OB", b"Hollowmere"))
    elif kind == 3:
        file.preamble = _identifier(chance).ljust(128, b" ")[:128]
    elif kind == 4:
        file.prefix = chance.choice((b"DICN", b"", b"dicm"))
    else:
        file.meta = []
        file.meta_length = chance.random() < 0.5


def wrong_syntax(file: File, chance: random.Random) -> None:
    """The name of one transfer syntax over the encoding of another."""
    encoding, named = chance.choice((EXPLICIT, IMPLICIT, BIG_ENDIAN)), File(file.meta, [])
    names = (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5", "1.2.3", "", CT)
    named.syntax = chance.choice(names)
    body = write_elements(file.elements, encoding != IMPLICIT, ">" if encoding == BIG_ENDIAN else "<")
    file.meta, file.elements, file.tail = named.meta, [], body + file.tail


def other_syntax(file: File, chance: random.Random) -> None:
    """The same content, rightly written in another encoding."""
    if not any(element.fragments for element in file.elements):
        file.syntax = chance.choice((EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED))


def trailing_garbage(file: File, chance: random.Random) -> None:
    file.tail += chance.choice(
        (b"\0" * 512, b"\0", b"Hollowmere", bytes(range(256)), b"\xff" * 20, b"\x10\0\x10\0PN\x0a\0Hollowmere")
    )


def item_of_text(file: File, chance: random.Random) -> None:
    """A sequence whose value is no items, and an empty or doubled item."""
    element = _pick(file, chance, lambda one: one.items is not None)
    if element is not None and chance.random() < 0.4:
        element.items, element.value = None, _even(_identifier(chance))
    elif element is not None:
        element.items.insert(0, chance.choice((Item(), Item(undefined=True), *element.items[:1])))


def no_patient(file: File, chance: random.Random) -> None:
    for tag in chance.sample((0x00100010, 0x00100020, 0x00100030, 0x0020000D, 0x00080018), chance.choice((1, 2, 3))):
        file.elements = [element for element in file.elements if element.tag != tag]


_TREE = (
    length_lies, length_lies, item_length_lies, other_vr, other_vr, becomes_un, out_of_order, twice, odd_length,
    behind_the_pixels, undefined_lengths, delimiter_missing, stray_delimiter, nested_deeply, huge_claim, character_set,
    private_block, private_block, group_length, planted, planted, planted_anew, planted_anew,
    elements_of_the_dictionary,
    elements_of_the_dictionary, elements_of_the_dictionary, sequences_of_the_dictionary, emptied, numbers_as_text,
    dates,
    uids, overlays, geometry, pixels_of_other_length, several_pixel_elements, meta_damaged, wrong_syntax, other_syntax,
    trailing_garbage, item_of_text, no_patient,
)  # fmt: skip


@cache
def _known() -> list[tuple[int, str]]:
    """(tag, VR) of every standard element that is no sequence and none of the pixels; the first VR of several."""
    tags = [tag for tag in DicomDictionary if tag >> 16 not in (0, 2, 0x7FE0, 0xFFFE)]
    pairs = [(tag, dictionary.vr_of(tag).split(" or ")[0]) for tag in tags]
    return [(tag, vr) for tag, vr in pairs if vr in VRS and vr != "SQ"]


@cache
def _sequences() -> list[int]:
    return [tag for tag in DicomDictionary if dictionary.vr_of(tag) == "SQ"]


def _value(vr: str, chance: random.Random) -> bytes:
    """One value of the VR's form."""
    whole = chance.randrange(1, 4000)
    forms = {
        "AE": b"STATION1", "AS": b"045Y", "CS": b"VALUE_1", "DA": b"20190417", "DT": b"20190417101530.5",
        "TM": b"101530",
        "DS": f"{whole / 8}".encode(), "IS": str(whole).encode(),
        "UI": f"1.2.826.0.1.3680043.10.1337.78.{whole}".encode(),
        "UR": b"http://pacs.example/x", "AT": b"\x10\0\x20\0", "FL": struct.pack("<f", whole),
        "FD": struct.pack("<d", whole),
        "PN": b"Other^Person", "LT": b"two\r\nlines", "OB": bytes(range(16)),
    }  # fmt: skip
    if vr in forms:
        return _even(forms[vr], b"\0" if vr == "UI" else b" ")
    if vr in SIZES:
        return (whole).to_bytes(SIZES[vr], "little")
    return chance.choice((b"T1W ", b"Thorax", b"Device 7", b"W/O CONTRAST"))


# --- changes of the bytes ----------------------------------------------------------------------------------------


def bits_flipped(encoded: bytes, chance: random.Random) -> bytes:
    data = bytearray(encoded)
    for _ in range(chance.choice((1, 1, 2, 8, 40))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def truncated(encoded: bytes, chance: random.Random) -> bytes:
    return encoded[: chance.randrange(len(encoded))]


def hole(encoded: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(encoded))
    return encoded[:start] + encoded[start + chance.choice((1, 2, 4, 8, 100)) :]


def repeated(encoded: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(encoded))
    stop = start + chance.choice((2, 8, 64, 400))
    return encoded[:stop] + encoded[start:]


def noise(encoded: bytes, chance: random.Random) -> bytes:
    start, count = chance.randrange(len(encoded)), chance.choice((1, 2, 4, 4, 16))
    new = chance.choice((b"\xff" * count, b"\0" * count, chance.randbytes(count)))
    return encoded[:start] + new + encoded[start + count :]


def inserted(encoded: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(encoded))
    return encoded[:start] + chance.choice((b"\0", b"\0\0", _identifier(chance), chance.randbytes(8))) + encoded[start:]


_BYTES = (bits_flipped, bits_flipped, truncated, hole, repeated, noise, inserted)
