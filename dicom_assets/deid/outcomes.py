"""What becomes of one element: kept as its bytes, emptied, replaced, cleaned or removed.

Fail closed: an element is kept only if the dictionary knows its tag, its VR is the dictionary's and its value fits VR
and VM, and if it names nobody whom the instance names.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice

from ..errors import BadInput, Refused
from .actions import Action, dummy_for
from .context import Context, Effect, Outcome, Plan, Scope, gather, merged, uids_told
from .dates import capped_age, shifted, year_only
from .dictionary import is_well_known_uid, name_of, vm_of, vr_of
from .elements import (
    DEEPEST,
    ENCODED_VRS,
    LONG_VRS,
    NUMBER_BYTES,
    PIXEL_TAGS,
    UNDEFINED,
    Element,
    Ends,
    MoreNeeded,
    element_at,
    elements,
    encode,
    encode_sequence,
    header_at,
    items,
)
from .fits import TEXT_VRS, checker, has_form
from .pseudonyms import PseudonymKey
from .structured_reports import CONTENT_SEQUENCES, VALUE_OF
from .survey import CHARACTER_SET, Mark, mark, may_identify
from .values import character_set, decoded, encoded, uids_in

PATIENT_NAME, PATIENT_ID = 0x00100010, 0x00100020
PLACING_UIDS = (0x0020000D, 0x0020000E, 0x00080018)  # study, series, instance
OVERLAYS = frozenset(range(0x6000, 0x6100, 2))  #: groups
CODE_MEANING = 0x00080104
_CODE_VALUE, _CODING_SCHEME = 0x00080100, 0x00080102
_VALUE_TYPE, _CONCEPT_NAME, _CONTENT_SEQUENCE = 0x0040A040, 0x0040A043, 0x0040A730
_CODE_VRS = frozenset({"LO", "SH", "UC", "UR"})
_MOST_PLANS = 10_000  #: of one place that are remembered; the dictionary has 5,200 elements
_MOST_UIDS = 50_000  #: that one instance holds; a study has some thousand
_BYTE_VRS = frozenset({"OB", "OW", "UN"})
OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})  #: Extended Offset Table and its lengths
_OVERLAY_TYPE, _OVERLAY_DATA = 0x0040, 0x3000
#: Rows, columns, frames, type, origin, first frame, bits, position, data
_KEPT_OF_OVERLAYS = frozenset({0x0010, 0x0011, 0x0015, 0x0040, 0x0050, 0x0051, 0x0100, 0x0102, 0x3000})


class Outcomes:
    """The outcomes of one instance's elements, implicit or explicit, Little Endian. walk.Walk gives the loops."""

    def __init__(self, context: Context, implicit: bool) -> None:
        self.context, self.implicit = context, implicit
        self.profile = context.profile
        self.count = 0  #: elements and items, nested ones included
        self._regions: dict[int, bool] = {}  # overlay groups that are kept
        self._uids = 0  # that were replaced
        self._end = 0  # of the top level
        self._ends: Ends = {}

    def data_set(self, scope: Scope, data: bytes, position: int, end: int) -> tuple[list[bytes], list[Effect]]:
        """Walks an item's data set from position to end: the output's elements, and their effects."""
        raise NotImplementedError

    def _vr(self, scope: Scope, tag: int, stated: bytes, length: int) -> str:
        """The VR of a standard element: as stated, else (implicit, UN) the dictionary's. Raises BadInput."""
        vr = "UN" if self.implicit else ENCODED_VRS.get(stated, "")
        if tag >> 16 == 0xFFFE:
            raise BadInput("ELEMENT_MALFORMED")
        if not vr:
            raise BadInput("VR_UNKNOWN")
        if vr != "UN":
            return vr
        if length == UNDEFINED:
            return "SQ"
        choices = vr_of(tag).split(" or ")
        if choices == ["US", "SS"]:
            return "SS" if scope.signed else "US"
        return choices[-1] or "UN"

    # one element

    def _outcome(self, scope: Scope, element: Element, data: bytes) -> Outcome:
        plan = scope.plans.get((element.tag, element.vr))
        if plan is None:
            plan = self._plan(scope, element.tag, element.vr)
            if len(scope.plans) < _MOST_PLANS:
                scope.plans[element.tag, element.vr] = plan
        value = b"" if element.vr == "SQ" else data[element.value : element.value_stop]
        outcome = plan.do(self, scope, element, value, data)
        if plan.marked and value:
            effect = outcome[1] or Effect()
            found = mark(element.tag, plan.stated, value, scope.charset)
            return outcome[0], replace(effect, marks=effect.marks | {found})
        return outcome

    def _plan(self, scope: Scope, tag: int, vr: str) -> Plan:
        context, group = scope.context, tag >> 16
        known = vr_of(tag)
        written = vr if vr in known.split(" or ") else known.split(" or ")[0]
        marked = may_identify(tag, vr)
        if tag & 0xFFFF == 0 or group <= 2:
            return Plan(Outcomes._dropped, vr, False)
        if not scope.path and tag in context.own_tags:
            return Plan(Outcomes._removed, vr, marked)  # the context's own is written
        if group in OVERLAYS and "clean_graphics" in self.profile.options:
            return Plan(Outcomes._overlay, vr, marked)
        if written not in ENCODED_VRS.values() or group >= 0xFFFA or 0x5000 <= group < 0x5100 or group in OVERLAYS:
            return Plan(Outcomes._removed, vr, marked)  # unknown, signatures, trailing padding, curves, overlays
        return Plan(self._action(scope, tag, vr, known), vr, marked)

    def _action(self, scope: Scope, tag: int, vr: str, known: str) -> Callable:
        action = self.profile.action_for(tag, known, scope.context.sop_class_uid, scope.path)
        if tag == scope.content[0]:
            action = scope.content[1]
        if action is Action.REMOVE:
            return Outcomes._removed
        if action is Action.EMPTY:
            return Outcomes._emptied
        if action is Action.DUMMY:
            return Outcomes._dummied
        if vr not in known.split(" or "):
            return Outcomes._removed
        if vr == "SQ":
            return Outcomes._content if tag in CONTENT_SEQUENCES else Outcomes._sequence
        if action is Action.UID:
            return Outcomes._renewed if vr == "UI" else Outcomes._removed
        if tag in PIXEL_TAGS:
            return Outcomes._removed  # a picture within a sequence
        if tag == CHARACTER_SET:
            return Outcomes._character_set
        if action is Action.CLEAN:
            if vr in ("DA", "DT"):
                return Outcomes._dated
            if vr in TEXT_VRS:
                return Outcomes._cleaned
            if vr == "AS":
                return Outcomes._aged
        if scope.within_identity and vr in _CODE_VRS:
            return Outcomes._coded_identity
        if tag == CODE_MEANING and self.profile.cleans_descriptors and not scope.published:
            return Outcomes._cleaned
        return Outcomes._kept_uid if vr == "UI" else Outcomes._kept

    def _dropped(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        return b"", None

    def _removed(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Gone; but whom a sequence names is to be found nowhere else either."""
        effect = changed(element.tag)
        if element.vr == "SQ":
            return b"", replace(effect, marks=self._marks_within(scope, element, data))
        return b"", effect

    def _marks_within(self, scope: Scope, element: Element, data: bytes) -> frozenset[Mark]:
        """Whom a sequence names that goes."""
        depth = len(scope.path)
        return self.context.surveyor.within_sequence(data, element, self.implicit, scope.charset, depth, self._ends)

    def _implicit_within(self, element: Element, data: bytes) -> bool:
        """The content of a sequence that is stated as UN is implicit: PS3.5 6.2.2."""
        return self.implicit or data[element.start + 4 : element.start + 6] == b"UN"

    def _emptied(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        tag = element.tag
        vr = vr_of(tag).split(" or ")[0]
        if tag in (PATIENT_ID, PATIENT_NAME):
            return encode(tag, vr, scope.context.patient.encode()), changed(tag)
        if element.vr == "SQ":
            marks = self._marks_within(scope, element, data)
            return encode(tag, vr, b""), replace(changed(tag), marks=marks)
        return encode(tag, vr, b""), changed(tag) if value else None

    def _dummied(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Action D: a dummy of the VR's form. Names and IDs of the patient become the pseudonym; sequences are cleaned,
        never invented."""
        tag = element.tag
        known = vr_of(tag).split(" or ")[0]
        if known == "SQ":
            if element.vr != "SQ":
                return encode(tag, known, b""), changed(tag)
            if tag in CONTENT_SEQUENCES:
                return self._content(scope, element, value, data)
            return self._sequence(scope, element, value, data)
        if tag in (PATIENT_ID, PATIENT_NAME) or not value.strip(b" \0"):
            return self._emptied(scope, element, value, data)
        if known == "UI":
            return self._renewed(scope, element, value, data)
        dummy = dummy_for(known)
        if dummy is None:
            return self._removed(scope, element, value, data)
        return encode(tag, known, dummy if isinstance(dummy, bytes) else dummy.encode()), changed(tag)

    def _kept(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """As it is, where it fits and says nothing of the patient."""
        tag, vr = element.tag, element.vr
        if not checker(tag, vr)(value):
            return self._nothing_left(scope, element, value, data)
        if vr in TEXT_VRS and decoded(value, vr, scope.charset) is None:
            return self._removed(scope, element, value, data)
        if tag in OFFSET_TABLES and not self._holds_offsets(value):
            return self._removed(scope, element, value, data)
        if tag not in self.profile.kept_tags and self._names_patient(scope, tag, vr, value):
            if vr in TEXT_VRS and (self.profile.cleans_names or self.profile.cleans_descriptors):
                return self._cleaned(scope, element, value, data)
            raise Refused("IDENTIFIER_LEFT")
        return self._as_it_is(element, data), _mentions(vr, value)

    def _holds_offsets(self, value: bytes) -> bool:
        """Offsets and lengths of fragments point into the file: no text does."""
        numbers = (int.from_bytes(value[at : at + 8], "little") for at in range(0, len(value), 8))
        return all(number < self._end for number in numbers)

    def _kept_uid(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Classes, and all UIDs where the profile retains them. A class that no one knows may be somebody's number."""
        kept = self._kept(scope, element, value, data)
        unknown = frozenset(uid for uid in uids_in(value) or () if uid and not is_well_known_uid(uid))
        by_choice = element.tag in self.profile.kept_tags or not self.profile.groups["regenerate_uids"]
        if not kept[0] or not unknown or by_choice:
            return kept
        numbers = " ".join(unknown).replace(".", " ").encode()
        if self.context.identity.found_in(numbers, "LO", element.tag):
            raise Refused("IDENTIFIER_LEFT")
        return kept[0], merged([Effect(mentions=unknown), *([kept[1]] if kept[1] else [])])

    def _as_it_is(self, element: Element, data: bytes) -> bytes:
        """The element's own bytes where they are the standard's Explicit VR Little Endian; else written anew."""
        whole = data[element.start : element.stop]
        stated = not self.implicit and whole[4:6] == element.vr.encode()
        if stated and not len(whole) & 1 and (element.vr not in LONG_VRS or whole[6:8] == b"\0\0"):
            return whole
        return encode(element.tag, element.vr, whole[element.value - element.start :])

    def _gated(self, scope: Scope, tag: int, vr: str, value: bytes) -> Effect | None:
        """The last gate: what is kept or cleaned holds no identifier of this patient. What the profile itself keeps is
        no hit. Raises Refused."""
        if tag not in self.profile.kept_tags and self._names_patient(scope, tag, vr, value):
            raise Refused("IDENTIFIER_LEFT")
        return _mentions(vr, value)

    def _names_patient(self, scope: Scope, tag: int, vr: str, value: bytes) -> bool:
        """As it stands, and as its character set reads it."""
        identity = self.context.identity
        if identity.found_in(value, vr, tag):
            return True
        if vr not in TEXT_VRS or (value.isascii() and b"\x1b" not in value):
            return False
        text = decoded(value, vr, scope.charset)
        return text is not None and identity.found_in(text.encode("utf-8", "replace"), vr, tag)

    def _tells_of_somebody(self, value: bytes, vr: str, scope: Scope) -> bool:
        """Short parts of names count too; under Clean Descriptors also dates and numbers of whoever it is."""
        from .descriptors import names_somebody, tells_of_somebody  # with its lexicon, for what needs it only

        tells = tells_of_somebody if self.profile.cleans_descriptors else names_somebody
        return tells(decoded(value, vr, scope.charset) or "", self.context.identity)

    def _cleaned(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Text of which only what is harmless stays: PS3.15 E.3.5. Lines, and values, are cleaned one by one."""
        tag, vr = element.tag, element.vr
        text = decoded(value, vr, scope.charset)
        if text is None:
            text = value.decode("ascii", "ignore")
        identity = self.context.identity
        from .descriptors import clean  # with its lexicon, for the profiles that clean text only

        several = vm_of(tag) != "1" and vr not in ("LT", "ST", "UT")
        parts = [clean(part, identity) for part in (text.split("\\") if several else [text])]
        harmless = encoded("\\".join(parts), scope.charset)
        if not any(parts) or not checker(tag, vr)(harmless):
            return self._nothing_left(scope, element, value, data)
        gated = self._gated(scope, tag, vr, harmless)
        if harmless == value.rstrip(b" \0"):
            return encode(tag, vr, harmless), gated
        return encode(tag, vr, harmless), merged([changed(tag), *([gated] if gated else [])])

    def _nothing_left(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """What cannot be kept or cleaned gets the action that it has without."""
        action = self.profile.without_cleaning(element.tag, scope.context.sop_class_uid, scope.path)
        handler = {Action.EMPTY: Outcomes._emptied, Action.DUMMY: Outcomes._dummied}.get(action, Outcomes._removed)
        return handler(self, scope, element, value, data)

    def _dated(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        if not value.strip(b" \0"):
            return self._as_it_is(element, data), None
        moved = self._moved(value, element.vr)
        if moved is None or not checker(element.tag, element.vr)(moved.encode()):
            return self._nothing_left(scope, element, value, data)
        return encode(element.tag, element.vr, moved.encode()), changed(element.tag)

    def _moved(self, value: bytes, vr: str) -> str | None:
        """By the date policy `year` or `shift`; None where it is no date."""
        text = value.decode("ascii", "replace")
        return year_only(text, vr) if self.profile.dates == "year" else shifted(text, vr, self.context.days)

    def _aged(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        if not value.strip(b" \0"):
            return self._as_it_is(element, data), None
        age = capped_age(value.decode("ascii", "replace"))
        if age is None or not checker(element.tag, "AS")(age.encode()):
            return self._nothing_left(scope, element, value, data)
        effect = changed(element.tag) if age.encode() != value.strip(b" \0") else None
        return encode(element.tag, "AS", age.encode()), effect

    def _coded_identity(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        if not checker(element.tag, element.vr)(value):
            return self._removed(scope, element, value, data)
        return encode(element.tag, element.vr, dummy_for(element.vr).encode()), changed(element.tag)

    def _character_set(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        name = character_set(value)
        if name is None:
            return self._removed(scope, element, value, data)
        return encode(element.tag, "CS", name), None

    def _renewed(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Each UID of the element replaced, well-known ones excepted; what is no UID is removed."""
        tag = element.tag
        old = uids_in(value)
        if old is None or not checker(tag, "UI")(value):
            return self._removed(scope, element, value, data)
        return self._with_new_uids(tag, old)

    def _with_new_uids(self, tag: int, old: list[str]) -> Outcome:
        any_one = tag in PLACING_UIDS[:2]  # some instances are public (palettes, atlases), no study and no series is
        replaced = {uid: self.new_uid(uid) for uid in old if uid and (any_one or not is_well_known_uid(uid))}
        new = "\\".join(replaced.get(uid, uid) for uid in old)
        pairs = tuple(pair for pair in replaced.items() if pair[0] != pair[1])
        self._uids += len(pairs)
        if self._uids > _MOST_UIDS:
            raise Refused("TOO_MANY_ELEMENTS")
        effect = Effect(uids=pairs, uid_tags=frozenset({name_of(tag)})) if pairs else None
        return encode(tag, "UI", new.encode()), effect

    def new_uid(self, old: str) -> str:
        if not self.profile.groups["regenerate_uids"]:
            return old
        return _uid_under(self.context.key, old, self.profile.uid_root)

    # sequences

    def _sequence(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        effects: list[Effect] = []
        content = []
        below = scope.below(element.tag, self._implicit_within(element, data))
        for start, stop in self._items(len(below.path), element, data):
            out, found = self.data_set(below, data, start, stop)
            gather(effects, found)
            content.append(b"".join(out))
        return encode_sequence(element.tag, content), merged(effects)

    def _items(self, depth: int, element: Element, data: bytes) -> Iterator[tuple[int, int]]:
        """Begin and end of each item of a sequence; in between they are walked as they are encoded."""
        if depth > DEEPEST:
            raise Refused("NESTED_TOO_DEEPLY")
        implicit, self.implicit = self.implicit, self._implicit_within(element, data)
        for extent in items(data, element, self.implicit, depth, self._ends):
            self.count += 1
            yield extent
        self.implicit = implicit
        self.context.keep_small()

    def _content(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Content items, PS3.15 E.3.4: each by its concept name; one that has to go goes with all below it."""
        effects: list[Effect] = []
        content = []
        depth = len(scope.path) + 1
        for start, stop in self._items(depth, element, data):
            code, scheme, value_type = self._concept(data, start, stop, depth)
            action = self.profile.content_item_action(code, scheme, value_type)
            if action is Action.REMOVE:
                surveyor = self.context.surveyor
                marks = surveyor.within(data, start, stop, self.implicit, scope.charset, depth, self._ends)
                gather(effects, [replace(changed(element.tag), marks=marks)])
                continue
            content_item = (None, None) if action is None else (VALUE_OF.get(value_type), action)
            place = scope.below(element.tag, self.implicit, content_item)
            out, found = self.data_set(place, data, start, stop)
            gather(effects, found)
            content.append(b"".join(out))
        if effects and not content and element.tag == _CONTENT_SEQUENCE:
            return b"", merged(effects)  # Type 1C: not without items
        return encode_sequence(element.tag, content), merged(effects)

    def _concept(self, data: bytes, start: int, stop: int, depth: int) -> tuple[str, str, str]:
        """Code value and scheme of the concept name, and the value type, of a content item."""
        code = scheme = value_type = ""
        for element in elements(data, start, stop, self.implicit, depth):
            if element.tag == _VALUE_TYPE:
                value_type = data[element.value : element.value_stop].strip(b" \0").decode("latin-1")
            elif element.tag == _CONCEPT_NAME:
                for item_start, item_stop in islice(items(data, element, self.implicit, depth), 1):
                    for part in elements(data, item_start, item_stop, self.implicit, depth):
                        text = data[part.value : part.value_stop].strip(b" \0").decode("latin-1")
                        code = text if part.tag == _CODE_VALUE else code
                        scheme = text if part.tag == _CODING_SCHEME else scheme
        return code, scheme, value_type

    # overlays and private elements

    def _overlay(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Clean Graphics: regions of interest (type R) stay with their bits; drawn text (type G), labels and comments,
        and overlays in the unused bits of the pixel data go. Only at top level."""
        tag = element.tag
        if scope.path or (tag & 0xFFFF) not in _KEPT_OF_OVERLAYS or not self._is_region(element, data):
            return self._removed(scope, element, value, data)
        if element.vr not in vr_of(tag).split(" or ") or not checker(tag, element.vr)(value):
            return self._removed(scope, element, value, data)
        return self._as_it_is(element, data), None

    def _is_region(self, element: Element, data: bytes) -> bool:
        """Type R, and as many bytes of Overlay Data as its rows, columns and frames ask for."""
        group = element.tag >> 16
        if group not in self._regions:
            found: dict[int, bytes] = {}
            length, position = 0, element.start
            while (part := self._of_group(group, data, position)) is not None:
                found[part.tag & 0xFFFF] = data[part.value : part.value_stop][:16]
                length = part.value_stop - part.value if part.tag & 0xFFFF == _OVERLAY_DATA else length
                position = part.stop
            frames = found.get(0x0015, b"1").strip(b" \0")
            bits = int(frames) if frames.isdigit() else 0
            for number in (0x0010, 0x0011):
                bits *= int.from_bytes(found.get(number, b"")[:2], "little")
            size = (bits + 7) // 8
            is_region = found.get(_OVERLAY_TYPE, b"").strip(b" \0") == b"R"
            self._regions[group] = is_region and bits > 0 and length == size + size % 2
        return self._regions[group]

    def _of_group(self, group: int, data: bytes, position: int) -> Element | None:
        """The top level's next element, if it is of this group. Raises MoreNeeded where that was not read yet."""
        try:
            if header_at(data, position, len(data), self.implicit)[0] >> 16 != group:
                return None
            return element_at(data, position, len(data), self.implicit)
        except BadInput:
            if len(data) < self._end:
                raise MoreNeeded from None
            if position >= self._end:
                return None
            raise

    def _kept_private(self, scope: Scope, element: Element, data: bytes) -> Outcome:
        """Dates and UIDs within private elements follow the profile, as everywhere. An element that names the patient,
        or tells a UID, goes: it is not what its creator says."""
        vr, dates = element.vr, self.profile.dates
        value = b"" if vr == "SQ" else data[element.value : element.value_stop]
        if vr == "SQ":
            return self._sequence(scope, element, value, data)
        if vr == "PN" or (vr not in ("UN", "") and not has_form(vr, value)):
            return b"", None
        if vr == "UI":
            old = uids_in(value)
            return (b"", None) if old is None else self._with_new_uids(element.tag, old)
        if vr in ("DA", "DT", "TM") and dates != "keep":
            if vr == "TM":
                return (self._as_it_is(element, data), None) if dates == "shift" else (b"", None)
            moved = None if dates == "remove" else self._moved(value, vr)
            if moved is None:
                return b"", None
            return encode(element.tag, vr, moved.encode()), None
        if vr == "AS":
            age = capped_age(value.decode("ascii", "replace"))
            return (encode(element.tag, vr, age.encode()), None) if age is not None else (b"", None)
        if vr in TEXT_VRS and decoded(value, vr, scope.charset) is None:
            return b"", None
        mentions = Effect(mentions=uids_told(value)) if vr in _BYTE_VRS else _mentions(vr, value)
        if self._names_patient(scope, element.tag, vr, value) or (mentions and vr in TEXT_VRS):
            return b"", None
        if vr in TEXT_VRS and self._tells_of_somebody(value, vr, scope):
            return b"", None
        if vr in NUMBER_BYTES and value.isascii() and self._tells_of_somebody(value.strip(b"\0"), "LO", scope):
            return b"", None  # `b of Cho` is a number of eight bytes too
        return self._as_it_is(element, data), mentions


def _mentions(vr: str, value: bytes) -> Effect | None:
    """The UIDs that a text tells: none of them may be one of those that are replaced."""
    mentions = uids_told(value) if vr in TEXT_VRS and b"." in value else None
    return Effect(mentions=mentions) if mentions else None


@lru_cache(16384)
def changed(tag: int) -> Effect:
    return Effect(tags=frozenset({name_of(tag)}))


@lru_cache(4096)
def _uid_under(key: PseudonymKey, old: str, root: str) -> str:
    """A series names the same instances again and again."""
    return key.uid(old, root)
