"""Is this image likely to show a name? By header alone, with the rules of triage.toml."""

import tomllib
from functools import cache
from importlib.resources import files

from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary

_PIXEL_DATA = (0x7FE00008, 0x7FE00009, 0x7FE00010)


@cache
def _rules() -> dict:
    return tomllib.loads(files("dicom_assets.pixels").joinpath("triage.toml").read_text("utf-8"))


def triage(header: Dataset) -> str:
    """The reason code for which the image may not be released without cleaning; empty where none is seen.
    An object without pixel data shows nothing."""
    if not any(tag in header for tag in _PIXEL_DATA):
        return ""
    rules = _rules()
    sop_class_uid = str(header.get("SOPClassUID", ""))
    if sop_class_uid in rules["review"]["sop_classes"] or sop_class_uid not in UID_dictionary:
        return "PIXELS_NEED_REVIEW"
    if sop_class_uid in rules["text_likely"]["sop_classes"]:
        return "TEXT_IN_PIXELS_LIKELY"
    for keyword, signs in rules["text_likely"]["values"].items():
        value = header.get(keyword) or ""
        values = [value] if isinstance(value, str) else value
        if any(str(one).strip().upper() in signs for one in values):
            return "TEXT_IN_PIXELS_LIKELY"
    return ""
