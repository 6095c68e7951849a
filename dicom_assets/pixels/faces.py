"""Could a face be rebuilt from these slices? By header alone, with what faces.toml says."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Protocol

RECOGNISABLE, UNKNOWN = "recognisable", "unknown"
REMOVED = "removed"  #: what was recognisable is so no more: the site's own tool has changed the pixels
_DESCRIBING = ("BodyPartExamined", "AnatomicRegionSequence", "StudyDescription", "SeriesDescription", "ProtocolName")
#: Slice Thickness within the shared functional groups: PixelMeasuresSequence is the only one there that has it (PS3.3
#: C.7.6.16.2.1). Explicit VR, or implicit with a length of up to 16 characters
_THICKNESS = re.compile(r"\x18\x00\x50\x00(?:DS[\x00-\x10]\x00|[\x00-\x10]\x00\x00\x00) *([0-9][0-9.eE+-]*)")
#: Anatomic Region Sequence with its Code Meaning, likewise in the shared functional groups
_ANATOMY = re.compile(r"\x08\x00\x04\x01(?:LO[\x00-\x40]\x00|[\x00-\x40]\x00\x00\x00)([ -~]+)")


class Slices(Protocol):
    """As Described in triage.py."""

    sop_class_uid: str
    values: Mapping[str, str]


@cache
def _data() -> dict:
    data = tomllib.loads(Path(__file__).with_name("faces.toml").read_text("utf-8"))
    words = {place: [_plain(word) for word in words] for place, words in data["words"].items()}
    beginnings = "|".join(re.escape(word).replace(r"\ ", r"[\W_]*") for word in words["beginnings"])
    anywhere = "|".join(map(re.escape, words["anywhere"]))
    return data | {
        "classes": frozenset(data["sop_classes"]),
        "with_face": frozenset(data["body_parts"]["with_face"]),
        "placing": frozenset(data["not_a_stack"]["ImageType"]),
        "pattern": re.compile(rf"(?<![^\W\d_])(?:{beginnings})|{anywhere}"),
    }


def _plain(text: str) -> str:
    """Small letters without accents."""
    return "".join(one for one in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(one))


def thickest_slice() -> float:
    """mm, from which a face is taken to be recognisable."""
    return _data()["thickest"]


def face_of(image: Slices) -> str:
    """RECOGNISABLE: thin slices, or ones of unstated thickness, of a part of the body with the face. UNKNOWN: such
    slices of nobody knows which part. Empty: neither."""
    if image.sop_class_uid not in _data()["classes"]:
        return ""
    values = image.values
    if values.get("RecognizableVisualFeatures", "").strip().upper() == "YES":
        return RECOGNISABLE
    shared = values.get("SharedFunctionalGroupsSequence", "")
    if _is_thick(values, shared) or _only_places(values.get("ImageType", "")):
        return ""
    anatomy = " ".join(_ANATOMY.findall(shared)) if shared else ""
    return _part_of((*(values.get(keyword, "") for keyword in _DESCRIBING), anatomy))


def _is_thick(values: Mapping[str, str], shared: str) -> bool:
    """All that is stated of thickness and spacing is above the limit; nothing stated is not thick."""
    stated = [text for keyword in ("SliceThickness", "SpacingBetweenSlices") if (text := values.get(keyword, ""))]
    stated += _THICKNESS.findall(shared) if shared else []
    try:
        return bool(stated) and min(abs(float(text)) for text in stated) > thickest_slice()
    except ValueError:
        return False


def _only_places(image_type: str) -> bool:
    return bool(image_type) and not _data()["placing"].isdisjoint(image_type.upper().split("\\"))


@lru_cache(4096)
def _part_of(described: tuple[str, ...]) -> str:
    data, body_part = _data(), described[0].strip().upper()
    if body_part in data["with_face"] or any(data["pattern"].search(_plain(text)) for text in described):
        return RECOGNISABLE
    return "" if body_part else UNKNOWN
