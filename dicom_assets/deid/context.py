"""All that the outcome for an element depends on, besides its bytes: the Context of an instance, and the Scope of a
place in its tree of data sets. And what an outcome is: the element's new bytes, and its Effect.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import Refused
from .actions import Action
from .dictionary import name_of
from .identity import Identity, identity_of
from .profile import Profile
from .pseudonyms import PseudonymKey
from .survey import MOST_MARKS, NO_MARKS, Mark, Surveyor

_MOST_REMEMBERED = 24 << 20  #: bytes of all that a context remembers; then it forgets
_SCOPE_BYTES = 1000  #: that a place takes, about
_MOST_EFFECTS = 1000
#: Sequences whose codes name a person or a place: their codes are replaced, not kept.
_IDENTITY_SEQUENCES = frozenset({0x00080082, 0x00081072, 0x0040A073, 0x00401101})
_UID_IN_TEXT = re.compile(rb"(?<![0-9.])[0-9]++(?:\.[0-9]++){2,}+")


@dataclass(slots=True, eq=False)
class Effect:
    """What became of one element or of several, besides the bytes. tags: names of what was changed or removed. uids:
    (old, new). uid_tags: where they stood. marks: what identifies the patient. mentions: UIDs within kept text."""

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


def gather(effects: list[Effect], found: list[Effect]) -> None:
    """Adds to effects; many become one, so that they take little room."""
    effects += found
    if len(effects) > _MOST_EFFECTS:
        effects[:] = [merged(effects)]
        if len(effects[0].marks) > MOST_MARKS:
            raise Refused("TOO_MANY_IDENTIFIERS")


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
    #: by what they depend on, see Scope; for all contexts of one profile
    plans: dict[tuple, dict[tuple[int, str], "Plan"]] = field(default_factory=dict)
    #: tag -> (old, new) of study, series and instance UIDs that the instance lacks
    missing: dict[int, tuple[str, str]] = field(default_factory=dict)
    own_tags: tuple[int, ...] = field(init=False)
    root: "Scope" = field(init=False)
    memos: list[dict] = field(init=False, default_factory=list)
    remembered: int = field(init=False, default=0)  #: bytes

    def __post_init__(self) -> None:
        self.own_tags = tuple(tag for tag, _encoded in self.own)
        self.root = Scope(self, (), self.charset, self.signed)

    @property
    def is_full(self) -> bool:
        return self.remembered > _MOST_REMEMBERED

    def keep_small(self) -> None:
        """What is remembered must not grow with the instance or the corpus."""
        if self.is_full:
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
    content: the element that holds the value of the content item that the data set is, and its action. published: a
    published coding scheme was stated, whose codes mean the same everywhere."""

    def __init__(
        self,
        context: Context,
        path: tuple[str, ...],
        charset: bytes,
        signed: bool,
        within_identity: bool = False,
        content: tuple[int | None, Action | None] = (None, None),
        published: bool = False,
    ) -> None:
        self.context, self.path, self.charset, self.signed = context, path, charset, signed
        self.within_identity, self.content, self.published = within_identity, content, published
        self.memo: dict[bytes, Outcome] = {}
        self.runs: dict[int, Run] = {}
        self.varying: set[int] = set()  #: elements that have ended a run: each stays alone
        context.memos += [self.memo, self.runs]
        context.remembered += _SCOPE_BYTES
        place = (context.sop_class_uid, path, within_identity, content, published, () if path else context.own_tags)
        self.plans: dict[tuple[int, str], Plan] = context.plans.setdefault(place, {})
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
        return self._variant(charset, self.signed, self.published)

    def with_signed(self, signed: bool) -> "Scope":
        return self._variant(self.charset, signed, self.published)

    def with_codes(self, published: bool) -> "Scope":
        return self._variant(self.charset, self.signed, published)

    def _variant(self, charset: bytes, signed: bool, published: bool) -> "Scope":
        if (charset, signed, published) == (self.charset, self.signed, self.published):
            return self
        key = ("variant", charset, signed, published)
        if key not in self._scopes:
            place = (self.within_identity, self.content, published)
            self._scopes[key] = Scope(self.context, self.path, charset, signed, *place)
        return self._scopes[key]
