"""What a profile says that becomes of elements, as far as the proof holds the outputs to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..deid.profile import Profile

_DATE_VRS = ("DA", "DT", "TM")


@dataclass(frozen=True)
class Promises:
    """Sets of tags. Standard elements only; of private ones keeps_private says all.

    kept: elements whose values the profile keeps, or that may by its rules equal the original's (shifted or dummy
    dates); not those that it replaces by new UIDs or pseudonyms. cleaned: text of which what names nobody stays as it
    was. dates: `remove`, `year`, `shift`, `keep`. kept_dates: dates and times that stay as they are. moved_dates:
    those that follow the date policy; of all others nothing but a placeholder may be left. lasting: UIDs and sequences
    that never go, so that a reference in them lasts. removed, emptied: elements that are always so. unchanged: elements
    that stay as they are. digest: the profile's, as De-identification Method has it. codes: values of its Code
    Sequence. longitudinal: Longitudinal Temporal Information Modified. pixels, images, faces, device_rules: the
    profile's own (pixels.triage.SiteRules)."""

    kept: frozenset[int] = frozenset()
    cleaned: frozenset[int] = frozenset()
    keeps_private: bool = False
    dates: str = "remove"
    kept_dates: frozenset[int] = frozenset()
    moved_dates: frozenset[int] = frozenset()
    lasting: frozenset[int] = frozenset()
    removed: frozenset[int] = frozenset()
    emptied: frozenset[int] = frozenset()
    unchanged: frozenset[int] = frozenset()
    digest: str = ""
    codes: tuple[str, ...] = ()
    longitudinal: str = ""
    pixels: str = "clean"
    images: Mapping[str, str] = field(default_factory=dict)
    faces: str = "withhold"
    device_rules: str = ""


def promises_of(profile: Profile) -> Promises:
    lasting = {tag for tag, code in profile.codes_of("UI", "SQ").items() if not {"X", "Z"} & {*code} or "U" in code}
    dates = profile.codes_of(*_DATE_VRS)
    everything = profile.codes_of()
    return Promises(
        kept=profile.kept_tags,
        cleaned=profile.cleaned_tags,
        keeps_private=profile.keeps_private,
        dates=profile.dates,
        kept_dates=frozenset(tag for tag, code in dates.items() if code == "K"),
        moved_dates=frozenset(tag for tag, code in dates.items() if code == "C"),
        lasting=frozenset(lasting),
        removed=frozenset(tag for tag, code in everything.items() if code == "X"),
        emptied=frozenset(tag for tag, code in everything.items() if code == "Z"),
        unchanged=frozenset(tag for tag, code in everything.items() if code == "K"),
        digest=profile.digest[:16],
        codes=tuple(value for value, _, _ in profile.codes),
        longitudinal=profile.longitudinal,
        pixels=profile.pixels,
        images=profile.images,
        faces=profile.faces,
        device_rules=profile.device_rules,
    )
