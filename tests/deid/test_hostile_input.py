"""Input made to exhaust: whatever is claimed, the engine ends soon, within little memory, with an output or a code.

Each case runs in a process of its own, whose memory is bounded, so that an abort is seen as one.
"""

import multiprocessing
import resource
import struct
import time
import zlib
from collections.abc import Callable
from functools import cache
from multiprocessing.connection import Connection

import pytest

from dicom_assets.deid.deidentify import Deidentifier
from dicom_assets.deid.elements import InMemory
from dicom_assets.deid.profile import Profile, load_profile
from dicom_assets.errors import REASONS, BadInput, Refused
from tests.deid.agreement import KEY
from tests.deid.corpora import CT, INSTANCE, JPEG_BASELINE, RLE, image, instance, referenced, sequence, text
from tests.deid.encoding import DEFLATED, EXPLICIT, IMPLICIT, PIXEL_DATA, Element, File, Item, write, write_elements

SECONDS = 5.0  #: of CPU; on a machine that does nothing else the slowest case takes a fifth of it
MEGABYTES = 200
_ADDRESS_SPACE = 4 << 30


def _nested(levels: int, *, undefined: bool, vr: str = "SQ", tag: int = 0x00081140) -> File:
    """Of defined length every level is copied into the next: the square of levels."""
    if undefined and vr == "SQ":
        opened = struct.pack("<HH2sHLHHL", tag >> 16, tag & 0xFFFF, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
        closed = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        return _with_raw(opened * levels + closed * levels, before=tag)
    inner = [text(0x00100010, "PN", "Hollowmere")]
    for _ in range(levels):
        inner = [Element(tag, vr, items=[Item(inner, undefined=undefined)], undefined=undefined)]
        inner = (
            [Element(tag, vr, write_elements(inner, vr != "UN")[12 if vr != "UN" else 8 :])] if not undefined else inner
        )
    return instance(CT, *inner)


def _with_raw(content: bytes, before: int = 0x00081140) -> File:
    """content in the place of an element's bytes; the rest of the instance follows."""
    file = instance(CT, *image(8, 8))
    head = [element for element in file.elements if element.tag < before]
    tail = [element for element in file.elements if element.tag > before]
    file.elements, file.tail = head, content + write_elements(tail, True)
    return file


def _claims(vr: str, claimed: int, tag: int = 0x00282000, content: bytes = bytes(16)) -> Callable[[], bytes]:
    return lambda: write(instance(CT, Element(tag, vr, content, claimed=claimed)))


def _value(tag: int, vr: str, content: bytes, *, implicit: bool = False) -> Callable[[], bytes]:
    """One long value, at a place where the profile looks at it."""
    syntax = IMPLICIT if implicit else EXPLICIT
    return lambda: write(instance(CT, Element(tag, vr, content), syntax=syntax))


def _encapsulated(syntax: str, value: bytes, rows: int = 8) -> Callable[[], bytes]:
    def make() -> bytes:
        elements = [element for element in image(8, 8, bits=8) if element.tag not in (PIXEL_DATA, 0x00280010)]
        rows_element = Element(0x00280010, "US", struct.pack("<H", rows))
        file = instance(CT, *elements, rows_element, syntax=syntax)
        file.tail = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + value
        return write(file)

    return make


def _fragment(content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(content) if length is None else length) + content


_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
_ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)


def _deflate_bomb() -> bytes:
    """A third of a megabyte that inflates to 600."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    head = write_elements(instance(CT).elements, True)
    head += struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 600 << 20)
    body = packer.compress(head) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(600)) + packer.flush()
    empty = write(File(instance(CT, syntax=DEFLATED).meta, []))
    return empty[: -len(_DEFLATED_NOTHING)] + body


_DEFLATED_NOTHING = b"\3\0"


def _many(count: int, element: bytes) -> bytes:
    return write(_with_raw(element * count))


def _many_private() -> bytes:
    content = [
        struct.pack("<HH2sH", 0x0009 + 2 * (i // 60000), 0x1000 + i % 60000, b"LO", 4) + b"Name" for i in range(100_000)
    ]
    return write(_with_raw(b"".join(content), before=0x00081155))


def _many_items(item: bytes) -> Callable[[], bytes]:
    def make() -> bytes:
        content = item * 100_000
        return write(_with_raw(struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, len(content)) + content))

    return make


def _many_dates() -> bytes:
    """Each another one, in items."""
    items = [_fragment(struct.pack("<HH2sH8s", 8, 0x20, b"DA", 8, b"%08d" % (19000101 + i))) for i in range(300_000)]
    content = b"".join(items)
    return write(_with_raw(struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, len(content)) + content))


def _many_unknown(nested: bool) -> Callable[[], bytes]:
    def make() -> bytes:
        content = b"".join(struct.pack("<HHL", 0x5200 + 2 * (i // 65000), 1 + i % 65000, 0) for i in range(1_000_000))
        if nested:
            item = _fragment(content)
            content = struct.pack("<HHL", 0x0008, 0x1140, len(item)) + item
        file = instance(CT, syntax=IMPLICIT)
        file.tail = content
        if nested:
            file.elements, behind = (
                [one for one in file.elements if one.tag < 0x00081140],
                [one for one in file.elements if one.tag > 0x00081140],
            )
            file.tail += write_elements(behind, False)
        return write(file)

    return make


def _long_padding() -> bytes:
    """Data Set Trailing Padding behind the pixels, which nobody has to read."""
    file = instance(CT, *image(8, 8))
    file.tail = struct.pack("<HH2sHL", 0xFFFC, 0xFFFC, b"OB", 0, 300 << 20) + bytes(300 << 20)
    return write(file)


def _many_references() -> bytes:
    """Each with a UID of its own: a long study's presentation state."""
    items = [referenced(CT, f"{INSTANCE}.{i}") for i in range(10_000)]
    return write(instance(CT, sequence(0x00081140, *items)))


def _meta_without_end() -> bytes:
    file = instance(CT)
    file.meta += [text(0x00020100, "LO", "x" * 64)] * 100_000
    return write(file)


_EMPTY_ITEM = _fragment(b"")
_KEPT_TEXT, _COMMENTS, _DATE_TIME = 0x00181020, 0x00204000, 0x0008002A

#: What a cleaner of text may stumble over again and again
_PATTERNS = {
    "spaces": b" ", "dots": b"a.", "digits": b"1", "dates": b"1.1.", "hyphens": b"1-", "at signs": b"a@",
    "carets": b"A^", "capitals": b"A", "words": b"chest ", "titles": b"Dr. ", "apostrophes": b"a'",
    "lines": b"\r\n", "slashes": b"1/",
    "brackets": b"((", "underscores": b"a_", "slashed letters": b"C5/", "commas": b"a,", "colons": b"1:",
}  # fmt: skip

CASES: dict[str, Callable[[], bytes]] = {
    "nested 5000 deep, undefined lengths": lambda: write(_nested(5000, undefined=True)),
    "nested 500 deep, defined lengths": lambda: write(_nested(500, undefined=False)),
    "nested 500 deep within UN": lambda: write(_nested(500, undefined=False, vr="UN")),
    "nested 5000 deep, private": lambda: write(_nested(5000, undefined=True, tag=0x00091001)),
    "nested 500 deep below a removed sequence": lambda: write(_nested(500, undefined=False, tag=0x00400275)),
    "4 GB of OB": _claims("OB", 0xFFFFFFFE),
    "4 GB of UT": _claims("UT", 0xFFFFFFF0, 0x0040A160),
    "4 GB of UN": _claims("UN", 0xFFFFFFFE, 0x00091001),
    "4 GB of sequence": _claims("SQ", 0xFFFFFFFE, 0x00081140, _EMPTY_ITEM),
    "4 GB of item": _claims("SQ", 8, 0x00081140, _fragment(b"", 0xFFFFFFFE)),
    "4 GB of pixels": _claims("OW", 0xFFFFFFFE, PIXEL_DATA),
    "4 GB of file meta": lambda: write(_with_meta_length(0xFFFFFF00)),
    "100,000 private elements": _many_private,
    "100,000 times one element": lambda: _many(100_000, struct.pack("<HH2sH", 8, 0x1140, b"SQ", 0) + bytes(4)),
    "100,000 empty items": _many_items(_EMPTY_ITEM),
    "100,000 items of undefined length": _many_items(_fragment(b"", 0xFFFFFFFF) + _ITEM_END),
    "10,000 references": _many_references,
    "300,000 dates": _many_dates,
    "a million unknown elements": _many_unknown(nested=False),
    "a million unknown elements in an item": _many_unknown(nested=True),
    "trailing padding of 300 MB": _long_padding,
    "file meta without end": _meta_without_end,
    "deflated 600 MB": _deflate_bomb,
    "geometry of 280 TB, native": lambda: write(_with_geometry(b"65535 ")),
    "frames beyond all numbers": lambda: write(_with_geometry(b"9" * 60_000)),
    "frames below nought": lambda: write(_with_geometry(b"-1")),
    "geometry of an RLE": _encapsulated(RLE, _fragment(b"") + _fragment(bytes(64)) + _END, rows=65535),
    "fragment beyond the end": _encapsulated(JPEG_BASELINE, _fragment(b"") + _fragment(b"\xff\xd8", 0xFFFFFFFE)),
    "fragment of undefined length": _encapsulated(JPEG_BASELINE, _fragment(b"") + _fragment(b"", 0xFFFFFFFF)),
    "fragments without end": _encapsulated(JPEG_BASELINE, _EMPTY_ITEM * 100_000),
    "spaces in a code": _value(0x00180015, "CS", b"A" + b" " * 65_000 + b"a"),
    "spaces before a number": _value(0x00180050, "DS", b" " * 65_000 + b"x "),
    "spaces before a whole number": _value(0x00200011, "IS", b" " * 65_000 + b"x "),
    "spaces in a date, 1 MB": _value(_DATE_TIME, "DT", b" " * (1 << 20) + b"x ", implicit=True),
    "hyphens in a date, 1 MB": _value(_DATE_TIME, "DT", b"-" * (1 << 20), implicit=True),
    "digits in a number, 1 MB": _value(0x00180050, "DS", b"1" * (1 << 20), implicit=True),
    "backslashes in numbers, 1 MB": _value(0x00200032, "DS", b"\\" * (1 << 20), implicit=True),
    "a million UIDs": _value(0x00081155, "UI", b"1.2\\" * (1 << 18), implicit=True),
    "words in a name, 4 MB": _value(0x00100010, "PN", b"Hollow Mere " * 350_000, implicit=True),
    "a name of 64 kB": _value(0x00100010, "PN", b"a" * 65_000),
    "ten thousand names": _value(0x00101001, "PN", b"\\".join(b"Name%04d^X" % i for i in range(6_000))[:65_000]),
    "ten thousand identifiers": _value(0x00101000, "LO", b"\\".join(b"ID%06d" % i for i in range(7_000))[:65_000]),
    "escapes in a text": _value(_KEPT_TEXT, "LO", b"\x1b$B" * 21_000),
    **{f"comment of {name}": _value(_COMMENTS, "LT", (one * 60_000)[:60_000]) for name, one in _PATTERNS.items()},
    "comment of 4 MB": _value(_COMMENTS, "LT", b"1: Ab " * 700_000, implicit=True),
    "nothing": lambda: b"",
    "a prefix and nothing": lambda: bytes(128) + b"DICM",
    "zeros": lambda: bytes(1 << 20),
    "ones": lambda: b"\xff" * (1 << 20),
    "a text": lambda: b"It is no image at all.\n" * 40_000,
    "a prefix and zeros": lambda: bytes(128) + b"DICM" + bytes(1 << 20),
}  # fmt: skip

#: What may come out, since nothing about them is wrong but their size or their pixels, which nobody decodes.
_MAY_BE_RELEASED = (
    "comment", "names", "identifiers", "references", "items", "private", "RLE", "a name of", "spaces", "digits",
    "hyphens", "backslashes", "trailing padding", "UIDs", "escapes", "removed", "100,000 times", "file meta",
)  # fmt: skip


def _with_meta_length(length: int) -> File:
    file = instance(CT)
    file.meta_length = length
    return file


def _with_geometry(frames: bytes) -> File:
    sides = [Element(tag, "US", b"\xff\xff") for tag in (0x00280010, 0x00280011)]
    return instance(CT, *image(8, 8), *sides, Element(0x00280008, "IS", frames))


@cache
def _profile(name: str) -> Profile:
    return load_profile(name)


#: Comments are removed unread by the other profile.
_UNDER = [*((name, "research") for name in CASES), *((name, "basic") for name in CASES if "comment" not in name)]


@pytest.mark.parametrize(("name", "profile"), _UNDER)
def test_hostile_input_ends_soon_and_within_little_memory(name: str, profile: str) -> None:
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    process = fork.Process(target=_report, args=(theirs, CASES[name](), _profile(profile)))
    process.start()
    theirs.close()
    answered = ours.poll(5 * SECONDS)
    process.kill()
    process.join()
    assert answered
    outcome, seconds, megabytes = ours.recv()
    assert seconds < SECONDS
    assert megabytes < MEGABYTES
    if outcome == "released":
        assert any(word in name for word in _MAY_BE_RELEASED)
    else:
        assert outcome in REASONS
        assert outcome != "DEIDENTIFICATION_FAILED"


def _report(pipe: Connection, encoded: bytes, profile: Profile) -> None:
    """Sends what became of the instance, the CPU seconds that it took, and the megabytes that the peak grew by."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, resource.RLIM_INFINITY))
    deidentifier, source = Deidentifier(profile, KEY), InMemory(encoded)
    before, start = _peak(), time.process_time()
    try:
        deidentifier.deidentify(source)
        outcome = "released"
    except (BadInput, Refused) as refusal:
        outcome = refusal.code
    pipe.send((outcome, time.process_time() - start, _peak() - before))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
