"""The PS3.15 actions on one element, and the attribute's Type that decides between compound ones."""

import json
from enum import StrEnum
from functools import cache
from importlib.resources import files

from pydicom.valuerep import VR


class Action(StrEnum):
    """PS3.15 Table E.1-1a."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    UID = "U"
    KEEP = "K"


#: A dummy for each VR that an element with action D can have; of the VR's form, and of nobody.
_DUMMIES = {
    VR.AE: "ANONYMIZED", VR.AS: "000Y", VR.CS: "ANONYMIZED", VR.DA: "19000101", VR.DS: "0", VR.DT: "19000101000000",
    VR.IS: "0", VR.LO: "ANONYMIZED", VR.LT: "ANONYMIZED", VR.OB: b"\0\0", VR.PN: "ANONYMIZED", VR.SH: "ANONYMIZED",
    VR.ST: "ANONYMIZED", VR.TM: "000000", VR.UC: "ANONYMIZED", VR.UN: b"\0\0", VR.UR: "urn:anonymized",
    VR.UT: "ANONYMIZED",
}  # fmt: skip


def dummy_for(vr: str) -> str | bytes | None:
    """None: no dummy can be made, and the element has to go."""
    return _DUMMIES.get(VR(vr))


@cache
def _types() -> tuple[dict[str, str], dict[str, dict[str, dict[str, str]]]]:
    data = json.loads(files("dicom_assets.deid").joinpath("profiles/attribute_types.json").read_text("utf-8"))
    return data["sop_class_to_iod"], data["types"]


@cache
def attribute_type(sop_class_uid: str, path: tuple[str, ...], keyword: str) -> str:
    """Type (1, 1C, 2, 2C, 3) of an attribute in the IOD of sop_class_uid below the sequences of path (keywords).
    1 where the tables do not know it: the type that asks for most."""
    iods, types = _types()
    paths = types.get(iods.get(sop_class_uid, ""), {}).get(keyword, {})
    return paths.get("/".join(path), "1")


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
