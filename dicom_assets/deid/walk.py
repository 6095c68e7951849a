"""The walk over the encoded elements of one data set: each is kept as its bytes, emptied, replaced or removed.

Fail closed: an element is kept only if the dictionary knows its tag, its VR is the dictionary's and its value fits VR
and VM. What the walk made of an element it remembers by the element's bytes, so that the equal elements of a series, or
of the frames of one instance, are worked once. A Context holds all that an outcome depends on besides those bytes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from ..errors import BadInput, Refused
from .actions import Action, dummy_for
from .dates import capped_age, shifted, year_only
from .dictionary import is_well_known_uid, name_of, vm_of, vr_of
from .elements import (
    DEEPEST,
    ENCODED_LONG_VRS,
    ENCODED_VRS,
    LONG_VRS,
    MOST_ELEMENTS,
    PIXEL_TAGS,
    UNDEFINED,
    Element,
    Ends,
    MoreNeeded,
    NotInOrder,
    element_at,
    elements,
    encode,
    encode_sequence,
    header_at,
    implicit_header,
    items,
    long_length,
    short_header,
)
from .fits import TEXT_VRS, checker, has_form
from .identity import Identity, identity_of
from .profile import Profile
from .pseudonyms import PseudonymKey
from .structured_reports import CONTENT_SEQUENCES, VALUE_OF
from .survey import CHARACTER_SET, NO_MARKS, NOTED, Mark, Surveyor, end_of, is_padding, mark, may_identify
from .values import character_set, decoded, encoded, uids_in

_SHORTEST_RUN = 2  #: elements
_LONGEST_REMEMBERED = 4096  #: bytes of an element that is remembered
_MOST_REMEMBERED = 24 << 20  #: bytes of all that is remembered; then it is forgotten

PATIENT_NAME, PATIENT_ID = 0x00100010, 0x00100020
_LONGEST_CREATOR = 64  #: characters of an LO
PLACING_UIDS = (0x0020000D, 0x0020000E, 0x00080018)  # study, series, instance
_PIXEL_REPRESENTATION = 0x00280103
_SWITCHES = frozenset({CHARACTER_SET, _PIXEL_REPRESENTATION})  #: they decide over the elements behind them
_CODE_VALUE, _CODING_SCHEME = 0x00080100, 0x00080102
_VALUE_TYPE, _CONCEPT_NAME, _CONTENT_SEQUENCE = 0x0040A040, 0x0040A043, 0x0040A730
#: Sequences whose codes name a person or a place: their codes are replaced, not kept.
_IDENTITY_SEQUENCES = frozenset({0x00080082, 0x00081072, 0x0040A073, 0x00401101})
_CODE_VRS = frozenset({"LO", "SH", "UC", "UR"})
_OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})  #: Extended Offset Table and its lengths
_OVERLAYS = frozenset(range(0x6000, 0x6100, 2))
_OVERLAY_TYPE, _OVERLAY_DATA = 0x0040, 0x3000
#: Rows, columns, frames, type, origin, first frame, bits, position, data
_KEPT_OF_OVERLAYS = frozenset({0x0010, 0x0011, 0x0015, 0x0040, 0x0050, 0x0051, 0x0100, 0x0102, 0x3000})
_UID_IN_TEXT = re.compile(rb"(?<![0-9.])[0-9]++(?:\.[0-9]++){2,}+")


@dataclass(slots=True, eq=False)
class Effect:
    """What became of one element or of several, besides the bytes. tags: names of what was changed or removed. uids:
    (old, new). uid_tags: where they stood. marks: what identifies the patient.
    mentions: UIDs within kept text."""

    tags: frozenset[str] = frozenset()
    uids: tuple[tuple[str, str], ...] = ()
    uid_tags: frozenset[str] = frozenset()
    marks: frozenset[Mark] = NO_MARKS
    mentions: frozenset[str] = frozenset()


def merged(effects: list[Effect]) -> Effect | None:
    if not effects:
        return None
    different = list(dict.fromkeys(effects)) if len(effects) > 1 else effects
    if len(different) == 1:
        return different[0]
    return Effect(
        frozenset().union(*[one.tags for one in different]),
        tuple(dict.fromkeys([pair for one in different for pair in one.uids])),
        frozenset().union(*[one.uid_tags for one in different if one.uid_tags]),
        frozenset().union(*[one.marks for one in different if one.marks]),
        frozenset().union(*[one.mentions for one in different if one.mentions]),
    )


_NO_EFFECT = Effect()
Outcome = tuple[bytes, Effect | None]  #: the element as it goes into the output, and what else became of it


class Run(NamedTuple):
    """Elements of the top level, one behind the other, that were walked before; none of the context's own stands among
    them."""

    encoded: bytes
    out: bytes
    effect: Effect | None
    noted: dict[int, bytes]
    last_tag: int
    count: int


@dataclass
class Context:
    """All that decides over elements but their bytes. patient: the pseudonym. identity: what must not be left. days:
    the shift of dates. own: elements that are written at top level whatever the source has, (tag, encoded) in order."""

    profile: Profile
    key: PseudonymKey
    sop_class_uid: str = ""
    patient: str = ""
    identity: Identity = field(default_factory=lambda: identity_of(()))
    days: int = 0
    signed: bool = False  #: Pixel Representation, for implicit `US or SS`
    charset: bytes = b""
    own: tuple[tuple[int, bytes], ...] = ()
    surveyor: Surveyor = field(default_factory=Surveyor)
    #: tag -> (old, new) of study, series and instance UIDs that the instance lacks
    missing: dict[int, tuple[str, str]] = field(default_factory=dict)
    root: "Scope" = field(init=False)
    memos: list[dict] = field(init=False, default_factory=list)
    remembered: int = field(init=False, default=0)  #: bytes

    def __post_init__(self) -> None:
        self.root = Scope(self, (), self.charset, self.signed)

    def keep_small(self) -> None:
        """What is remembered must not grow with the instance or the corpus."""
        if self.remembered > _MOST_REMEMBERED:
            self.remembered = 0
            for memo in self.memos:
                memo.clear()


def uids_told(text: bytes) -> frozenset[str]:
    """What has the form of a UID."""
    return frozenset(uid.decode() for uid in _UID_IN_TEXT.findall(text))


class Plan(NamedTuple):
    """What happens to elements of one tag and VR at one place. do: gets (scope, element, value, data) and gives the
    outcome. stated: their VR. marked: their values identify."""

    do: Callable
    stated: str
    marked: bool


class Scope:
    """One place in the tree of data sets: the sequences above, and what holds for all data sets there.

    path: keywords of the sequences. within_identity: inside a sequence whose codes name a person or a place.
    content: the element that holds the value of the content item that the data set is, and its action."""

    def __init__(
        self,
        context: Context,
        path: tuple[str, ...],
        charset: bytes,
        signed: bool,
        within_identity: bool = False,
        content: tuple[int | None, Action | None] = (None, None),
    ) -> None:
        self.context, self.path, self.charset, self.signed = context, path, charset, signed
        self.within_identity, self.content = within_identity, content
        self.memo: dict[bytes, Outcome] = {}
        self.runs: dict[int, Run] = {}
        self.varying: set[int] = set()  #: elements that have ended a run: each stays alone
        context.memos += [self.memo, self.runs]
        self.plans: dict[tuple[int, str], Plan] = {}
        self._scopes: dict[tuple, Scope] = {}

    def below(self, tag: int, implicit: bool, content: tuple[int | None, Action | None] = (None, None)) -> "Scope":
        """Of the items of a sequence. implicit: how they are encoded; equal bytes mean different things."""
        key = (tag, implicit, content)
        if key not in self._scopes:
            within = self.within_identity or tag in _IDENTITY_SEQUENCES
            path = (*self.path, name_of(tag))
            self._scopes[key] = Scope(self.context, path, self.charset, self.signed, within, content)
        return self._scopes[key]

    def with_charset(self, charset: bytes) -> "Scope":
        return self._variant(charset, self.signed)

    def with_signed(self, signed: bool) -> "Scope":
        return self._variant(self.charset, signed)

    def _variant(self, charset: bytes, signed: bool) -> "Scope":
        if (charset, signed) == (self.charset, self.signed):
            return self
        key = ("variant", charset, signed)
        if key not in self._scopes:
            self._scopes[key] = Scope(self.context, self.path, charset, signed, self.within_identity, self.content)
        return self._scopes[key]


class _Known(NamedTuple):
    """An element of the top level whose outcome was remembered: its extent, its place in the output, and how many
    effects there were before and with it."""

    scope: Scope
    tag: int
    start: int
    stop: int
    place: int
    effects: int
    effects_behind: int


@dataclass(slots=True)
class _Block:
    """A block of private elements (PS3.5 7.8.1): its creator, as an element, and that element's place in the output."""

    creator: str
    place: int
    encoded: bytes
    is_kept: bool = False


class Walk:
    """One instance's walk. encoding: implicit or explicit, Little Endian."""

    def __init__(self, context: Context, implicit: bool) -> None:
        self.context, self.implicit = context, implicit
        self.profile = context.profile
        self.private_removed: set[int] = set()
        self._regions: dict[int, bool] = {}  # overlay groups that are kept
        self._end = 0  # of the top level
        self._ends: Ends = {}
        self.count = 0

    # the loops

    def top_level(
        self, data: bytes, position: int, end: int, noted: dict[int, bytes], behind: int = -1
    ) -> tuple[list[bytes], list[Effect], int]:
        """Walks the top level from position to the pixel data, or to the file's end. data may be the file's beginning
        only; then MoreNeeded. noted: gets the values of NOTED. behind: the tag of the pixel data, for what follows it.
        The output's elements, their effects, and the position behind the last.

        Runs of elements that were equal in an earlier instance are taken over without a look at each."""
        out: list[bytes] = []
        effects: list[Effect] = []
        scope, implicit, limit, previous = self.context.root, self.implicit, len(data), behind
        self._end, self._ends = end, {}
        own, own_index = (self.context.own if behind < 0 else ()), 0
        drops_private = not self.profile.keeps_private
        blocks: dict[int, _Block] = {}
        known: list[_Known] = []
        broken, broken_at = b"", 0  # a run that did not come again, and where it would have begun
        while position < end:
            if position + 12 > limit:
                if limit < end:
                    raise MoreNeeded
                if position + 8 > end and not is_padding(data, position):
                    raise BadInput("ELEMENT_TRUNCATED")
                if position + 8 > end:
                    position = end
                    break
            tag, stated, length, value = header_at(data, position, end, implicit)
            if tag <= previous or not tag:
                if limit < end:
                    raise MoreNeeded
                if not is_padding(data, position):
                    raise NotInOrder
                position = end
                break
            if tag in PIXEL_TAGS:
                break
            while own_index < len(own) and tag >= own[own_index][0]:
                out.append(own[own_index][1])
                own_index += 1
            if tag & 0x10000 and drops_private:
                position, previous = self._skip_private(data, position, limit, end, previous)
                continue
            run = scope.runs.get(tag)
            if run is not None and data.startswith(run.encoded, position):
                out.append(run.out)
                if run.effect is not None:
                    effects.append(run.effect)
                noted.update(run.noted)
                position += len(run.encoded)
                previous = run.last_tag
                self.count += run.count
                continue
            if run is not None:
                broken, broken_at = scope.runs.pop(tag).encoded, position
            stop = value + length
            if stop > limit:
                stop = end_of(data, position, limit, end, length, value, implicit, 0, self._ends)
            self.count += 1
            if tag & 0x10000:
                extent = (position, value, stop)
                self._private(scope, tag, stated, data, extent, length == UNDEFINED, blocks, out, effects)
                position, previous = stop, tag
                continue
            if tag in NOTED:
                noted[tag if implicit or stated in NOTED[tag] else -tag] = data[value:stop]
            outcome = scope.memo.get(data[position:stop]) if stop - position <= _LONGEST_REMEMBERED else None
            if broken and not broken.startswith(data[position:stop], position - broken_at):
                scope.varying.add(tag)
                broken = b""
            if outcome is None:
                outcome = self._worked(scope, data, tag, stated, position, value, stop, length)
            elif tag not in scope.varying and tag not in _SWITCHES:
                behind_effects = len(effects) + (outcome[1] is not None)
                known.append(_Known(scope, tag, position, stop, len(out), len(effects), behind_effects))
            out.append(outcome[0])
            if outcome[1] is not None:
                effects.append(outcome[1])
            if tag in _SWITCHES:
                scope = self._switched(scope, tag, data[value:stop])
            position, previous = stop, tag
        if self.count > MOST_ELEMENTS:
            raise Refused("TOO_MANY_ELEMENTS")
        self._remember_runs(known, data, out, effects, noted)
        out += [encoded_element for _tag, encoded_element in own[own_index:]]
        effects += [_changed(tag) for tag, block in blocks.items() if not block.is_kept]
        return out, effects, position

    def _remember_runs(
        self, known: list["_Known"], data: bytes, out: list[bytes], effects: list[Effect], noted: dict[int, bytes]
    ) -> None:
        """known: the elements that were remembered one by one; those that follow one another become runs."""
        first = 0
        for last, element in enumerate(known):
            following = known[last + 1] if last + 1 < len(known) else None
            if following and following.start == element.stop and following.place == element.place + 1:
                continue
            begun, count = known[first], last + 1 - first
            first = last + 1
            if count < _SHORTEST_RUN:
                continue
            run = data[begun.start : element.stop]
            begun.scope.runs[begun.tag] = Run(
                encoded=run,
                out=b"".join(out[begun.place : element.place + 1]),
                effect=merged(effects[begun.effects : element.effects_behind]),
                noted={tag: value for tag, value in noted.items() if begun.tag <= abs(tag) <= element.tag},
                last_tag=element.tag,
                count=count,
            )
            self.context.remembered += 2 * len(run) + 1000

    def _skip_private(self, data: bytes, position: int, limit: int, end: int, previous: int) -> tuple[int, int]:
        """Behind the private elements that begin at position, and the tag of the last of them."""
        implicit, removed = self.implicit, self.private_removed
        while position + 12 <= limit:
            if implicit:
                group, number, length = implicit_header(data, position)
                value = position + 8
            else:
                group, number, stated, length = short_header(data, position)
                value = position + 8
                if stated in ENCODED_LONG_VRS:
                    length, value = long_length(data, position + 8)[0], position + 12
                elif stated not in ENCODED_VRS and group & 1:
                    raise BadInput("VR_UNKNOWN")
            tag = group << 16 | number
            if not group & 1 or tag <= previous:
                break
            stop = value + length
            if stop > limit:
                stop = end_of(data, position, limit, end, length, value, implicit, 0, self._ends)
            removed.add(tag)
            position, previous = stop, tag
        else:
            if limit == end and position + 8 <= end:  # an empty one at the very end
                tag, _stated, length, value = header_at(data, position, end, implicit)
                if tag & 0x10000 and tag > previous:
                    if value + length > end:
                        raise BadInput("ELEMENT_TRUNCATED")
                    removed.add(tag)
                    position, previous = value + length, tag
        return position, previous

    def _remember_run(
        self, scope: Scope, data: bytes, begun: tuple, position: int, last_tag: int, out: list[bytes],
        effects: list[Effect], noted: dict[int, bytes],
    ) -> None:  # fmt: skip
        first_tag, start, first_out, first_effect = begun
        encoded_run = data[start:position]
        scope.runs[first_tag] = Run(
            encoded=encoded_run,
            out=b"".join(out[first_out:]),
            effect=merged(effects[first_effect:]),
            noted={tag: value for tag, value in noted.items() if first_tag <= tag <= last_tag},
            last_tag=last_tag,
            count=len(out) - first_out,
        )
        self.context.remembered += 2 * len(encoded_run) + 1000

    def data_set(self, scope: Scope, data: bytes, position: int, end: int) -> tuple[list[bytes], list[Effect]]:
        """Walks an item's data set from position to end: the output's elements, and their effects."""
        out: list[bytes] = []
        effects: list[Effect] = []
        memo, implicit, previous = scope.memo, self.implicit, -1
        drops_private = not self.profile.keeps_private
        blocks: dict[int, _Block] = {}
        while position < end:
            tag, stated, length, value = header_at(data, position, end, implicit)
            if tag <= previous:
                raise NotInOrder
            stop = value + length
            if stop > end:
                stop = end_of(data, position, end, end, length, value, implicit, len(scope.path), self._ends)
            self.count += 1
            if tag & 0x10000:
                if drops_private:
                    effects.append(_changed(tag))
                else:
                    extent = (position, value, stop)
                    self._private(scope, tag, stated, data, extent, length == UNDEFINED, blocks, out, effects)
            else:
                outcome = memo.get(data[position:stop]) if stop - position <= _LONGEST_REMEMBERED else None
                if outcome is None:
                    outcome = self._worked(scope, data, tag, stated, position, value, stop, length)
                out.append(outcome[0])
                if outcome[1] is not None:
                    effects.append(outcome[1])
                if tag in _SWITCHES:
                    scope = self._switched(scope, tag, data[value:stop])
                    memo = scope.memo
            position, previous = stop, tag
        if self.count > MOST_ELEMENTS:
            raise Refused("TOO_MANY_ELEMENTS")
        effects += [_changed(tag) for tag, block in blocks.items() if not block.is_kept]
        return out, effects

    def _worked(
        self, scope: Scope, data: bytes, tag: int, stated: bytes, position: int, value: int, stop: int, length: int
    ) -> Outcome:
        """The outcome of an element that is not remembered; from now on it is."""
        undefined = length == UNDEFINED
        vr = self._vr(scope, tag, stated, length)
        element = Element(tag, vr, position, value, stop - 8 if undefined else stop, stop, undefined)
        outcome = self._outcome(scope, element, data)
        if stop - position <= _LONGEST_REMEMBERED and tag >> 16 not in _OVERLAYS:
            scope.memo[data[position:stop]] = outcome
            self.context.remembered += 2 * (stop - position) + 400
        return outcome

    def _switched(self, scope: Scope, tag: int, value: bytes) -> Scope:
        """The same place under the character set, or the sign of pixels, that is stated just now."""
        if tag == CHARACTER_SET:
            return scope.with_charset(character_set(value) or b"")
        return scope.with_signed(value[:1] == b"\1")

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
            plan = scope.plans[element.tag, element.vr] = self._plan(scope, element.tag, element.vr)
        value = b"" if element.vr == "SQ" else data[element.value : element.value_stop]
        outcome = plan.do(self, scope, element, value, data)
        if plan.marked and value:
            effect = outcome[1] or _NO_EFFECT
            found = mark(element.tag, plan.stated, value, scope.charset)
            return outcome[0], replace(effect, marks=effect.marks | {found})
        return outcome

    def _plan(self, scope: Scope, tag: int, vr: str) -> Plan:
        context, group = scope.context, tag >> 16
        known = vr_of(tag)
        written = vr if vr in known.split(" or ") else known.split(" or ")[0]
        marked = may_identify(tag, vr)
        if tag & 0xFFFF == 0 or group <= 2:
            return Plan(Walk._dropped, vr, False)
        if not scope.path and any(tag == own for own, _ in context.own):
            return Plan(Walk._replaced_by_own, vr, marked)
        if group in _OVERLAYS and "clean_graphics" in self.profile.options:
            return Plan(Walk._overlay, vr, marked)
        if written not in ENCODED_VRS.values() or group >= 0xFFFA or 0x5000 <= group < 0x5100 or group in _OVERLAYS:
            return Plan(Walk._removed, vr, marked)  # unknown, signatures, trailing padding, curves, overlays
        return Plan(self._action(scope, tag, vr, known), vr, marked)

    def _action(self, scope: Scope, tag: int, vr: str, known: str) -> Callable:
        action = self.profile.action_for(tag, known, scope.context.sop_class_uid, scope.path)
        if tag == scope.content[0]:
            action = scope.content[1]
        if action is Action.REMOVE:
            return Walk._removed
        if action is Action.EMPTY:
            return Walk._emptied
        if action is Action.DUMMY:
            return Walk._dummied
        if vr not in known.split(" or "):
            return Walk._removed
        if vr == "SQ":
            return Walk._content if tag in CONTENT_SEQUENCES and self.profile.cleans_content else Walk._sequence
        if action is Action.UID:
            return Walk._renewed if vr == "UI" else Walk._removed
        if tag in PIXEL_TAGS:
            return Walk._removed  # a picture within a sequence
        if tag == CHARACTER_SET:
            return Walk._character_set
        if action is Action.CLEAN:
            if vr in ("DA", "DT"):
                return Walk._dated
            if vr in TEXT_VRS:
                return Walk._cleaned
            if vr == "AS":
                return Walk._aged
        if scope.within_identity and vr in _CODE_VRS:
            return Walk._coded_identity
        return Walk._kept_uid if vr == "UI" else Walk._kept

    def _dropped(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        return b"", None

    def _removed(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Gone; but whom a sequence names is to be found nowhere else either."""
        effect = _changed(element.tag)
        if element.vr == "SQ":
            return b"", replace(effect, marks=self._marks_within(scope, element, data))
        return b"", effect

    _replaced_by_own = _removed

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
            return encode(tag, vr, scope.context.patient.encode()), _changed(tag)
        if element.vr == "SQ":
            marks = self._marks_within(scope, element, data)
            return encode(tag, vr, b""), replace(_changed(tag), marks=marks)
        return encode(tag, vr, b""), _changed(tag) if value else None

    def _dummied(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Action D: a dummy of the VR's form. Names and IDs of the patient become the pseudonym; sequences are cleaned,
        never invented."""
        tag = element.tag
        known = vr_of(tag).split(" or ")[0]
        if known == "SQ":
            if element.vr != "SQ":
                return encode(tag, known, b""), _changed(tag)
            if tag in CONTENT_SEQUENCES and self.profile.cleans_content:
                return self._content(scope, element, value, data)
            return self._sequence(scope, element, value, data)
        if tag in (PATIENT_ID, PATIENT_NAME) or not value.strip(b" \0"):
            return self._emptied(scope, element, value, data)
        if known == "UI":
            return self._renewed(scope, element, value, data)
        dummy = dummy_for(known)
        if dummy is None:
            return self._removed(scope, element, value, data)
        return encode(tag, known, dummy if isinstance(dummy, bytes) else dummy.encode()), _changed(tag)

    def _kept(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """As it is, where it fits and says nothing of the patient."""
        tag, vr = element.tag, element.vr
        if not checker(tag, vr)(value):
            return self._nothing_left(scope, element, value, data)
        if vr in TEXT_VRS and decoded(value, vr, scope.charset) is None:
            return self._removed(scope, element, value, data)
        if tag in _OFFSET_TABLES and not self._holds_offsets(value):
            return self._removed(scope, element, value, data)
        return self._as_it_is(element, data), self._gated(scope, tag, vr, value)

    def _holds_offsets(self, value: bytes) -> bool:
        """Offsets and lengths of fragments point into the file: no text does."""
        numbers = (int.from_bytes(value[at : at + 8], "little") for at in range(0, len(value), 8))
        return all(number < self._end for number in numbers)

    def _kept_uid(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Classes, and all UIDs where the profile retains them. A class that no one knows may be somebody's number."""
        kept = self._kept(scope, element, value, data)
        unknown = frozenset(uid for uid in uids_in(value) or () if uid and not is_well_known_uid(uid))
        if not kept[0] or not unknown or not self.profile.groups["regenerate_uids"]:
            return kept
        numbers = " ".join(unknown).replace(".", " ").encode()
        if self.context.identity.found_in(numbers, "LO"):
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
        if not self._may_name(tag, vr) and self._names_patient(scope, tag, vr, value):
            raise Refused("IDENTIFIER_LEFT")
        if vr in TEXT_VRS and b"." in value:
            mentions = uids_told(value)
            return Effect(mentions=mentions) if mentions else None
        return None

    def _may_name(self, tag: int, vr: str) -> bool:
        """What the user keeps by name, and what the patient is known by; not text that an option of the standard lets
        through."""
        if tag not in self.profile.kept_tags:
            return False
        return vr not in TEXT_VRS or may_identify(tag, vr) or self.profile.is_users_own(tag)

    def _names_patient(self, scope: Scope, tag: int, vr: str, value: bytes) -> bool:
        """As it stands, and as its character set reads it."""
        identity = self.context.identity
        if identity.found_in(value, vr):
            return True
        if vr not in TEXT_VRS or (value.isascii() and b"\x1b" not in value):
            return False
        text = decoded(value, vr, scope.charset)
        return text is not None and identity.found_in(text.encode("utf-8", "replace"), vr)

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
        return encode(tag, vr, harmless), merged([_changed(tag), *([gated] if gated else [])])

    def _nothing_left(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """What cannot be kept or cleaned gets the action that it has without."""
        action = self.profile.without_cleaning(element.tag, scope.context.sop_class_uid, scope.path)
        handler = {Action.EMPTY: Walk._emptied, Action.DUMMY: Walk._dummied}.get(action, Walk._removed)
        return handler(self, scope, element, value, data)

    def _dated(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        if not value.strip(b" \0"):
            return self._as_it_is(element, data), None
        text = value.decode("ascii", "replace")
        if self.profile.dates == "year":
            changed = year_only(text, element.vr)
        else:
            changed = shifted(text, element.vr, self.context.days)
        if changed is None or not checker(element.tag, element.vr)(changed.encode()):
            return self._nothing_left(scope, element, value, data)
        return encode(element.tag, element.vr, changed.encode()), _changed(element.tag)

    def _aged(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        if not value.strip(b" \0"):
            return self._as_it_is(element, data), None
        age = capped_age(value.decode("ascii", "replace"))
        if age is None or not checker(element.tag, "AS")(age.encode()):
            return self._nothing_left(scope, element, value, data)
        effect = _changed(element.tag) if age.encode() != value.strip(b" \0") else None
        return encode(element.tag, "AS", age.encode()), effect

    def _coded_identity(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        if not checker(element.tag, element.vr)(value):
            return self._removed(scope, element, value, data)
        return encode(element.tag, element.vr, dummy_for(element.vr).encode()), _changed(element.tag)

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
        placing = tag in PLACING_UIDS
        replaced = {uid: self.new_uid(uid) for uid in old if uid and (placing or not is_well_known_uid(uid))}
        new = [replaced.get(uid, uid) for uid in old]
        uid_tags = frozenset({name_of(tag)}) if new != old else frozenset()
        pairs = tuple(pair for pair in replaced.items() if pair[0] != pair[1])
        return encode(tag, "UI", "\\".join(new).encode()), Effect(uids=pairs, uid_tags=uid_tags) if pairs else None

    def new_uid(self, old: str) -> str:
        if not self.profile.groups["regenerate_uids"]:
            return old
        return _uid_under(self.context.key, old, self.profile.uid_root)

    # sequences

    def _sequence(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        effects: list[Effect] = []
        content = self._items(scope.below(element.tag, self._implicit_within(element, data)), element, data, effects)
        return encode_sequence(element.tag, content), merged(effects)

    def _items(self, scope: Scope, element: Element, data: bytes, effects: list[Effect]) -> list[bytes]:
        """The items of a sequence, each walked."""
        if len(scope.path) > DEEPEST:
            raise Refused("NESTED_TOO_DEEPLY")
        implicit, self.implicit = self.implicit, self._implicit_within(element, data)
        try:
            content = []
            for start, stop in items(data, element, self.implicit, len(scope.path), self._ends):
                out, found = self.data_set(scope, data, start, stop)
                effects.extend(found)
                content.append(b"".join(out))
        finally:
            self.implicit = implicit
        self.context.keep_small()
        return content

    def _content(self, scope: Scope, element: Element, value: bytes, data: bytes) -> Outcome:
        """Content items, PS3.15 E.3.4: each by its concept name; one that has to go goes with all below it."""
        effects: list[Effect] = []
        content = []
        if len(scope.path) >= DEEPEST:
            raise Refused("NESTED_TOO_DEEPLY")
        implicit, self.implicit = self.implicit, self._implicit_within(element, data)
        try:
            for start, stop in items(data, element, self.implicit, len(scope.path), self._ends):
                code, scheme, value_type = self._concept(data, start, stop, len(scope.path))
                action = self.profile.content_item_action(code, scheme, value_type)
                if action is Action.REMOVE:
                    depth = len(scope.path) + 1
                    marks = self.context.surveyor.within(
                        data, start, stop, self.implicit, scope.charset, depth, self._ends
                    )
                    effects.append(replace(_changed(element.tag), marks=marks))
                    continue
                place = scope.below(element.tag, self.implicit, (VALUE_OF.get(value_type), action))
                out, found = self.data_set(place, data, start, stop)
                effects.extend(found)
                content.append(b"".join(out))
        finally:
            self.implicit = implicit
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
                for item_start, item_stop in items(data, element, self.implicit, depth)[:1]:
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

    def _private(
        self, scope: Scope, tag: int, stated: bytes, data: bytes, extent: tuple[int, int, int], undefined: bool,
        blocks: dict[int, "_Block"], out: list[bytes], effects: list[Effect],
    ) -> None:  # fmt: skip
        """A private element of a profile that keeps some: by its creator, and with it. extent: where the element, its
        value, and what follows begin. blocks: those of this data set so far, by the tag of their creators."""
        group, number = tag >> 16, tag & 0xFFFF
        position, value, stop = extent
        if 0x10 <= number <= 0xFF:
            name = data[value:stop].strip(b" \0")
            if name.isascii() and len(name) <= _LONGEST_CREATOR:
                blocks[tag] = _Block(name.decode("ascii"), len(out), encode(tag, "LO", name))
                out.append(b"")
            else:
                effects.append(_changed(tag))
            return
        block = blocks.get(group << 16 | number >> 8)
        allowed = self.profile.private_vr(block.creator, group, number & 0xFF) if block else None
        encoded_element, effect = b"", None
        if allowed is not None:
            vr = self._private_vr(stated, allowed, undefined)
            if not allowed or vr in allowed.split(" or "):
                element = Element(tag, vr, position, value, stop - 8 if undefined else stop, stop, undefined)
                encoded_element, effect = self._kept_private(scope, element, data)
        if not encoded_element:
            effects.append(_changed(tag))
            return
        if effect is not None:
            effects.append(replace(effect, marks=NO_MARKS))  # as the survey, which does not look there
        if not block.is_kept:
            self._gated(scope, group << 16 | number >> 8, "LO", block.creator.encode())
            block.is_kept, out[block.place] = True, block.encoded
        out.append(encoded_element)

    def _private_vr(self, stated: bytes, allowed: str, undefined: bool) -> str:
        vr = "UN" if self.implicit else ENCODED_VRS.get(stated, "")
        if not vr:
            raise BadInput("VR_UNKNOWN")
        if vr != "UN":
            return vr
        return "SQ" if undefined else allowed.split(" or ")[-1] or "UN"

    def _kept_private(self, scope: Scope, element: Element, data: bytes) -> Outcome:
        """Dates and UIDs within private elements follow the profile, as everywhere."""
        vr, dates = element.vr, self.profile.dates
        value = b"" if vr == "SQ" else data[element.value : element.value_stop]
        if vr == "SQ":
            return self._sequence(scope, element, value, data)
        if vr == "PN" or (vr not in ("UN", "") and not has_form(vr, value)):
            return b"", None
        if vr == "UI":
            return self._renewed_private(element, value)
        if vr in ("DA", "DT", "TM") and dates != "keep":
            if vr == "TM":
                return (self._as_it_is(element, data), None) if dates == "shift" else (b"", None)
            text = value.decode("ascii", "replace")
            changed = year_only(text, vr) if dates == "year" else shifted(text, vr, self.context.days)
            if dates == "remove" or changed is None:
                return b"", None
            return encode(element.tag, vr, changed.encode()), None
        if vr == "AS":
            age = capped_age(value.decode("ascii", "replace"))
            return (encode(element.tag, vr, age.encode()), None) if age is not None else (b"", None)
        if vr in TEXT_VRS and decoded(value, vr, scope.charset) is None:
            return b"", None
        return self._as_it_is(element, data), self._gated(scope, element.tag, vr, value)

    def _renewed_private(self, element: Element, value: bytes) -> Outcome:
        old = uids_in(value)
        if old is None:
            return b"", None
        replaced = {uid: self.new_uid(uid) for uid in old if uid and not is_well_known_uid(uid)}
        new = "\\".join(replaced.get(uid, uid) for uid in old)
        pairs = tuple(pair for pair in replaced.items() if pair[0] != pair[1])
        effect = Effect(uids=pairs, uid_tags=frozenset({name_of(element.tag)})) if pairs else None
        return encode(element.tag, "UI", new.encode()), effect


@lru_cache(16384)
def _changed(tag: int) -> Effect:
    return Effect(tags=frozenset({name_of(tag)}))


@lru_cache(4096)
def _uid_under(key: PseudonymKey, old: str, root: str) -> str:
    """A series names the same instances again and again."""
    return key.uid(old, root)
