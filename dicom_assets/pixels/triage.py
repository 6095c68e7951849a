"""What must become of an image before it may go out, and does an audio speak? By header alone, with the rules of
triage.toml, devices.toml and faces.toml. Every instance is asked about, few are risky: it costs some microseconds."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Protocol

from ..deid.dictionary import is_well_known_uid
from .devices import NOTHING_KNOWN, Known, known_of
from .faces import face_of

HEADER, CLEAN, REVIEW = "header", "clean", "review"
OVERLAY_PLANE = "overlay plane of a region"
_UNKNOWN_CLASS = "a class that the standard does not list"


class Described(Protocol):
    """What a header says of its image, as deid's Notes. values: keyword -> text, `\\`-separated, of the elements that
    the rules name; numbers in digits; a sequence as it is encoded, each byte a character."""

    sop_class_uid: str
    modality: str
    values: Mapping[str, str]
    has_pixels: bool
    transfer_syntax_uid: str


class SiteRules(Protocol):
    """What a site's profile says, as deid's Profile. images: kind of triage.toml -> clean, review or release. faces:
    withhold, deface or release. device_rules: TOML as devices.toml. pixels: clean, quarantine or unexamined. digest:
    another one for other rules."""

    digest: str
    images: Mapping[str, str]
    faces: str
    device_rules: str
    pixels: str


@dataclass(frozen=True)
class Verdict:
    """outcome: `header`, the pixels go out as they are; `clean`, only after text was looked for and blanked; `review`,
    not before a person has looked. code: the reason for which the image may not go out as it is; empty for `header`.
    sign: what speaks for it, for the report. whole: the whole image is blanked. device: what is known of where this
    device writes. face: `recognisable`, `unknown` (a slice of nobody knows which part of the body) or empty."""

    outcome: str
    code: str = ""
    sign: str = ""
    whole: bool = False
    device: Known = NOTHING_KNOWN
    face: str = ""


@dataclass(frozen=True)
class Rule:
    """One of triage.toml. values: keyword -> values in capitals. words: keyword -> phrases."""

    sign: str
    why: str
    outcome: str = ""
    kind: str = ""
    whole: bool = False
    without_pixels: bool = False
    sop_classes: Mapping[str, str] = field(default_factory=dict)
    syntaxes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    present: tuple[str, ...] = ()

    def holds(self, image: Described) -> bool:
        """Of an image whose SOP class fits."""
        if not (self.values or self.words or self.present or self.syntaxes):
            return True
        told = image.values
        if image.transfer_syntax_uid in self.syntaxes or any(keyword in told for keyword in self.present):
            return True
        for keyword, signs in self.values.items():
            text = image.modality if keyword == "Modality" else told.get(keyword, "")
            if text and not signs.isdisjoint(_each(text)):
                return True
        return any(_pattern(phrases).search(told.get(keyword, "")) for keyword, phrases in self.words.items())


def _each(text: str) -> list[str]:
    return [one.strip(" \0") for one in text.upper().split("\\")]


@cache
def rules() -> tuple[Rule, ...]:
    """Those of triage.toml, in their order."""
    return tuple(
        Rule(
            **one
            | {
                "values": {keyword: frozenset(signs) for keyword, signs in one.get("values", {}).items()},
                "words": {keyword: tuple(phrases) for keyword, phrases in one.get("words", {}).items()},
                "present": tuple(one.get("present", {}).get("keywords", ())),
            }
        )
        for one in tomllib.loads(Path(__file__).with_name("triage.toml").read_text("utf-8"))["rule"]
    )


@cache
def _pattern(phrases: tuple[str, ...]) -> re.Pattern:
    """Whole words; what stands between the words of a phrase is left open: `Dose_Report`."""
    spelled = (r"[\W_]*".join(map(re.escape, phrase.split())) for phrase in phrases)
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(spelled)})(?![^\W_])", re.IGNORECASE)


@cache
def _rules_for(sop_class_uid: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules() if not rule.sop_classes or sop_class_uid in rule.sop_classes)


_remembered: dict[tuple, Verdict] = {}
_MOST_REMEMBERED = 200


def judge(image: Described, site: SiteRules, face_waived: bool = False) -> Verdict:
    """face_waived: a reviewer has let the face pass. The instances of a series mostly say the same: one verdict."""
    says = (image.sop_class_uid, image.modality, image.transfer_syntax_uid, image.has_pixels)
    key = (site.digest, face_waived, says, tuple(image.values), tuple(image.values.values()))
    verdict = _remembered.get(key)
    if verdict is None:
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        verdict = _remembered[key] = _judged(image, site, face_waived)
    return verdict


def _judged(image: Described, site: SiteRules, face_waived: bool) -> Verdict:
    verdict = _by_rules(image, site)
    if not image.has_pixels:
        is_drawn = verdict.outcome == HEADER and "OverlayOfRegion" in image.values
        return _verdict(REVIEW, OVERLAY_PLANE, False) if is_drawn else verdict
    device = known_of(image.values, image.modality, site.device_rules)
    face = face_of(image)
    if face == "recognisable" and site.faces == "withhold" and not face_waived:
        return Verdict(REVIEW, "FACE_RECOGNISABLE", verdict.sign, face=face)
    if verdict.outcome == HEADER and device is not NOTHING_KNOWN:
        verdict = Verdict(CLEAN, "TEXT_IN_PIXELS_LIKELY", f"device {device.name}")
    if verdict.outcome == HEADER and "OverlayOfRegion" in image.values:
        verdict = _verdict(CLEAN, OVERLAY_PLANE, False)
    if verdict.outcome == HEADER and "OverlayInPixelData" in image.values:
        verdict = Verdict(CLEAN, "OVERLAY_IN_PIXEL_DATA", "overlay in unused bits")
    return replace(verdict, whole=verdict.whole or device.whole, device=device, face=face)


def _by_rules(image: Described, site: SiteRules) -> Verdict:
    if image.has_pixels and not is_well_known_uid(image.sop_class_uid):
        return _verdict(REVIEW, _UNKNOWN_CLASS, False)
    for rule in _rules_for(image.sop_class_uid):
        if (image.has_pixels or rule.without_pixels) and rule.holds(image):
            return _verdict(outcome_of(rule, site), rule.sign, rule.whole)
    return Verdict(HEADER)


def outcome_of(rule: Rule, site: SiteRules) -> str:
    if not rule.kind:
        return rule.outcome
    if rule.kind == "radiographs" and site.pixels == "quarantine":
        return HEADER  # text is possible, not likely
    chosen = site.images[rule.kind]
    return HEADER if chosen == "release" else chosen


@cache
def _verdict(outcome: str, sign: str, whole: bool) -> Verdict:
    code = {CLEAN: "TEXT_IN_PIXELS_LIKELY", REVIEW: "PIXELS_NEED_REVIEW"}.get(outcome, "")
    return Verdict(outcome, code, sign, whole)
