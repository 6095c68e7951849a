"""The tables of a release pack, row by row: manifest.csv, dictionary.csv, rejected.csv, quarantine.csv."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..deid.dictionary import name_of
from ..deid.profile import Profile
from .pack_contents import Element, ImageFacts
from .pack_layout import COLUMNS, DICTIONARY, IMAGES, MANIFEST, QUARANTINE, REJECTED, to_csv
from .pack_reports import PackedReport

#: What the de-identifier writes, whatever stood there: PS3.15 E.1.1, PS3.3 C.7.1.1, C.12.1
_STATED = frozenset((0x00120062, 0x00120063, 0x00120064, 0x00280303))
_FILE_META = 0x0002

Row = tuple[str, ...]


def tables_of(
    profile: Profile, reports: Sequence[PackedReport], images: Sequence[ImageFacts], batches_of: Mapping[str, str]
) -> dict[str, bytes]:
    """File name -> content. batches_of: path below the folder of images -> batches, separated by blanks."""
    rows = {
        MANIFEST: manifest_rows(images, batches_of),
        DICTIONARY: [*_element_rows(profile, images), *_column_rows()],
        REJECTED: rejected_rows(reports),
        QUARANTINE: quarantine_rows(reports),
    }
    return {name: to_csv(name, of_table) for name, of_table in rows.items()}


def manifest_rows(images: Iterable[ImageFacts], batches_of: Mapping[str, str]) -> list[Row]:
    return sorted(manifest_row(one, batches_of[one.path]) for one in images)


def manifest_row(one: ImageFacts, batches: str) -> Row:
    return (
        f"{IMAGES}/{one.path}", one.sha256, str(one.bytes), one.patient, one.study, one.series, one.instance,
        one.modality, one.sop_class, one.sop_class_name, batches,
    )  # fmt: skip


def rejected_rows(reports: Iterable[PackedReport]) -> list[Row]:
    return sorted(loss.cells for report in reports for loss in report.rejected)


def quarantine_rows(reports: Iterable[PackedReport]) -> list[Row]:
    return sorted(loss.cells for report in reports for loss in report.quarantined)


def occurrences(images: Iterable[ImageFacts]) -> Counter[Element]:
    """In how many images each element occurs."""
    return Counter(element for one in images for element in one.elements)


def occurrence_cells(element: Element, count: int) -> Row:
    """The first five cells of its row in dictionary.csv, which the images alone tell."""
    name = f"private: {element.creator}" if element.creator else name_of(element.tag)
    return IMAGES, element.place, name, element.vr, str(count)


def _element_rows(profile: Profile, images: Iterable[ImageFacts]) -> Iterator[Row]:
    for element, count in sorted(occurrences(images).items()):
        yield (*occurrence_cells(element, count), *_rule(profile, element))


def _rule(profile: Profile, element: Element) -> tuple[str, str]:
    """Action and explanation."""
    group, number = element.tag >> 16, element.tag & 0xFFFF
    if group == _FILE_META:
        return "", "file meta, written anew (PS3.10 7.1)"
    if element.tag in _STATED:
        return "", "says by which rules the image was de-identified; written anew"
    if element.creator:
        kept = profile.private_vr(element.creator, group, number) is not None
        return ("K", f"private; kept where {profile.private_rule}") if kept else ("X", "private")
    if group & 1:
        return "K", "names the owner of a block of private elements (PS3.5 7.8.1)"
    rule = profile.explain(element.tag)
    return str(rule.code), rule.why


def _column_rows() -> Iterator[Row]:
    for table, columns in COLUMNS.items():
        for column, meaning in columns.items():
            yield table, "", column, "", "", "", meaning
