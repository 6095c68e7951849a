"""What a profile does to which element, and why: for `profile show`, `profile diff`, `profile list` and the README."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from ..deid.profile import Profile, load_profile
from ..deid.profile_file import SHIPPED, description_of
from ..deid.rules import E_1_1, canonical
from ..deid.structured_reports import AGE_OR_BIRTH, content_item_action
from ..deid.tables import rows_of
from ..pixels.devices import rules_in
from .image_rules import devices, faces, images
from .shown_rule import ShownRule
from .site_profile import site_profile


@dataclass(frozen=True)
class ShownProfile:
    name: str
    description: str
    digest: str
    settings: dict[str, str]
    rules: tuple[ShownRule, ...]  #: one for each row of Table E.1-1, and for each element that the profile adds
    classes: tuple[ShownRule, ...]  #: standard elements without a rule, by what decides over them
    private: tuple[ShownRule, ...]
    content_items: tuple[ShownRule, ...]  #: of structured reports
    pixels: tuple[ShownRule, ...]  #: what becomes of which image, in the order in which triage asks
    devices: tuple[ShownRule, ...]  #: where known devices write text
    faces: tuple[ShownRule, ...]


def show(name: str) -> ShownProfile:
    """name: a shipped profile's, or the path of a profile file. Raises BadInput."""
    profile = site_profile(name)
    return ShownProfile(
        name=profile.name,
        description=description_of(name) if name in SHIPPED else "",
        digest=profile.digest,
        settings=_settings(profile),
        rules=tuple(_rules(profile)),
        classes=tuple(_classes(profile)),
        private=tuple(_private(profile)),
        content_items=tuple(_content_items(profile)),
        pixels=tuple(images(profile)),
        devices=tuple(devices(profile)),
        faces=tuple(faces(profile)),
    )


def _settings(profile: Profile) -> dict[str, str]:
    return {
        "table": profile.table,
        "options": ", ".join(sorted(profile.options)) or "none",
        "groups off": ", ".join(switch for switch, on in profile.groups.items() if not on) or "none",
        "dates": profile.dates + (f", up to {profile.shift_days} days" if profile.dates == "shift" else ""),
        "pixels": profile.pixels,
        **profile.images,
        "faces": profile.faces,
        "own device rules": str(len(rules_in(profile.device_rules))),
        "encapsulated documents": profile.encapsulated,
        "root of new UIDs": profile.uid_root or "2.25",
        "issuer of the patient ID": "counts" if profile.issuer_counts else "does not count",
        "private creators": ", ".join(profile.private_creators) or "none",
        "codes written": ", ".join(value for value, _, _ in profile.codes),
    }


def _rules(profile: Profile) -> Iterator[ShownRule]:
    shown = set()
    for row in rows_of(E_1_1):
        if row["tag"] == "PRIVATE":
            continue
        tag = int(row["tag"].replace("x", "0"), 16)
        rule = profile.explain(tag)
        shown.add(tag)
        place = f"({row['tag'][:4]},{row['tag'][4:]})"
        yield ShownRule(place, row["keyword"] or row["name"], str(rule.code), rule.why)
    for tag, rule in sorted(profile.rules.items()):
        if tag not in shown:
            yield ShownRule(_place(tag), rule.keyword, rule.code, rule.why)


def _place(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _unnamed() -> Iterator[int]:
    """Standard elements of data sets, repeating groups by their first."""
    for row in rows_of("dictionary.csv"):
        tag = int(row["tag"].replace("x", "0"), 16)
        if tag >> 16 > 4:
            yield tag


def _without_rule(profile: Profile) -> Iterator[ShownRule]:
    for tag in _unnamed():
        if canonical(tag) not in profile.rules:
            rule = profile.explain(tag)
            yield ShownRule(_place(tag), rule.keyword, str(rule.code), rule.why)


def _classes(profile: Profile) -> Iterator[ShownRule]:
    members: dict[tuple[str, str], list[str]] = {}
    for rule in _without_rule(profile):
        members.setdefault((rule.why, rule.action), []).append(rule.name)
    for (why, code), names in sorted(members.items()):
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield ShownRule("", ", ".join(names[:3]) + more, code, why)
    yield ShownRule("", "elements that are not in the dictionary, group lengths", "X", "nobody knows what they hold")


def _private(profile: Profile) -> Iterator[ShownRule]:
    yield ShownRule("(gggg,xxxx), gggg odd", "Private Attributes", *_private_action(profile))
    if "retain_safe_private" in profile.options:
        for row in rows_of("table_e_3_10_1.csv"):
            kept = profile.private_vr(row["creator"], int(row["group"], 16), int(row["element"], 16)) is not None
            why = f"E.3.10-1, {row['vr']}" if kept else "E.3.10-1 prints no VR"
            name = f"{row['creator']}: {row['meaning']}"
            yield ShownRule(f"({row['group']},xx{row['element']})", name, "K" if kept else "X", why)


def _private_action(profile: Profile) -> tuple[str, str]:
    if not profile.private_rule:
        return "X", "no private element stays"
    return ("K" if not profile.groups["remove_private_tags"] else "C"), f"stays where {profile.private_rule}"


def _content_items(profile: Profile) -> Iterator[ShownRule]:
    if profile.groups["patient_data"]:
        for code, scheme in sorted(AGE_OR_BIRTH):
            yield ShownRule(f"{scheme} {code}", "", "X", "tells the patient's age or day of birth")
    if not profile.cleans_content:
        return
    for row in rows_of("table_e_3_4_1.csv"):
        if (row["code"], row["scheme"]) in AGE_OR_BIRTH:
            continue
        action = profile.content_item_action(row["code"], row["scheme"], row["value_type"])
        yield ShownRule(f"{row['scheme']} {row['code']}", f"{row['meaning']} ({row['value_type']})", action, "E.3.4-1")
    for value_type in ("TEXT", "PNAME", "DATE", "TIME", "DATETIME", "UIDREF", "IMAGE", "COMPOSITE", "WAVEFORM",
                       "CODE", "NUM", "CONTAINER"):  # fmt: skip
        action = content_item_action("", "", value_type, profile.options, profile.dates)
        yield ShownRule("", f"any other item ({value_type})", action, "its value type")


# for people and programs

_SECTIONS = {
    "rules": "Elements",
    "classes": "Elements without a rule of their own",
    "private": "Private elements",
    "content_items": "Content items of structured reports",
    "pixels": "Images, by the first line that fits",
    "devices": "Devices that write text into their images",
    "faces": "Faces",
}


def shown(name: str) -> str:
    """The whole profile as text: its settings, then each rule on a line."""
    profile = show(name)
    lines = [f"{profile.name}  {profile.digest}", profile.description, ""]
    lines += [f"{key}: {value}" for key, value in profile.settings.items()]
    for section, title in _SECTIONS.items():
        if rules := getattr(profile, section):
            lines += ["", title, *_table([(rule.tag, rule.name, rule.action, rule.why) for rule in rules])]
    return "\n".join(lines)


def shown_as_json(name: str) -> dict:
    """ShownProfile's fields."""
    return asdict(show(name))


@dataclass(frozen=True)
class Difference:
    """actions, whys: in the first profile and in the second; empty where it has no such rule."""

    tag: str
    name: str
    actions: tuple[str, str]
    whys: tuple[str, str]


def diff(first: str, second: str) -> tuple[Difference, ...]:
    """Every element, content item and image of which the action or its reason differs. Raises BadInput."""
    one, other = (_each(site_profile(name)) for name in (first, second))
    nothing = ShownRule("", "", "", "")
    return tuple(
        Difference(*place, (a.action, b.action), (a.why, b.why))
        for place in sorted({*one, *other})
        if (a := one.get(place, nothing)) != (b := other.get(place, nothing))
    )


def _each(profile: Profile) -> dict[tuple[str, str], ShownRule]:
    """By tag and name."""
    parts = (_rules, _without_rule, _private, _content_items, images, devices, faces)
    return {(rule.tag, rule.name): rule for part in parts for rule in part(profile)}


def differences(first: str, second: str) -> str:
    one, other = (_settings(load_profile(name)) for name in (first, second))
    lines = [f"{key}: {one[key]} | {other[key]}" for key in one if one[key] != other[key]]
    rows = [(each.tag, each.name, " | ".join(each.actions), " | ".join(each.whys)) for each in diff(first, second)]
    return "\n".join([*lines, "", *_table(rows)]) if rows or lines else "no difference"


def differences_as_json(first: str, second: str) -> dict:
    return {"profiles": [first, second], "differences": [asdict(one) for one in diff(first, second)]}


def listed() -> str:
    return "\n".join(_table([(name, description_of(name), load_profile(name).digest[:16]) for name in SHIPPED]))


def listed_as_json() -> dict:
    rows = ({"name": one, "description": description_of(one), "digest": load_profile(one).digest} for one in SHIPPED)
    return {"profiles": list(rows)}


_WIDEST = 60


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns aligned; a column as wide as its widest cell, up to _WIDEST."""
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
