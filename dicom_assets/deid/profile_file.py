"""A profile file (TOML) over its base -> Choices. What is not understood, or contradicts itself, is refused, never
passed over."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import BadInput
from .actions import Action, dummy_for
from .dictionary import tag_of, vr_of
from .fits import TEXT_VRS
from .tables import bytes_of

SHIPPED = ("basic", "hipaa-safe-harbor", "research", "halo")
GROUP_SWITCHES = (
    "patient_data", "institution_data", "study_data", "dates", "regenerate_uids", "remove_private_tags"
)  # fmt: skip
#: Option -> its code and meaning in PS3.16 CID 7050, De-identification Method
OPTIONS = {
    "clean_pixel_data": ("113101", "Clean Pixel Data Option"),
    "clean_graphics": ("113103", "Clean Graphics Option"),
    "clean_structured_content": ("113104", "Clean Structured Content Option"),
    "clean_descriptors": ("113105", "Clean Descriptors Option"),
    "retain_longitudinal_full_dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "retain_longitudinal_modified_dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "retain_patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
    "retain_device_identity": ("113109", "Retain Device Identity Option"),
    "retain_uids": ("113110", "Retain UIDs Option"),
    "retain_safe_private": ("113111", "Retain Safe Private Option"),
    "retain_institution_identity": ("113112", "Retain Institution Identity Option"),
}
#: Kind of image that triage names (pixels/triage.toml) -> what a profile may ask for: text blanked where some is found,
#: a person's look, or release without either
IMAGE_KINDS = {
    "radiographs": ("clean", "release"),
    "photographs": ("review", "clean", "release"),
    "videos": ("review", "release"),
    "audio": ("review", "release"),
}
#: Date policy -> the option that is the same thing in the standard's words
_OPTION_OF_DATES = {"shift": "retain_longitudinal_modified_dates", "keep": "retain_longitudinal_full_dates"}
#: VRs whose values can be cleaned. Where the table asks for it on another (an AE title, a code, bytes), nobody could
#: tell what is harmless, and the Basic Profile's action stands.
CLEANABLE_VRS = frozenset(("AS", "DA", "DT", "SQ", "TM")) | TEXT_VRS - {"PN", "UR"}

#: Elements that a file needs as they are, or with a new UID, to be placed and read
_ONLY = {
    tag_of("SOPClassUID"): "K", tag_of("SpecificCharacterSet"): "K",
    tag_of("StudyInstanceUID"): "U", tag_of("SeriesInstanceUID"): "U", tag_of("SOPInstanceUID"): "U",
}  # fmt: skip
_LONGEST_ROOT = 24  #: of 64 characters; the rest is a dot and 39 digits (128 bits)
_LONGEST_SHIFT = 36500
_LONGEST_NAME = 32


@dataclass(frozen=True)
class Choices:
    """What a profile's author chose, contradictions settled. By construction `dates` is "shift" exactly where options
    name modified dates, "keep" where they name full dates and where groups["dates"] is off; groups["regenerate_uids"]
    is off exactly where options name retain_uids."""

    name: str
    table: str  #: "E.1-1": rules and allow-list; "groups": the switched groups only
    options: frozenset[str]  #: keys of OPTIONS
    groups: dict[str, bool]  #: by GROUP_SWITCHES
    dates: str  #: remove, year, shift or keep
    #: The largest shift, in days, either way. By default a year: seasons blur, and age, taken in years, moves by one
    #: at most. One known date gives away a patient's other dates whatever the range; a narrow one is guessed sooner.
    shift_days: int
    pixels: str  #: clean, quarantine or unexamined
    images: dict[str, str]  #: kind of IMAGE_KINDS -> what is asked for
    #: Head slices from which a face can be rebuilt: withhold, deface (by the site's own tool) or release
    faces: str
    device_rules: str  #: the site's own, TOML as pixels/devices.toml; in a profile file the name of that file
    encapsulated: str  #: encapsulated documents: quarantine (the instance), drop (the document) or allow
    uid_root: str  #: of new UIDs, without the last dot; empty: 2.25
    issuer_counts: bool  #: IssuerOfPatientID is part of who the patient is
    private_creators: tuple[str, ...]  #: all of whose elements are kept
    overrides: dict[int, str]  #: tag -> action code


def choices_of(name: str) -> Choices:
    """name: a shipped profile's, or the path of a TOML file. Raises BadInput; a note on it names the key to look at."""
    if name in SHIPPED:
        return _shipped(name)
    path = Path(name)
    if path.suffix != ".toml":
        raise BadInput("PROFILE_UNKNOWN")
    try:
        own = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise BadInput("PROFILE_UNREADABLE") from None
    if isinstance(own.get("device_rules"), str):
        own["device_rules"] = _beside(path, own["device_rules"])
    base = own.pop("base", "basic")
    _ask(base in SHIPPED, "base")
    _ask("table" not in own, "base")  # the table is the base's
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", path.stem)[:_LONGEST_NAME]
    return _over(_shipped(base), own, stem)


def _beside(profile: Path, name: str) -> str:
    """The text of a file that a profile names, relative to its own place."""
    try:
        return (profile.parent / name).read_text("utf-8") if name else ""
    except (OSError, ValueError):
        raise BadInput("DEVICE_RULES_UNREADABLE") from None


def description_of(name: str) -> str:
    """One sentence about a shipped profile."""
    return _toml(name)["description"]


def _shipped(name: str) -> Choices:
    data = _toml(name)
    if "base" in data:
        return _over(_shipped(data.pop("base")), data, name)
    del data["description"]
    data |= {"options": frozenset(data["options"]), "private_creators": tuple(data["private_creators"])}
    return Choices(name=name, overrides={}, **data)


def _toml(name: str) -> dict:
    return tomllib.loads(bytes_of(f"{name}.toml").decode())


def _ask(condition: bool, key: str) -> None:
    """key: one of ours, never what the user wrote."""
    if not condition:
        error = BadInput("PROFILE_UNUSABLE")
        error.add_note(f"look at: {key}")
        raise error


def _over(base: Choices, own: dict, name: str) -> Choices:
    """own: the keys of one file, which win over the base's."""
    own = {key: value for key, value in own.items() if key != "description"}
    _check_forms(own)
    dates, retains_uids = _dates(base, own), _retains_uids(base, own)
    options = set(own.get("options", base.options)) - {*_OPTION_OF_DATES.values(), "retain_uids"}
    options |= {_OPTION_OF_DATES[dates]} if dates in _OPTION_OF_DATES else set()
    options |= {"retain_uids"} if retains_uids else set()
    if own.get("groups", {}).get("remove_private_tags") is False:
        _ask("retain_safe_private" not in own.get("options", ()), "remove_private_tags")
        options -= {"retain_safe_private"}
    if own.get("pixels", "clean") != "clean":
        _ask("clean_pixel_data" not in own.get("options", ()), "pixels")
        options -= {"clean_pixel_data"}
    settled = {
        "name": name,
        "options": frozenset(options),
        "dates": dates,
        "groups": base.groups | own.get("groups", {}) | {"dates": dates != "keep", "regenerate_uids": not retains_uids},
        "images": base.images | own.get("images", {}),
        "overrides": base.overrides | _overrides(own.get("overrides", {}), dates),
        "private_creators": tuple(sorted(one.strip() for one in own.get("private_creators", base.private_creators))),
    }
    return replace(base, **own | settled)


def _dates(base: Choices, own: dict) -> str:
    """The date policy, said by `dates`, by an option or by the switch; by two of them only if they agree."""
    switch, options = own.get("groups", {}).get("dates"), own.get("options")
    said = {policy for policy, option in _OPTION_OF_DATES.items() if option in (options or ())}
    said |= {own["dates"]} if "dates" in own else set()
    said |= {"keep"} if switch is False else set()
    _ask(len(said) <= 1 and not (switch and "keep" in said), "dates")
    if said:
        return said.pop()
    no_longer = (options is not None and base.dates in _OPTION_OF_DATES) or (switch and base.dates == "keep")
    return "remove" if no_longer else base.dates


def _retains_uids(base: Choices, own: dict) -> bool:
    switch, options = own.get("groups", {}).get("regenerate_uids"), own.get("options")
    _ask(not (switch and "retain_uids" in (options or ())), "regenerate_uids")
    if switch is not None:
        return not switch
    return "retain_uids" in (base.options if options is None else options)


def _overrides(own: dict[str, str], dates: str) -> dict[int, str]:
    """own: keyword or tag (`(gggg,eeee)` or `ggggeeee`) -> action code."""
    overrides = {}
    for name, code in own.items():
        tag = tag_of(name) or _tag_in(name)
        vr = vr_of(tag) if tag is not None and _can_have_a_rule(tag) else ""
        _ask(vr != "" and tag not in overrides, "overrides")
        _ask(_makes_sense(tag, vr.split(" or ")[0], code, dates), f"overrides.{name}")
        overrides[tag] = code
    return overrides


def _tag_in(name: str) -> int | None:
    found = re.fullmatch(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)|([0-9A-F]{8})", name.upper())
    return int("".join(part for part in found.groups() if part), 16) if found else None


def _can_have_a_rule(tag: int) -> bool:
    """Private elements stay by creator; file meta, curves and overlays have rules of their own."""
    group = tag >> 16
    return group > 2 and not group & 1 and group >> 8 not in (0x50, 0x60)


def _makes_sense(tag: int, vr: str, code: str, dates: str) -> bool:
    if tag in _ONLY:
        return code == _ONLY[tag]
    if code == Action.UID:
        return vr == "UI"
    if code == Action.DUMMY:
        return vr in ("UI", "SQ") or dummy_for(vr) is not None
    if code == Action.CLEAN:
        return vr in CLEANABLE_VRS and not (vr in ("DA", "DT", "TM") and dates == "remove")
    return code in ("X", "Z", "K")


def _is_uid_root(value: object) -> bool:
    """Components without leading zeros (PS3.5 section 9.1); not the standard's own root; room for 39 digits behind."""
    if not isinstance(value, str) or len(value) > _LONGEST_ROOT:
        return False
    is_uid = re.fullmatch(r"[0-2](\.(0|[1-9][0-9]*))+", value) is not None
    return value == "" or (is_uid and not f"{value}.".startswith("1.2.840.10008."))


def _is_list_of(allowed: object) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(one, str) and one in allowed for one in value)


def _is_table_of(allowed: object, kind: type) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, dict)
        and all((allowed is None or key in allowed) and isinstance(one, kind) for key, one in value.items())
    )


def _is_images(value: object) -> bool:
    return isinstance(value, dict) and all(outcome in IMAGE_KINDS.get(kind, ()) for kind, outcome in value.items())


def _is_creators(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and 0 < len(one.strip()) <= 64 for one in value)


#: Every key that a file may have besides `base` and `description`, and what makes its value one
_FORMS: dict[str, Callable[[object], bool]] = {
    "table": lambda value: value in ("E.1-1", "groups"),
    "options": _is_list_of(OPTIONS),
    "groups": _is_table_of(GROUP_SWITCHES, bool),
    "dates": lambda value: value in ("remove", "year", "shift", "keep"),
    "shift_days": lambda value: type(value) is int and 1 <= value <= _LONGEST_SHIFT,
    "pixels": lambda value: value in ("clean", "quarantine", "unexamined"),
    "images": _is_images,
    "faces": lambda value: value in ("withhold", "deface", "release"),
    "device_rules": lambda value: isinstance(value, str),
    "encapsulated": lambda value: value in ("quarantine", "drop", "allow"),
    "uid_root": _is_uid_root,
    "issuer_counts": lambda value: type(value) is bool,
    "private_creators": _is_creators,
    "overrides": _is_table_of(None, str),
}


def _check_forms(own: dict) -> None:
    _ask(set(own) <= set(_FORMS), "the names of the keys")
    for key, value in own.items():
        _ask(_FORMS[key](value), key)
