"""What happens to every element: Table E.1-1 under the profile's choices, and an allow-list for what it does not name.

profile_file.py   what the author chose (TOML)          rules.py              Table E.1-1 under these choices
profile.py        the decision on one element, digest   private_elements.py   Table E.3.10-1
                                                        structured_reports.py Table E.3.4-1
"""

import hashlib
import json
import tomllib
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from pathlib import Path

from . import private_elements, structured_reports
from .actions import Action, attribute_type, resolve
from .dictionary import name_of, tag_of, vr_of
from .fits import TEXT_VRS
from .profile_file import OPTIONS, Choices, choices_of
from .rules import BY_TYPE, E_1_1, EDITION, Rule, canonical, rules_of
from .tables import bytes_of, lexicons, rows_of

#: Raised whenever the same rules would give other bytes; part of the digest.
ENGINE = 5

_IMAGE_RULES = Path(__file__).parents[1] / "pixels"  #: its tables: triage, devices, faces
_SOP_CLASS_UID, _CODE_MEANING, _TEXT_VALUE, _ENCAPSULATED_DOCUMENT = 0x00080016, 0x00080104, 0x0040A160, 0x00420011
_DATE_VRS = frozenset(("DA", "DT", "TM"))
#: What is cleaned by a rule under which many values stay as they are
_MOVED_OR_CAPPED = _DATE_VRS | {"AS"}
#: Byte strings whose form is technical: ICCProfile, FillPattern, WeightingLookupTableData
_TECHNICAL_BYTES = frozenset((0x00282000, 0x00700256, 0x00701808))
#: Elements that say by themselves who the patient is
_NAMING = frozenset(
    tag_of(keyword)
    for keyword in (
        "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientIDsSequence", "OtherPatientNames",
        "PatientBirthName", "PatientMotherBirthName", "PatientAddress", "PatientTelephoneNumbers",
        "PatientTelecomInformation", "MedicalRecordLocator",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Profile(Choices):
    """Made by load_profile; digest names the rules that are in force."""

    rules: dict[int, Rule] = field(repr=False)
    kept_text: frozenset[int] = field(repr=False)
    digest: str

    def action_for(self, tag: int, vr: str, sop_class_uid: str, path: tuple[str, ...]) -> Action:
        """tag: an element of an even group. vr: the file's or the dictionary's. path: keywords of the sequences above
        it. CLEAN: dates by the date policy, times kept, text by the descriptor cleaner, an age capped,
        a sequence's items walked; KEEP on a sequence walks its items too."""
        rule = self.rules.get(canonical(tag))
        code = rule.code if rule else self._unnamed(tag)[0]
        return self._resolved(code, rule, tag, sop_class_uid, path)

    def without_cleaning(self, tag: int, sop_class_uid: str, path: tuple[str, ...]) -> Action:
        """For a value that CLEAN cannot clean, or of which it leaves nothing."""
        rule = self.rules.get(canonical(tag))
        if rule is None and self.cleans_names and vr_of(tag) in TEXT_VRS:
            return Action.DUMMY  # whatever its Type, the instance stays as conforming as it was
        code = rule.otherwise if rule else "D" if tag in (_TEXT_VALUE, _CODE_MEANING) else BY_TYPE
        return self._resolved(code, rule, tag, sop_class_uid, path)

    def _resolved(self, code: str, rule: Rule | None, tag: int, sop_class_uid: str, path: tuple[str, ...]) -> Action:
        if "/" not in code:
            return Action(code)
        unknown = "1" if rule and rule.in_table else "3"
        return resolve(code, attribute_type(sop_class_uid, path, name_of(tag), unknown))

    def explain(self, tag: int) -> Rule:
        """The rule for any tag: the table's, the profile's, or what the allow-list says of an element without one."""
        if (rule := self.rules.get(canonical(tag))) is not None:
            return rule
        if tag >> 16 & 1:
            code, why = "X", f"private; kept where {self.private_rule}" if self.private_rule else "private"
        else:
            code, why = self._unnamed(tag)
        return Rule(tag, name_of(tag), code, why)

    def _unnamed(self, tag: int) -> tuple[str, str]:
        """The code for an element of an even group without a rule, and why."""
        if not (vr := vr_of(tag)):
            return Action.REMOVE, "not in the dictionary"
        if vr == "PN" and self.table == "groups":
            return Action.EMPTY, "a person's name"  # often of Type 2
        if (reason := self._shows_or_hides_anything(tag, vr)) != "":
            return Action.REMOVE, reason
        if vr == "UI":
            if tag == _SOP_CLASS_UID:
                return Action.KEEP, "names a class"
            retained = not self.groups["regenerate_uids"]
            return (Action.KEEP, "UIDs are retained") if retained else (Action.UID, "a UID; well-known ones stay")
        if vr in _DATE_VRS:
            return self._unnamed_date(vr)
        if vr == "AS":
            return (Action.CLEAN, "ages over 89 capped") if self.groups["patient_data"] else (Action.KEEP, "an age")
        if vr in TEXT_VRS:
            return self._unnamed_text(tag, vr)
        return Action.KEEP, "in the dictionary; kept if the value fits"

    def _shows_or_hides_anything(self, tag: int, vr: str) -> str:
        """Why no one can be sure of such an element; empty where there is nothing against it."""
        group = tag >> 16
        if group >> 8 == 0x50:
            return "a curve"
        if group >> 8 == 0x60 and "clean_graphics" not in self.options:
            return "an overlay"
        if group >> 8 == 0x7F and (group != 0x7FE0 or 0x20 <= tag & 0xFFFF <= 0x40):
            return "retired image data"
        if group == 0x0400 or group >= 0xFFFA:
            return "belongs to a signature, or is padding"
        if vr == "UN" or (vr == "OB" and tag not in _TECHNICAL_BYTES):
            return "bytes without a form"
        if vr == "PN":
            return "a person's name"
        return ""

    def _unnamed_date(self, vr: str) -> tuple[str, str]:
        if self.dates == "remove" or (self.dates == "year" and vr == "TM"):
            return BY_TYPE, f"dates: {self.dates}"
        return (Action.KEEP if vr == "TM" or self.dates == "keep" else Action.CLEAN), f"dates: {self.dates}"

    def _unnamed_text(self, tag: int, vr: str) -> tuple[str, str]:
        if self.table == "E.1-1" and tag in self.kept_text:
            return Action.KEEP, "technical text (kept_text.toml)"
        if self.table == "E.1-1" and vr == "UR":
            return Action.REMOVE, "an address"
        if self.cleans_descriptors:
            return Action.CLEAN, "text; Clean Descriptors"
        if self.table == "groups":
            return Action.KEEP, "text of no group that is on"
        if tag == _TEXT_VALUE:  # PS3.3 C.17.3.2.1: a TEXT item has a value
            return Action.DUMMY, "text of a content item"
        return BY_TYPE, "text that nobody vouches for"

    def private_vr(self, creator: str, group: int, element: int) -> str | None:
        """creator: as it is but for padding. element: low byte of the element number. None: removed; else the VR that
        it must have; empty: any, the profile's user vouches for it."""
        if not self.groups["remove_private_tags"] or creator in self.private_creators:
            return ""
        if "retain_safe_private" in self.options:
            return private_elements.safe_vr(creator, group, element)
        return None

    @property
    def private_rule(self) -> str:
        """Which private elements stay; empty: none."""
        if not self.groups["remove_private_tags"]:
            return "remove_private_tags is off"
        kept = [f"E.3.10-1 {private_elements.EDITION} names it"] if "retain_safe_private" in self.options else []
        return " or ".join(kept + (["private_creators names its creator"] if self.private_creators else []))

    @property
    def keeps_private(self) -> bool:
        return self.private_rule != ""

    @property
    def cleans_names(self) -> bool:
        """Text that is kept without a look at its words is cleaned where it names the patient, so that an image need
        not be kept back for it."""
        return self.table == "groups" and self.groups["patient_data"]

    @property
    def cleans_descriptors(self) -> bool:
        """Text is cleaned word by word; also text that is kept, where it names the patient."""
        return "clean_descriptors" in self.options

    @property
    def cleans_content(self) -> bool:
        """Every content item is judged by its concept; else only those that tell the patient's age or day of birth."""
        return "clean_structured_content" in self.options

    def content_item_action(self, code_value: str, scheme: str, value_type: str) -> Action | None:
        """None: its elements are judged as any others."""
        tells_age = self.groups["patient_data"] and (code_value, scheme) in structured_reports.AGE_OR_BIRTH
        if not tells_age and not self.cleans_content:
            return None
        return structured_reports.content_item_action(code_value, scheme, value_type, self.options, self.dates)

    @property
    def removes_identity(self) -> bool:
        """What PatientIdentityRemoved says: nothing that names the patient by itself is kept."""
        return not any(self.rules[tag].code == "K" for tag in _NAMING if tag in self.rules)

    @property
    def longitudinal(self) -> str:
        """LongitudinalTemporalInformationModified: PS3.3 C.12.1."""
        return {"remove": "REMOVED", "keep": "UNMODIFIED"}.get(self.dates, "MODIFIED")

    @cached_property
    def codes(self) -> tuple[tuple[str, str, str], ...]:
        """(value, scheme, meaning) for the De-identification Method Code Sequence: CID 7050 for as much as the profile
        is the standard's, then our own, which names the rules exactly."""
        own = (self.digest[:16], "99DICOMASSETS", f"dicom_assets profile {self.name}")
        if not self._is_the_standards:
            return (own,)
        # nothing cleans pixels; the year alone is a modified date (PS3.15 E.3.6: aggregated)
        options = self.options - {"clean_pixel_data"}
        options |= {"retain_longitudinal_modified_dates"} if self.dates == "year" else set()
        codes = [("113100", "Basic Application Confidentiality Profile"), *(OPTIONS[option] for option in options)]
        return (*((value, "DCM", meaning) for value, meaning in sorted(codes)), own)

    @property
    def _is_the_standards(self) -> bool:
        """The Basic Profile with options of the standard, and no element treated more softly by the user's own word."""
        softer = any(rule.own and rule.code in ("K", "C") for rule in self.rules.values())
        other_private = not self.groups["remove_private_tags"] or self.private_creators
        return self.table == "E.1-1" and not (softer or other_private or self.encapsulated == "allow")

    @cached_property
    def kept_tags(self) -> frozenset[int]:
        """Elements that are kept, or whose dates may equal the original's, because the user said so. Cleaned text is
        not among them: it must name nobody."""
        kept = {rule.tag for rule in self.rules.values() if rule.chosen and self._may_equal(rule.tag, rule.code)}
        if self.dates != "remove" or not self.groups["regenerate_uids"]:
            unnamed = (int(row["tag"], 16) for row in rows_of("dictionary.csv") if row["vr"] in _DATE_VRS | {"UI"})
            kept |= {tag for tag in unnamed if tag not in self.rules and self._may_equal(tag, self.explain(tag).code)}
        return frozenset(kept)

    @cached_property
    def cleaned_tags(self) -> frozenset[int]:
        """Elements with text of which names and numbers were taken out; where it had none it is as it was."""
        return frozenset(rule.tag for rule in self.rules.values() if rule.code == "C" and vr_of(rule.tag) in TEXT_VRS)

    def codes_of(self, *vrs: str) -> dict[int, str]:
        """Tag -> code, as explain() has it, of the dictionary's elements with these VRs; of all where none is named.
        Groups that repeat (50xx, 60xx) are left out."""
        rows = (row for row in rows_of("dictionary.csv") if "x" not in row["tag"] and (not vrs or row["vr"] in vrs))
        return {(tag := int(row["tag"], 16)): str(self.explain(tag).code) for row in rows}

    def _may_equal(self, tag: int, code: str) -> bool:
        return tag != _SOP_CLASS_UID and (code == "K" or (code == "C" and vr_of(tag) in _MOVED_OR_CAPPED))


def load_profile(name: str) -> Profile:
    """A shipped profile's name, or the path of a TOML file. Raises BadInput."""
    choices = choices_of(name)
    rules, kept_text = rules_of(choices), _kept_text()
    if choices.encapsulated == "allow":
        rules[_ENCAPSULATED_DOCUMENT] = Rule(
            _ENCAPSULATED_DOCUMENT, "EncapsulatedDocument", "K", "encapsulated = allow", chosen=True, own=True
        )
    chosen = {one.name: getattr(choices, one.name) for one in fields(choices)}
    return Profile(**chosen, rules=rules, kept_text=kept_text, digest=_digest(chosen, rules))


def _digest(chosen: dict, rules: dict[int, Rule]) -> str:
    """Of all that decides the output's bytes: choices, rules, tables, what becomes of which image, and the engine's
    version."""
    tables = [
        E_1_1,
        "attribute_types.json",
        "coding_schemes.txt",
        "additions.toml",
        "dictionary.csv",
        "kept_text.toml",
        "well_known_uids.txt",
        *lexicons(),
    ]
    tables += ["table_e_3_10_1.csv"] if "retain_safe_private" in chosen["options"] else []
    tables += ["table_e_3_4_1.csv"] if "clean_structured_content" in chosen["options"] else []
    content = [
        ENGINE, EDITION,
        sorted((key, sorted(value.items()) if isinstance(value, dict) else sorted(value)
                if isinstance(value, frozenset) else value) for key, value in chosen.items()),
        [(rule.tag, rule.code) for _, rule in sorted(rules.items())],
        [(table, hashlib.sha256(bytes_of(table)).hexdigest()) for table in tables],
        [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in sorted(_IMAGE_RULES.glob("*.toml"))],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@cache
def _kept_text() -> frozenset[int]:
    lists = tomllib.loads(bytes_of("kept_text.toml").decode())
    return frozenset(tag_of(keyword) for keywords in lists.values() for keyword in keywords)
