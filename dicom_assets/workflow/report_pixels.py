"""What became of text in the pixels of a batch's images, and of faces, in counts."""

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from ..pixels.cleaned import Cleaned
from ..pixels.faces import RECOGNISABLE, UNKNOWN
from ..storage.manifests import StagedInstance
from ..storage.verdicts import releases
from .pixel_plan import LOOKED_AT

#: What a reason for keeping an image back says of its pixels, beside what a person may waive
_KEPT_BACK = LOOKED_AT | {
    "FACE_NOT_REMOVED",
    "OVERLAY_IN_PIXEL_DATA",
    "PIXELS_NOT_DECODABLE",
    "PIXEL_DECODER_CRASHED",
}
#: Each image is of one of these
FATES = ("cleaned", "nothing_found", "vouched", "header_only", "kept_back")
Counts = tuple[tuple[str, int], ...]  #: (what, how many), the most first


@dataclass(frozen=True)
class Fate:
    """images: of the class, whose name is one of FATES; released: of these."""

    name: str
    images: int
    released: int


@dataclass(frozen=True)
class PixelReport:
    """The fields are those of report.schema.json, which describes each."""

    fates: tuple[Fate, ...]
    kept_back: Counts  #: images by reason code
    signs: Counts  #: images that were searched, by why
    how: Counts  #: images that were blanked, by the way
    areas: Counts  #: rectangles that were blanked, by who knew of them
    texts: int  #: places where text was found
    own_values: int  #: of these, those that showed a value of the patient's own
    images_with_own_values: int
    syntaxes: Counts  #: images that have another transfer syntax now, `from>to` in UIDs
    faces: Fate  #: instances with a recognisable face
    faces_unknown: int  #: thin slices of a part of the body that nobody knows, released

    @property
    def searched(self) -> int:
        return sum(count for _, count in self.signs)

    @property
    def images(self) -> int:
        return sum(fate.images for fate in self.fates)


def pixel_report(rows: Iterable[StagedInstance], images: Set[str], released: Set[str]) -> PixelReport:
    """rows: of whole manifests. images: new SOPInstanceUIDs that have pixels; released: that go out."""
    fates, out, kept_back, signs, how, areas, syntaxes, faces = (Counter() for _ in range(8))
    done: list[Cleaned] = []
    for row in rows:
        instance = Path(row.file).stem if row.file else ""
        is_out = instance in released
        faces[row.face] += 1
        faces[row.face, "released"] += is_out
        if not (fate := _fate(row, instance in images)):
            continue
        fates[fate] += 1
        out[fate] += is_out
        if fate == "kept_back":
            kept_back[row.reason] += 1
        if row.pixels:
            done.append(Cleaned.of(row.pixels))
    for one in done:
        signs[_plain(one.sign)] += 1
        areas.update(_plain(source) for _, source in one.boxes)
        how[one.how] += bool(one.boxes)
        syntaxes[one.syntax] += bool(one.syntax)
    return PixelReport(
        fates=tuple(Fate(name, fates[name], out[name]) for name in FATES),
        kept_back=_most_first(kept_back),
        signs=_most_first(signs),
        how=_most_first(how),
        areas=_most_first(areas),
        texts=sum(one.texts for one in done),
        own_values=sum(one.own_values for one in done),
        images_with_own_values=sum(one.own_values > 0 for one in done),
        syntaxes=_most_first(syntaxes),
        faces=Fate("faces", faces[RECOGNISABLE], faces[RECOGNISABLE, "released"]),
        faces_unknown=faces[UNKNOWN, "released"],
    )


def _fate(row: StagedInstance, is_image: bool) -> str:
    """Empty of what is no image, or was kept back for something else."""
    if row.reason:
        return "kept_back" if row.reason in _KEPT_BACK else ""
    if row.pixels:
        return "cleaned" if Cleaned.of(row.pixels).boxes else "nothing_found"
    if not is_image:
        return ""
    return "header_only" if LOOKED_AT.isdisjoint(releases(row.review)) else "vouched"


def _plain(text: str) -> str:
    """A site's own name of a device may tell of the site."""
    return "device" if text.startswith("device ") else text


def _most_first(counts: Counter[str]) -> Counts:
    return tuple(sorted(((what, count) for what, count in counts.items() if count), key=lambda one: (-one[1], one[0])))
