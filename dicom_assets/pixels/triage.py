"""Is this image likely to show a name, or this audio to speak one? By header alone, with the rules of triage.toml."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

from ..deid.dictionary import is_well_known_uid


class Described(Protocol):
    """What a header says of its image. values: keyword -> text, `\\`-separated, of the elements that the rules name."""

    sop_class_uid: str
    modality: str
    values: Mapping[str, str]
    has_pixels: bool


@cache
def _rules() -> dict:
    return tomllib.loads(Path(__file__).with_name("triage.toml").read_text("utf-8"))


def triage(image: Described) -> str:
    """The reason code for which the image may not be released without cleaning; empty where none is seen.
    An object without pixel data shows nothing, but audio is heard."""
    rules = _rules()
    if image.sop_class_uid in rules["audio"]["sop_classes"]:
        return "PIXELS_NEED_REVIEW"
    if not image.has_pixels:
        return ""
    if image.sop_class_uid in rules["review"]["sop_classes"] or not is_well_known_uid(image.sop_class_uid):
        return "PIXELS_NEED_REVIEW"
    if image.sop_class_uid in rules["text_likely"]["sop_classes"]:
        return "TEXT_IN_PIXELS_LIKELY"
    values = {**image.values, "Modality": image.modality}
    for keyword, signs in rules["text_likely"]["values"].items():
        if any(one.strip(" \0").upper() in signs for one in values.get(keyword, "").split("\\")):
            return "TEXT_IN_PIXELS_LIKELY"
    return ""
