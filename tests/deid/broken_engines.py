"""Engines that are wrong in one way each, made of the reference: a harness that lets one pass proves nothing."""

from collections.abc import Callable
from dataclasses import replace

from dicom_assets.deid.profile import Profile
from tests.deid import reference
from tests.deid.agreement import KEY, Engine, Released
from tests.deid.corpora import NAME
from tests.deid.encoding import PIXEL_DATA, Element, File, Item, parse, walk, write

Change = Callable[[File], None]


def _changing(change: Change) -> Callable[[Profile], Engine]:
    """The reference's output, with something done to it."""

    def of(profile: Profile) -> Engine:
        def engine(encoded: bytes) -> Released:
            released = reference.deidentify(encoded, profile, KEY)
            file = parse(released.encoded)
            change(file)
            return replace(released, encoded=write(file))

        return engine

    return of


def _first(file: File, tag: int) -> Element | None:
    return next((element for element in file.elements if element.tag == tag), None)


def _keeps_a_name_in_a_kept_text(file: File) -> None:
    element = _first(file, 0x00181020)
    if element is not None:
        element.value = f"{NAME} ".encode()


def _loses_an_element(file: File) -> None:
    file.elements = [element for element in file.elements if element.tag != 0x00180060]


def _states_another_vr(file: File) -> None:
    element = _first(file, PIXEL_DATA)
    if element is not None and element.fragments is None:
        element.vr = "OB" if element.vr == "OW" else "OW"


def _loses_the_last_item(file: File) -> None:
    for _, element in walk(file.elements):
        if len(element.items or ()) > 1:
            element.items.pop()


def _adds_an_item(file: File) -> None:
    for element in file.elements:
        if element.items:
            element.items.append(Item())


def _flips_a_bit_of_the_last_pixel(file: File) -> None:
    element = _first(file, PIXEL_DATA)
    if element is not None and element.fragments is None and element.value:
        element.value = element.value[:-1] + bytes([element.value[-1] ^ 1])


def _joins_fragments(file: File) -> None:
    element = _first(file, PIXEL_DATA)
    if element is not None and element.fragments:
        element.fragments = [element.fragments[0], b"".join(element.fragments[1:])]


def _copies_what_follows_the_pixels(file: File) -> None:
    if _first(file, PIXEL_DATA) is not None:
        file.elements.append(Element(0xFFFCFFFC, "OB", b"Hollowmere"))


def _writes_odd_lengths(file: File) -> None:
    element = _first(file, 0x00080070)
    if element is not None:
        element.value = b"ACME1"


def _leaves_the_old_file_meta(file: File) -> None:
    file.meta.append(Element(0x00020016, "AE", b"HOLLOWMERE"))


def _leaves_the_preamble(file: File) -> None:
    file.preamble = b"Hollowmere".ljust(128, b"\0")


def _leaves_the_tail(file: File) -> None:
    file.tail = b"Hollowmere".ljust(16, b"\0")


def _cleans_the_top_level_only(profile: Profile) -> Engine:
    """Sequences are copied from the source."""

    def engine(encoded: bytes) -> Released:
        released = reference.deidentify(encoded, profile, KEY)
        file = parse(released.encoded)
        try:
            source = parse(encoded)
        except ValueError:
            return released
        kept = {element.tag for element in file.elements}
        old = [one for one in source.elements if one.items is not None and one.tag in kept and one.vr == "SQ"]
        new = [one for one in file.elements if one.tag not in {element.tag for element in old}]
        file.elements = sorted([*new, *old], key=lambda element: element.tag)
        return replace(released, encoded=write(file))

    return engine


def _remembers_too_much(profile: Profile) -> Engine:
    """Elements of an earlier instance stand in for those of this one that are of the same length."""
    memory: dict[tuple[int, int], bytes] = {}

    def engine(encoded: bytes) -> Released:
        released = reference.deidentify(encoded, profile, KEY)
        file = parse(released.encoded)
        for element in file.elements:
            if element.tag != PIXEL_DATA and element.items is None:
                element.value = memory.setdefault((element.tag, len(element.value)), element.value)
        return replace(released, encoded=write(file))

    return engine


def _tells_no_uids(profile: Profile) -> Engine:
    def engine(encoded: bytes) -> Released:
        released = reference.deidentify(encoded, profile, KEY)
        return replace(released, uids=released.uids[1:])

    return engine


def _crashes(profile: Profile) -> Engine:
    def engine(encoded: bytes) -> Released:
        try:
            return reference.deidentify(encoded, profile, KEY)
        except reference.NotReleased:
            raise IndexError from None

    return engine


def _passes_through(profile: Profile) -> Engine:
    """What it cannot read goes out as it came in."""

    def engine(encoded: bytes) -> Released:
        try:
            return reference.deidentify(encoded, profile, KEY)
        except reference.NotReleased:
            return reference.Expected(encoded, "", "", "", "", (), (), ())

    return engine


def _hangs(profile: Profile) -> Engine:
    def engine(encoded: bytes) -> Released:
        try:
            return reference.deidentify(encoded, profile, KEY)
        except reference.NotReleased:
            while True:
                pass

    return engine


BROKEN: dict[str, Callable[[Profile], Engine]] = {
    **{
        change.__name__.strip("_"): _changing(change)
        for change in (
            _keeps_a_name_in_a_kept_text, _loses_an_element, _states_another_vr, _loses_the_last_item, _adds_an_item,
            _flips_a_bit_of_the_last_pixel, _joins_fragments, _copies_what_follows_the_pixels, _writes_odd_lengths,
            _leaves_the_old_file_meta, _leaves_the_preamble, _leaves_the_tail,
        )
    },
    **{
        engine.__name__.strip("_"): engine
        for engine in (_cleans_the_top_level_only, _remembers_too_much, _tells_no_uids, _crashes, _passes_through,
            _hangs)
    },
}  # fmt: skip
