"""The PS3.15 actions on one element, and the attribute's Type that decides between compound ones."""

import json
from enum import StrEnum
from functools import cache

from .tables import bytes_of


class Action(StrEnum):
    """PS3.15 Table E.1-1a."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    UID = "U"
    KEEP = "K"
    CLEAN = "C"


#: A dummy for each VR that an element with action D can have; of the VR's form, and of nobody. Binary ones are one
#: encoded value, little endian.
_DUMMIES: dict[str, str | bytes] = {
    "AE": "ANONYMIZED", "AS": "000Y", "CS": "ANONYMIZED", "DA": "19000101", "DS": "0", "DT": "19000101000000",
    "IS": "0", "LO": "ANONYMIZED", "LT": "ANONYMIZED", "PN": "ANONYMIZED", "SH": "ANONYMIZED", "ST": "ANONYMIZED",
    "TM": "000000", "UC": "ANONYMIZED", "UR": "urn:anonymized", "UT": "ANONYMIZED",
    "OB": bytes(2), "OW": bytes(2), "UN": bytes(2), "US": bytes(2), "SS": bytes(2), "AT": bytes(4), "UL": bytes(4),
    "SL": bytes(4), "FL": bytes(4), "OF": bytes(4), "OL": bytes(4), "FD": bytes(8), "OD": bytes(8), "OV": bytes(8),
    "SV": bytes(8), "UV": bytes(8),
}  # fmt: skip


def dummy_for(vr: str) -> str | bytes | None:
    """None: no dummy can be made. A UI gets a new UID instead, an SQ has its items walked; anything else has to go."""
    return _DUMMIES.get(vr)


@cache
def _types() -> dict:
    return json.loads(bytes_of("attribute_types.json"))


def attribute_type(sop_class_uid: str, path: tuple[str, ...], keyword: str, unknown: str = "1") -> str:
    """Type (1, 1C, 2, 2C, 3) of an attribute in the IOD of sop_class_uid below the sequences of path (keywords).
    unknown: what is said where the tables do not know it; 1 asks for most."""
    tables = _types()
    at = tables["types"].get(keyword, {}).get(tables["sop_class_to_iod"].get(sop_class_uid, ""))
    return unknown if at is None else tables["maps"][at].get("/".join(path), unknown)


def resolve(code: str, attribute_type: str) -> Action:
    """The action that a compound code (`X/Z/D`) means for an attribute of this Type, so that what was conforming stays
    so: PS3.15 E.1.1. The least that the Type permits is taken."""
    choices = code.replace("U*", "U").split("/")
    if "U" in choices:  # X/Z/U*: a sequence of references, kept with new UIDs
        return Action.UID
    wanted = {"1": "D", "1C": "D", "2": "Z", "2C": "Z"}.get(attribute_type, "X")
    for choice in (wanted, "D", "Z", "X"):
        if choice in choices:
            return Action(choice)
    raise ValueError("no such action code")
