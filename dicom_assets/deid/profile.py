"""Rules by tag + group switches -> Profile, with its digest. Rules come from PS3.15 Table E.1-1, edition 2026d.

A profile decides by allow-list: `action_for` says KEEP only for what a rule or the shipped lists let through.
"""

import csv
import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydicom.datadict import dictionary_keyword, dictionary_VR, tag_for_keyword
from pydicom.tag import BaseTag
from pydicom.uid import UID_dictionary

from ..errors import BadInput
from .actions import Action, attribute_type, resolve
from .fits import TEXT_VRS

EDITION = "2026d"
#: Raised whenever the same rules would give other bytes; part of the digest.
ENGINE = 1
GROUP_SWITCHES = (
    "patient_data", "institution_data", "study_data", "dates", "regenerate_uids", "remove_private_tags"
)  # fmt: skip
SHIPPED = ("basic", "halo")

#: Context groups of PS3.16 and coding schemes of HL7's register (SNOMED CT, LOINC, UCUM ...)
_PUBLIC_TABLES = re.compile(r"1\.2\.840\.10008\.6\.1\.\d{1,4}|2\.16\.840\.1\.113883\.6\.\d{1,3}")
_DATE_VRS = {"DA", "DT", "TM"}
_SOP_CLASS_UID = 0x00080016
_ICC_PROFILE = 0x00282000


@dataclass(frozen=True)
class Rule:
    """One row of a profile: code is an action or a compound of them (`X/Z/D`); why names what set it."""

    tag: int
    keyword: str
    code: str
    why: str


@dataclass(frozen=True)
class Profile:
    """What happens to every element. Made by load_profile; digest names the rules that were in force."""

    name: str
    table: str  #: "E.1-1": rules and allow-list; "groups": the switched groups only
    groups: dict[str, bool]
    pixels: str  #: clean, quarantine or unexamined
    code: tuple[str, str, str]  #: value, scheme, meaning for the De-identification Method Code Sequence
    rules: dict[int, Rule] = field(repr=False)
    kept_text: frozenset[int] = field(repr=False)
    digest: str = ""

    def action_for(self, tag: int, vr: str, sop_class_uid: str, path: tuple[str, ...]) -> Action:
        """tag: a standard element that the dictionary knows. path: keywords of the sequences above it."""
        rule = self.rules.get(tag)
        if rule is not None:
            if "/" not in rule.code:
                return Action(rule.code)
            return resolve(rule.code, attribute_type(sop_class_uid, path, rule.keyword))
        if vr == "UI":
            keeps = tag == _SOP_CLASS_UID or not self.groups["regenerate_uids"]
            return Action.KEEP if keeps else Action.UID
        if vr == "PN" or self._could_hold_anything(tag, vr):
            return Action.REMOVE
        if vr in _DATE_VRS and self.groups["dates"]:
            return Action.REMOVE
        if vr in TEXT_VRS and self.table == "E.1-1" and tag not in self.kept_text:
            return Action.REMOVE
        return Action.KEEP

    def _could_hold_anything(self, tag: int, vr: str) -> bool:
        """Byte strings without a form (documents, signatures, encrypted content), and what belongs to signatures."""
        return (vr == "OB" and tag != _ICC_PROFILE) or tag >> 16 == 0x0400

    @property
    def keeps_private(self) -> bool:
        return not self.groups["remove_private_tags"]

    @property
    def kept_tags(self) -> frozenset[int]:
        """Elements of E.1-1 that this profile keeps because its user said so."""
        return frozenset(tag for tag, rule in self.rules.items() if rule.code == Action.KEEP)


def is_well_known(uid: str) -> bool:
    """UIDs that PS3.6 lists: classes, syntaxes, well-known instances and frames of reference. Its root alone is no
    proof: a patient's number may follow it."""
    return uid in UID_dictionary or _PUBLIC_TABLES.fullmatch(uid) is not None


def load_profile(name: str) -> Profile:
    """A shipped profile's name, or the path of a TOML file with a `base`. Raises BadInput."""
    if name in SHIPPED:
        return _build(name, _shipped(name))
    path = Path(name)
    if path.suffix != ".toml":
        raise BadInput("PROFILE_UNKNOWN")
    try:
        own = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise BadInput("PROFILE_UNREADABLE") from None
    return _build(path.stem, _merge(own))


def _merge(own: dict) -> dict:
    """The user's file over its base; anything that is not understood is refused, never passed over."""
    if own.get("base", "basic") not in SHIPPED or not set(own) <= {"base", "groups", "dates", "pixels", "overrides"}:
        raise BadInput("PROFILE_UNUSABLE")
    data = _shipped(own.get("base", "basic"))
    switches, overrides = own.get("groups", {}), own.get("overrides", {})
    if not isinstance(switches, dict) or not isinstance(overrides, dict):
        raise BadInput("PROFILE_UNUSABLE")
    if not set(switches) <= set(GROUP_SWITCHES) or not all(isinstance(value, bool) for value in switches.values()):
        raise BadInput("PROFILE_UNUSABLE")
    if own.get("dates", "remove") != "remove" or own.get("pixels", "clean") not in (
        "clean",
        "quarantine",
        "unexamined",
    ):
        raise BadInput("PROFILE_UNUSABLE")
    if not all(tag_for_keyword(keyword) and code in ("X", "Z", "D", "K") for keyword, code in overrides.items()):
        raise BadInput("PROFILE_UNUSABLE")
    data["groups"] |= switches
    return data | {"pixels": own.get("pixels", data["pixels"]), "overrides": overrides}


def _build(name: str, data: dict) -> Profile:
    groups = data["groups"]
    rules = _rules(data["table"], groups)
    for keyword, code in data.get("overrides", {}).items():
        tag = tag_for_keyword(keyword)
        rules[tag] = Rule(tag, keyword, code, "override")
    code = (data["code"]["value"], data["code"]["scheme"], data["code"]["meaning"])
    kept_text = _kept_text()
    content = [
        ENGINE,
        EDITION, name, data["table"], data["dates"], data["pixels"], code, sorted(groups.items()), sorted(kept_text),
        [(rule.tag, rule.code) for _, rule in sorted(rules.items())],
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return Profile(name, data["table"], groups, data["pixels"], code, rules, kept_text, digest)


def _rules(table: str, groups: dict[str, bool]) -> dict[int, Rule]:
    members = _group_members()
    rules = {}
    for row in _table_rows():
        rule = Rule(int(row["tag"], 16), row["keyword"] or row["name"], row["basic_prof"], f"E.1-1 {EDITION}")
        switch = members.get(rule.tag) or ("regenerate_uids" if rule.code == "U" else "")
        if switch and not groups[switch]:
            rules[rule.tag] = Rule(rule.tag, rule.keyword, "K", f"{switch} is off")
        elif switch or table == "E.1-1":
            rules[rule.tag] = rule
    return rules


def _group_members() -> dict[int, str]:
    """tag -> the switch that it belongs to."""
    data = tomllib.loads(_file("groups.toml"))
    members = {}
    for row in _table_rows():
        tag = int(row["tag"], 16)
        for switch, content in data.items():
            if row["tag"][:4] in content["groups"] or row["keyword"] in content["keywords"]:
                members[tag] = switch
        if tag not in members and row["vr"] in _DATE_VRS:
            members[tag] = "dates"
    return members


@cache
def _table_rows() -> tuple[dict[str, str], ...]:
    """Rows that name one tag; repeating groups and private elements are rules of deidentify.py."""
    rows = csv.DictReader(_file("table_e_1_1.csv").splitlines())
    return tuple(row for row in rows if all(digit in "0123456789ABCDEF" for digit in row["tag"]))


@cache
def _kept_text() -> frozenset[int]:
    lists = tomllib.loads(_file("kept_text.toml"))
    return frozenset(tag_for_keyword(keyword) for keywords in lists.values() for keyword in keywords)


def _shipped(name: str) -> dict:
    return tomllib.loads(_file(f"{name}.toml"))


def _file(name: str) -> str:
    return files("dicom_assets.deid").joinpath("profiles", name).read_text("utf-8")


def vr_of(tag: int) -> str:
    """The dictionary's VR, or the empty string for an unknown tag."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""


def name_of(tag: int) -> str:
    """Keyword, or `(gggg,eeee)` where the dictionary has none."""
    try:
        return dictionary_keyword(tag) or str(BaseTag(tag))
    except KeyError:
        return str(BaseTag(tag))
