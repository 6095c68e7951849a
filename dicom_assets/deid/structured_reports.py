"""What happens to a content item of a structured report: PS3.15 E.3.4 and Table E.3.4-1, edition 2026d.

The table names items by concept and value type. An item that it does not name is judged by its value type alone, so
that nothing passes because its concept is new or a site's own.
"""

from collections.abc import Collection
from functools import cache

from .actions import Action, resolve
from .dictionary import tag_of
from .tables import rows_of

#: Sequences whose items are content items (PS3.3 C.17.3.2 and 10.2)
CONTENT_SEQUENCES = frozenset(
    tag_of(keyword)
    for keyword in (
        "ContentSequence", "AcquisitionContextSequence", "SpecimenPreparationStepContentItemSequence",
        "SpecimenLocalizationContentItemSequence", "ProtocolContextSequence", "ContentItemModifierSequence",
        "ScheduledProcessingParametersSequence", "PerformedProcessingParametersSequence",
    )
)  # fmt: skip
#: Value type -> the element that holds its value, where text of a person's can stand in it
VALUE_OF = {
    "TEXT": tag_of("TextValue"), "PNAME": tag_of("PersonName"), "DATE": tag_of("Date"), "TIME": tag_of("Time"),
    "DATETIME": tag_of("DateTime"), "UIDREF": tag_of("UID"),
}  # fmt: skip

#: Concepts (code, scheme) of the patient's age and day of birth. Such an item goes whatever the options say: over 89
#: years an age identifies, and its unit stands in another element
AGE_OR_BIRTH = frozenset(
    {("121033", "DCM"), ("30525-0", "LN"), ("63900-5", "LN"), ("29553-5", "LN"), ("21612-7", "LN")}
    | {("424144002", "SCT"), ("397669002", "SCT"), ("445518008", "SCT")}
    | {("121031", "DCM"), ("21112-8", "LN"), ("184099003", "SCT")}
)
_REFERENCES = frozenset(("UIDREF", "IMAGE", "COMPOSITE", "WAVEFORM"))
_TIMES = frozenset(("DATE", "DATETIME", "TIME"))
#: Value types that hold no text of a person's (PS3.3 C.17.3.2.1); coordinates' references are elements of their own
_WITHOUT_TEXT = frozenset(("CODE", "NUM", "CONTAINER", "SCOORD", "SCOORD3D", "TCOORD", "TABLE"))


def content_item_action(code_value: str, scheme: str, value_type: str, options: Collection[str], dates: str) -> Action:
    """code_value, scheme: of the item's Concept Name Code Sequence; empty where it has none. options, dates: as in
    Choices. REMOVE: the whole item; DUMMY, EMPTY: its value; UID: the UIDs in it; CLEAN: by VR;
    KEEP: the item stays, and its children are judged by themselves."""
    if (code_value, scheme) in AGE_OR_BIRTH:
        return Action.REMOVE
    row = _items().get((code_value, scheme, value_type))
    if row is None:
        return _unnamed(value_type, dates)
    columns = {row[option] for option in options if row.get(option)}
    if dates == "year" and value_type in ("DATE", "DATETIME"):
        columns.add(row["retain_longitudinal_modified_dates"])
    if "C" in columns:
        return Action.CLEAN
    if "K" in columns:
        return Action.KEEP
    action = resolve(row["basic"], "1")  # templates demand what they demand; the item stays in place
    return Action.UID if action is Action.DUMMY and value_type in _REFERENCES else action


def _unnamed(value_type: str, dates: str) -> Action:
    if value_type in _REFERENCES:
        return Action.UID
    if value_type in _TIMES:
        if dates == "year":
            return Action.DUMMY if value_type == "TIME" else Action.CLEAN
        return {"remove": Action.DUMMY, "shift": Action.CLEAN, "keep": Action.KEEP}[dates]
    if value_type == "TEXT":
        return Action.CLEAN
    if value_type == "PNAME":
        return Action.DUMMY
    return Action.KEEP if value_type in _WITHOUT_TEXT else Action.REMOVE


@cache
def _items() -> dict[tuple[str, str, str], dict[str, str]]:
    return {(row["code"], row["scheme"], row["value_type"]): row for row in rows_of("table_e_3_4_1.csv")}
