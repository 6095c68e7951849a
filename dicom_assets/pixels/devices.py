"""Where a known device writes text into its images: the rules of devices.toml and of the site's own file. They only add
to what is found in the image itself."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from ..errors import BadInput
from .boxes import Box
from .regions import outside_of

#: Elements that a rule may ask about
MATCHABLE = (
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "Modality", "ImageType", "SeriesDescription",
    "PhotometricInterpretation", "Rows", "Columns",
)  # fmt: skip
_SIZE = ("Rows", "Columns")
_KEYS = {"name", "source", "match", "blank", "keep", "whole"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")
_LARGEST = 65535


@dataclass(frozen=True)
class Known:
    """What is known of an image's device. name: of the rule, `and` between several. boxes: what is blanked. whole: the
    whole image is."""

    name: str
    boxes: tuple[Box, ...]
    whole: bool = False


NOTHING_KNOWN = Known("", ())


@dataclass(frozen=True)
class DeviceRule:
    """match: keyword -> pattern that is found in the value, in any case; Rows and Columns: that number."""

    name: str
    source: str
    match: Mapping[str, re.Pattern]
    known: Known

    def holds(self, values: Mapping[str, str]) -> bool:
        return all(pattern.search(values.get(keyword, "")) for keyword, pattern in self.match.items())


@cache
def shipped() -> tuple[DeviceRule, ...]:
    return rules_in(Path(__file__).with_name("devices.toml").read_text("utf-8"))


@cache
def rules_in(text: str) -> tuple[DeviceRule, ...]:
    """text: TOML as devices.toml. Raises BadInput with DEVICE_RULES_UNUSABLE; a note on it says which rule, counted
    from 1, and which key."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise _unusable("the file, which is no TOML") from None
    given = data.get("device", [])
    if set(data) - {"device"} or not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise _unusable("the names of the keys")
    return tuple(_rule(one, number) for number, one in enumerate(given, 1))


def known_of(values: Mapping[str, str], modality: str, own: str) -> Known:
    """values, modality: as Notes has them. own: the site's rules, as TOML; empty: none."""
    return _known(tuple([modality if one == "Modality" else values.get(one, "") for one in MATCHABLE]), own)


@lru_cache(4096)
def _known(values: tuple[str, ...], own: str) -> Known:
    told = dict(zip(MATCHABLE, values, strict=True))
    found = [rule.known for rule in (*shipped(), *rules_in(own)) if rule.holds(told)]
    if not found:
        return NOTHING_KNOWN
    boxes = tuple(box for known in found for box in known.boxes)
    return Known(" and ".join(known.name for known in found), boxes, any(known.whole for known in found))


def _unusable(place: str) -> BadInput:
    error = BadInput("DEVICE_RULES_UNUSABLE")
    error.add_note(f"look at: {place}")
    return error


def _rule(given: dict, number: int) -> DeviceRule:
    def ask(condition: bool, key: str) -> None:
        if not condition:
            raise _unusable(f"device {number}, {key}")

    ask(set(given) <= _KEYS, "the names of its keys")
    name, source, match = given.get("name"), given.get("source"), given.get("match")
    ask(isinstance(name, str) and _NAME.fullmatch(name) is not None, "name")
    ask(isinstance(source, str) and source.strip() != "", "source")
    ask(isinstance(match, dict) and set(match) <= set(MATCHABLE), "match")
    ask(bool(set(match) - set(_SIZE)), "match")  # a size alone is nobody's
    what = [key for key in ("blank", "keep", "whole") if key in given]
    ask(len(what) == 1, "blank, keep or whole: one of them")
    if what == ["whole"]:
        ask(given["whole"] is True, "whole")
    else:
        ask(all(type(match.get(key)) is int and 0 < match[key] <= _LARGEST for key in _SIZE), "match: Rows and Columns")
        ask(_are_rectangles(given[what[0]], match["Rows"], match["Columns"]), what[0])
    patterns = {}
    for keyword, wanted in match.items():
        ask(type(wanted) is int if keyword in _SIZE else isinstance(wanted, str) and wanted != "", f"match.{keyword}")
        try:
            patterns[keyword] = re.compile(f"^{wanted}$" if keyword in _SIZE else wanted, re.IGNORECASE)
        except re.error:
            ask(False, f"match.{keyword}")
    return DeviceRule(name, source, patterns, Known(name, _boxes(given, match, f"device {name}"), "whole" in given))


def _are_rectangles(given: object, rows: int, columns: int) -> bool:
    """Each left, top, right, bottom; right and bottom are the first that are outside."""
    return (
        isinstance(given, list)
        and given != []
        and all(isinstance(one, list) and len(one) == 4 and all(type(edge) is int for edge in one) for one in given)
        and all(0 <= left < right <= columns and 0 <= top < bottom <= rows for left, top, right, bottom in given)
    )


def _boxes(given: dict, match: dict, source: str) -> tuple[Box, ...]:
    if "keep" in given:
        kept = [Box(*one) for one in given["keep"]]
        return tuple(outside_of(kept, match["Rows"], match["Columns"], source))
    return tuple(Box(*one, source=source) for one in given.get("blank", []))
