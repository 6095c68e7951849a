"""Table E.1-1 under a profile's choices: one rule for each element that the table or the profile names."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from .dictionary import name_of, tag_of, vr_of
from .profile_file import CLEANABLE_VRS, Choices
from .tables import bytes_of, rows_of

EDITION = "2026d"
_TABLE = f"E.1-1 {EDITION}"
#: As little as the Type permits; for what the table does not name, of Type 3 where the IOD is not known
BY_TYPE = "X/Z/D"
_DATE_VRS = frozenset(("DA", "DT", "TM"))
_TIMEZONE_OFFSET = 0x00080201
#: Versions of context groups and templates (DT): public dates, which shifted would tell the patient's shift
_VERSIONS = frozenset((0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07))
_GROUPS, _ADDITIONS = "groups.toml", "additions.toml"
E_1_1 = "table_e_1_1.csv"

#: Columns of the table that an option or a date policy puts in force -> what `why` calls them
_TITLES = {
    "retain_uids": "Retain UIDs",
    "retain_device_identity": "Retain Device Identity",
    "retain_institution_identity": "Retain Institution Identity",
    "retain_patient_characteristics": "Retain Patient Characteristics",
    "retain_longitudinal_full_dates": "Retain Longitudinal Full Dates",
    "retain_longitudinal_modified_dates": "Retain Longitudinal Modified Dates",
    "clean_descriptors": "Clean Descriptors",
    "clean_structured_content": "Clean Structured Content",
    "clean_graphics": "Clean Graphics",
}


@dataclass(frozen=True)
class Rule:
    """code: an action or a compound of them (`X/Z/D`). why: what set it: table and edition, option, switch, override.
    chosen: an option, a switch or an override set it, not the Basic Profile. own: a switch or an override did, so that
    no profile of the standard says it. in_table: E.1-1 names the element.
    otherwise: the code for a value that code `C` cannot clean, or of which it leaves nothing."""

    tag: int
    keyword: str
    code: str
    why: str
    chosen: bool = False
    own: bool = False
    in_table: bool = True
    otherwise: str = BY_TYPE


def canonical(tag: int) -> int:
    """The first of the repeating groups 50xx and 60xx stands for all of them."""
    return tag & 0xFF00FFFF if tag >> 24 in (0x50, 0x60) else tag


def rules_of(choices: Choices) -> dict[int, Rule]:
    """By canonical tag. An element without a rule is judged by its VR."""
    members = group_members()
    rules = {}
    for row in rows_of(E_1_1):
        if (tag := _tag_of(row)) is None:
            continue
        rule = _rule(row, tag, members.get(tag, ""), choices)
        if rule is not None:
            rules[tag] = rule
    rules |= {rule.tag: rule for rule in _additions(choices)}
    for tag, code in choices.overrides.items():
        rules[tag] = _override(tag, code, rules.get(tag))
    if choices.dates == "shift":
        rules |= {rule.tag: _shifting_along(rule) for rule in rules.values() if rule.code == "K"}
    return rules


def _override(tag: int, code: str, rule: Rule | None) -> Rule:
    """rule: what there was before."""
    made = Rule(tag, name_of(tag), code, "override", chosen=True, own=True, in_table=rule is not None and rule.in_table)
    if rule is None:
        return made
    return replace(made, otherwise=rule.otherwise if rule.code in ("C", "K") else rule.code)


def _additions(choices: Choices) -> Iterator[Rule]:
    for switch, content in tomllib.loads(bytes_of(_ADDITIONS).decode()).items():
        for keyword in content["keywords"]:
            tag = tag_of(keyword)
            if not choices.groups.get(switch, True):
                yield Rule(tag, keyword, "K", f"{switch} is off", chosen=True, own=True)
            elif switch in choices.groups or choices.table == "E.1-1":
                yield Rule(tag, keyword, BY_TYPE, "identifies (additions.toml)", in_table=False)


def _tag_of(row: dict[str, str]) -> int | None:
    """None for the rows of curves and of private elements, for which code and tables of their own stand."""
    digits = row["tag"].replace("60xx", "6000")
    return None if "x" in digits or digits == "PRIVATE" else int(digits, 16)


def _rule(row: dict[str, str], tag: int, switch: str, choices: Choices) -> Rule | None:
    vr = vr_of(tag)
    name, basic = name_of(tag), row["basic_prof"]
    columns = [(row[column], column) for column in _columns(choices, vr) if row[column]]
    cleans = [title for code, title in columns if code == "C" and _can_be_cleaned(tag, vr)]
    if cleans:  # what one option keeps and another cleans is cleaned
        return _cleaned(tag, name, f"{_TABLE}, {_title(cleans[0], choices)}", basic, choices.dates)
    if switch and not choices.groups[switch] and not _says_the_table(switch, choices):
        return Rule(tag, name, "K", f"{switch} is off", chosen=True, own=True, otherwise=basic)
    keeps = [title for code, title in columns if code == "K"]
    if keeps:
        why = f"{_TABLE}, {_title(keeps[0], choices)}"
        capped = vr == "AS"  # over 89 years it identifies: 45 CFR 164.514(b)(2)(i)(C)
        why += "; ages over 89 capped" if capped else ""
        return Rule(tag, name, "C" if capped else "K", why, chosen=True, otherwise=basic)
    if choices.table == "E.1-1":
        return Rule(tag, name, basic, f"{_TABLE}, Basic Profile")
    return Rule(tag, name, basic, f"{_TABLE}, Basic Profile; {switch} is on") if switch else None


def _says_the_table(switch: str, choices: Choices) -> bool:
    """Under E.1-1 these two switches are the standard's options, and its columns say what they mean."""
    return choices.table == "E.1-1" and switch in ("dates", "regenerate_uids")


def _columns(choices: Choices, vr: str) -> Iterator[str]:
    yield from (column for column in _TITLES if column in choices.options)
    if choices.dates == "year" and vr in ("DA", "DT"):
        yield "retain_longitudinal_modified_dates"


def _title(column: str, choices: Choices) -> str:
    if column == "retain_longitudinal_modified_dates" and choices.dates == "year":
        return f"{_TITLES[column]} (the year)"
    return _TITLES[column]


def _can_be_cleaned(tag: int, vr: str) -> bool:
    """Where nobody can tell what a value holds (OB), the Basic Profile's action stands."""
    return vr in CLEANABLE_VRS or tag == 0x60003000


def _cleaned(tag: int, name: str, why: str, basic: str, dates: str) -> Rule:
    if tag == _TIMEZONE_OFFSET:
        return Rule(tag, name, "K", f"{why}; times of the day stay as they are", chosen=True)
    if tag in _VERSIONS and dates == "shift":
        return Rule(tag, name, basic, f"{why}; a version is public, and moved it would tell by how much", chosen=True)
    return Rule(tag, name, "C", why, chosen=True, otherwise=basic)


def _shifting_along(rule: Rule) -> Rule:
    """One date that stays beside one that is shifted would tell the shift."""
    if vr_of(rule.tag) not in ("DA", "DT"):
        return rule
    return replace(rule, code="C", why=f"{rule.why}; shifts along")


@cache
def group_members() -> dict[int, str]:
    """tag -> the switch that it belongs to."""
    data = tomllib.loads(bytes_of(_GROUPS).decode())
    of_group = {group: switch for switch, content in data.items() for group in content["groups"]}
    of_keyword = {keyword: switch for switch, content in data.items() for keyword in content["keywords"]}
    members = {}
    for row in rows_of(E_1_1):
        if (tag := _tag_of(row)) is None:
            continue
        if switch := of_keyword.get(row["keyword"]) or of_group.get(row["tag"][:4]):
            members[tag] = switch
        elif vr_of(tag) in _DATE_VRS:
            members[tag] = "dates"
        elif row["basic_prof"] == "U":
            members[tag] = "regenerate_uids"
    return members
