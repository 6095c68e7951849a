"""One instance in, one de-identified instance out: as bytes, and as ranges of the original that go over as they are.

The header is walked as it is encoded (walk.py); pixel data is measured, not read. A series shares most of its header:
each instance is walked as if all that decides (patient, character set, SOP class) were as in another one of its study;
where that turns out wrong, it is walked again, after a survey of what identifies its patient. The output is the same
either way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ..errors import BadInput, DicomAssetsError, Refused
from .actions import Action
from .context import Context, Effect, merged
from .dictionary import name_of, tag_of, vr_of
from .elements import PIXEL_DATA, MoreNeeded, NotInOrder, Source, encode, encode_sequence, header_at
from .identity import identity_of
from .outcomes import PATIENT_ID, PATIENT_NAME, PLACING_UIDS, changed
from .part10 import Opened, file_meta, framed, in_order, opened
from .pixel_data import overlays_in_pixels, overlays_of_regions, pixel_parts, refuse_overlay_among_pixels
from .profile import EDITION, Profile
from .pseudonyms import PseudonymKey
from .survey import CHARACTER_SET, LONGEST_TOLD, NO_MARKS, TOLD, Mark, Surveyor
from .values import character_set, codecs, decoded, is_uid, readings
from .walk import Walk

_FIRST_READ = 32768  #: bytes; then as many as the last header had
_MOST_READ_AHEAD = 4 << 20
_LARGEST_HEADER = 512 << 20
_LARGEST_TAIL = 64 << 20  #: bytes behind the pixel data, trailing padding alone excepted
_LARGE = 1 << 16  #: bytes of a sequence that a first survey does not look into
_MOST_CONTEXTS, _MOST_REMEMBERED = 16, 24 << 20  #: that are remembered, and their bytes
_MOST_GUESSES = 1000
_MOST_IDENTIFIERS, _LONGEST_IDENTIFIERS = 500, 1 << 16  #: names, IDs and addresses of one instance; their bytes
#: PDF, CDA, STL, OBJ, MTL
_ENCAPSULATED_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_SOP_CLASS, _ISSUER, _PIXEL_REPRESENTATION = 0x00080016, 0x00100021, 0x00280103
_STUDY, _SERIES, _INSTANCE = PLACING_UIDS
_TRAILING_PADDING = 0xFFFCFFFC
_TOLD_TAGS = tuple(map(tag_of, TOLD))
_NUMBERS = frozenset(tag for tag in _TOLD_TAGS if vr_of(tag) == "US")
_SEQUENCES = frozenset(tag for tag in _TOLD_TAGS if vr_of(tag) == "SQ")


_Told = tuple[str, tuple[str, ...]]  #: what the caller tells of the patient: pseudonym, other known values


@dataclass(frozen=True)
class Notes:
    """Of the original: whose it is, and what triage asks. values: keyword -> text, `\\`-separated, of the elements of
    TOLD that are there; numbers in digits, sequences as they are encoded, each byte a character; of a long value, its
    beginning."""

    patient_id: str = field(repr=False)
    study_instance_uid: str = field(repr=False)
    sop_instance_uid: str = field(repr=False)
    sop_class_uid: str
    modality: str
    values: Mapping[str, str] = field(repr=False)
    has_pixels: bool
    transfer_syntax_uid: str  #: of the output


@dataclass(frozen=True)
class Deidentified:
    """parts: the output file in order, bytes as they are and ranges of the source. patient: the pseudonym. The UIDs are
    new; uids: (old, new). tags, uid_tags: names of the elements that were changed, and that held replaced UIDs.
    date_offset_days: by which dates are shifted; None where the profile does otherwise."""

    parts: tuple[bytes | range, ...] = field(repr=False)
    patient: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    tags: tuple[str, ...]
    uids: tuple[tuple[str, str], ...] = field(repr=False)
    uid_tags: tuple[str, ...]
    notes: Notes = field(repr=False)
    date_offset_days: int | None = field(repr=False, default=None)

    def encoded(self, source: Source) -> bytes:
        """The whole output. source: the one that was de-identified."""
        return b"".join(source.read(part.start, part.stop) if isinstance(part, range) else part for part in self.parts)


@dataclass
class _Look:
    """What a look at an instance told. noted: values of the top level. placed: old study, series and instance UID,
    empty where it is none. has_overlay: in bits of the pixel data."""

    noted: dict[int, bytes]
    placed: tuple[str, ...]
    marks: frozenset[Mark]
    has_overlay: bool


@dataclass
class _Pass(_Look):
    """What a walk over an instance gave. effect: of all elements. pixels: parts of the pixel data."""

    out: list[bytes]
    effect: Effect
    private_removed: frozenset[int]
    pixels: list[bytes | range] = field(default_factory=list)
    tail: list[bytes] = field(default_factory=list)


class Deidentifier:
    """One profile and one key. Keep one for many instances: it remembers what became of the elements it has seen."""

    def __init__(self, profile: Profile, key: PseudonymKey) -> None:
        self.profile, self.key = profile, key
        self._surveyor = Surveyor()
        self._plans: dict[tuple, dict] = {}
        self._contexts: dict[tuple, Context] = {}
        self._recent: dict[bytes, tuple[tuple, Context]] = {}  # by likely study
        self._read_ahead = _FIRST_READ

    def deidentify(self, source: Source, pseudonym: str = "", known: tuple[str, ...] = ()) -> Deidentified:
        """pseudonym: the patient's, where the site brought its own. known: more values of this patient, as from the
        cohort: IDs, or names written with `^`. Raises BadInput or Refused with a reason code: quarantine."""
        try:
            file = opened(source)
            return self._in_any_order(file, source, (pseudonym, known))
        except DicomAssetsError:
            raise
        except RecursionError:
            raise Refused("NESTED_TOO_DEEPLY") from None
        except Exception:
            raise BadInput("DEIDENTIFICATION_FAILED") from None

    def _in_any_order(self, file: Opened, source: Source, told: _Told) -> Deidentified:
        try:
            return self._deidentify(file, source, told)
        except NotInOrder:
            file = replace(file, source=in_order(file.source, file.start, file.implicit), start=0)
        try:
            return self._deidentify(file, source, told)
        except NotInOrder:
            raise BadInput("ELEMENT_MALFORMED") from None

    def _deidentify(self, file: Opened, source: Source, told: _Told) -> Deidentified:
        reader = _Reader(file, self._read_ahead)
        likely = _likely_study(reader)
        if likely in self._recent:
            key, context = self._recent[likely]
            try:
                done = _walked(reader, context)
                if self._determining(file, done, told) == key:
                    return self._finished(reader, source, context, done)
            except (DicomAssetsError, NotInOrder):
                pass  # by the predecessor's rules; now by its own
        for largest in (_LARGE, max(reader.source.size, _LARGE + 1)):  # what frames add is mostly nothing
            found = _surveyed(reader, self._surveyor, largest)
            key = self._determining(file, found, told)
            context = self._contexts.get(key) or self._new_context(key, file, found, told)
            try:
                done = _walked(reader, context)
            except (DicomAssetsError, NotInOrder):
                if largest > _LARGE:
                    raise
                continue
            if done.marks == found.marks:
                break
        if done.marks == found.marks and len(self._recent) < _MOST_GUESSES:
            self._recent[likely] = (key, context)
        self._read_ahead = min(reader.header_end + 4096, _MOST_READ_AHEAD)
        return self._finished(reader, source, context, done)

    def _determining(self, file: Opened, found: _Look, told: _Told) -> tuple:
        """All that a context depends on. Two instances for which it is equal have the same context."""
        get = found.noted.get
        patient_id = _patient_id(found)
        lacking: tuple = ()
        if not all(found.placed):
            lacking = (file.sop_instance_uid, found.placed, *(_either(found.noted, tag) for tag in PLACING_UIDS))
        return (
            told,
            file.implicit,
            get(_SOP_CLASS, b""),
            get(-_SOP_CLASS, b""),
            file.sop_class_uid,
            get(CHARACTER_SET, b""),
            get(_PIXEL_REPRESENTATION, b""),
            patient_id,
            get(_ISSUER, b"") if self.profile.issuer_counts else b"",
            b"" if patient_id else get(_STUDY, b""),
            lacking,
            found.marks,
        )

    def _new_context(self, key: tuple, file: Opened, found: _Look, told: _Told) -> Context:
        noted, profile = found.noted, self.profile
        pseudonym, known = told
        misstated = _text(noted, -_SOP_CLASS)
        sop_class = _uid(noted, _SOP_CLASS) or file.sop_class_uid or (misstated if is_uid(misstated) else "")
        if not sop_class:
            raise BadInput("SOP_CLASS_MISSING")
        if sop_class.startswith(_ENCAPSULATED_DOCUMENTS) and profile.encapsulated == "quarantine":
            raise Refused("ENCAPSULATED_DOCUMENT")
        missing = self._missing_uids(file, found)
        patient = pseudonym or self._own_pseudonym(found, missing)
        charset = character_set(noted.get(CHARACTER_SET, b"")) or b""
        own = {tag: encode(tag, "UI", new.encode()) for tag, (_old, new) in missing.items()}
        if not _uid(noted, _SOP_CLASS):
            own[_SOP_CLASS] = encode(_SOP_CLASS, "UI", sop_class.encode())
        own |= self._statements(sop_class, patient)
        marks = found.marks
        if profile.dates == "keep":
            marks = frozenset(mark for mark in marks if mark.vr not in ("DA", "DT"))
        named = b"\\".join(mark.value for mark in marks if mark.vr not in ("DA", "DT"))
        if named.count(b"\\") >= _MOST_IDENTIFIERS or len(named) > _LONGEST_IDENTIFIERS:
            raise Refused("TOO_MANY_IDENTIFIERS")
        values = [(m.tag, m.vr, text) for m in sorted(marks) for text in readings(m.value, m.vr, m.charset)]
        context = Context(
            profile=profile,
            key=self.key,
            sop_class_uid=sop_class,
            patient=patient,
            identity=identity_of(values, known, _codecs_of(marks)),
            days=self.key.days(patient, profile.shift_days),
            signed=noted.get(_PIXEL_REPRESENTATION, b"")[:1] == b"\1",
            charset=charset,
            own=tuple(sorted(own.items())),
            surveyor=self._surveyor,
            plans=self._plans,
            missing=missing,
        )
        remembered = sum(one.remembered for one in self._contexts.values())
        if len(self._contexts) >= _MOST_CONTEXTS or remembered > _MOST_REMEMBERED:
            self._contexts.clear()
            self._recent.clear()
            self._plans.clear()
        self._contexts[key] = context
        return context

    def _own_pseudonym(self, found: _Look, missing: dict[int, tuple[str, str]]) -> str:
        """Of PatientID byte for byte; of the study where there is none: one patient's only as far as one study's."""
        patient_id = _patient_id(found)
        if not patient_id:
            return self.key.patient_of_study(found.placed[0] or missing[_STUDY][0])
        issuer = found.noted.get(_ISSUER, b"").strip(b" \0") if self.profile.issuer_counts else b""
        return self.key.patient(patient_id + (b"\\" + issuer if issuer else b""))

    def _missing_uids(self, file: Opened, found: _Look) -> dict[int, tuple[str, str]]:
        """tag -> (what stands for the old one, the new one), where a UID that places the instance is no UID, or states
        another VR. A missing instance UID is the file meta's; a missing study or series is one of this instance alone.
        """
        old = dict(zip(PLACING_UIDS, found.placed, strict=True))
        instance = old[_INSTANCE] or _either(found.noted, _INSTANCE) or file.sop_instance_uid
        if not instance:
            raise BadInput("UID_MISSING")
        stand_in = {_INSTANCE: instance, _STUDY: f"study of {instance}", _SERIES: f"series of {instance}"}
        olds = {tag: _either(found.noted, tag) or stand_in[tag] for tag, uid in old.items() if not uid}
        return {tag: (text, self._uid_for(text)) for tag, text in olds.items()}

    def _uid_for(self, old: str) -> str:
        """What is no UID is replaced whatever the profile says."""
        if is_uid(old) and not self.profile.groups["regenerate_uids"]:
            return old
        return self.key.uid(old, self.profile.uid_root)

    def _statements(self, sop_class: str, patient: str) -> dict[int, bytes]:
        """What says that, and by which rules, this was de-identified: PS3.15 E.1.1, PS3.3 C.7.1.1 and C.12.1."""
        profile = self.profile
        item = [
            encode(0x00080100, "SH", value.encode())
            + encode(0x00080102, "SH", scheme.encode())
            + encode(0x00080104, "LO", meaning.encode())
            for value, scheme, meaning in profile.codes
        ]
        own = {
            0x00120062: encode(0x00120062, "CS", b"YES" if profile.removes_identity else b"NO"),
            0x00120063: encode(
                0x00120063, "LO", f"dicom_assets {profile.name[:16]} {EDITION} {profile.digest[:16]}".encode()
            ),
            0x00120064: encode_sequence(0x00120064, item),
            0x00280303: encode(0x00280303, "CS", profile.longitudinal.encode()),
        }
        for tag, vr in ((PATIENT_NAME, "PN"), (PATIENT_ID, "LO")):
            if profile.action_for(tag, vr, sop_class, ()) is not Action.KEEP:
                own[tag] = encode(tag, vr, patient.encode())
        return own

    def _finished(self, reader: "_Reader", source: Source, context: Context, done: _Pass) -> Deidentified:
        file = reader.file
        if not done.noted:
            raise BadInput("UNREADABLE")
        effect = done.effect
        uids = dict(effect.uids)
        uids |= {old: new for old, new in context.missing.values() if is_uid(old) and old != new}
        if any(told == old or told.startswith(f"{old}.") for told in effect.mentions for old in uids):
            raise Refused("IDENTIFIER_LEFT")
        study, series, instance = (
            uids.get(old, old) if old else context.missing[tag][1]
            for tag, old in zip(PLACING_UIDS, done.placed, strict=True)
        )
        head = framed(file_meta(context.sop_class_uid, file.syntax), instance)
        parts: list[bytes | range] = [b"".join([head, *done.out, *done.pixels[:1]]), *done.pixels[1:]]
        if done.tail:
            parts.append(b"".join(done.tail))
        if file.source is not source:  # written anew before: its ranges are none of the source's
            parts = [file.source.read(p.start, p.stop) if isinstance(p, range) else p for p in parts]
        return Deidentified(
            parts=tuple(parts),
            patient=context.patient,
            study_instance_uid=study,
            series_instance_uid=series,
            sop_instance_uid=instance,
            tags=_sorted_names(effect.tags, done.private_removed),
            uids=tuple(sorted(uids.items())),
            uid_tags=tuple(sorted(effect.uid_tags)),
            notes=_notes(file, done),
            date_offset_days=context.days if context.profile.dates == "shift" else None,
        )


@lru_cache(256)
def _sorted_names(names: frozenset[str], private: frozenset[int]) -> tuple[str, ...]:
    return tuple(sorted(names.union(map(name_of, private))))


def _likely_study(reader: "_Reader") -> bytes:
    """A guess, by which a context is tried first: what stands behind the first bytes that look like PatientID and
    StudyInstanceUID."""
    data, guess = reader.data, b""
    for tag in (b"\x10\x00\x20\x00", b"\x20\x00\x0d\x00"):
        at = data.find(tag, reader.file.start)
        if 0 <= at < len(data) - 8:
            guess += data[at + 8 : at + 8 + data[at + (4 if reader.file.implicit else 6)]]
    return guess


class _Reader:
    """The header of a file: as much of it as the walk has asked for."""

    def __init__(self, file: Opened, read_ahead: int) -> None:
        self.file, self.source = file, file.source
        self.data = self.source.read(0, file.start + read_ahead)
        self.header_end = 0

    def read_more(self) -> None:
        if len(self.data) >= _LARGEST_HEADER:
            raise Refused("HEADER_TOO_LARGE")
        self.data = self.source.read(0, min(4 * len(self.data) + _FIRST_READ, self.source.size))


def _surveyed(reader: _Reader, surveyor: Surveyor, largest: int) -> _Look:
    """largest: bytes of the largest sequence that is looked into."""
    noted: dict[int, bytes] = {}
    marks = _survey(reader, surveyor, largest, noted)
    return _Look(noted, _placed(noted), marks, bool(overlays_in_pixels(noted)))


def _survey(reader: _Reader, surveyor: Surveyor, largest: int, noted: dict[int, bytes]) -> frozenset[Mark]:
    """noted: gets what the top level says, also where the survey does not come to its end."""
    file = reader.file
    while True:
        noted.clear()
        try:
            size = file.source.size
            marks, position = surveyor.top_level(reader.data, file.start, size, file.implicit, noted, largest)
        except MoreNeeded:
            reader.read_more()
            continue
        if position < size:
            noted[PIXEL_DATA] = b""
        return marks


def _walked(reader: _Reader, context: Context) -> _Pass:
    """One walk over header, pixel data's frame and what follows it."""
    file, source = reader.file, reader.source
    while True:
        walk, noted = Walk(context, file.implicit), {}
        try:
            out, effects, position = walk.top_level(reader.data, file.start, source.size, noted)
            break
        except MoreNeeded:
            reader.read_more()
    reader.header_end = position
    pixels: list[bytes | range] = []
    tail: list[bytes] = []
    has_overlay = bool(overlays_in_pixels(noted))
    if position < source.size:
        if has_overlay:
            refuse_overlay_among_pixels(noted)
        noted[PIXEL_DATA] = b""
        pixels, stop, tag = pixel_parts(file, position, noted, effects, context.identity)
        tail, behind = _tail(source, walk, stop, tag)
        effects += behind
    context.keep_small()
    effect = merged(effects) or Effect()
    removed = frozenset(walk.private_removed)
    return _Pass(noted, _placed(noted), effect.marks, has_overlay, out, effect, removed, pixels, tail)


def _placed(noted: dict[int, bytes]) -> tuple[str, ...]:
    return tuple([_uid(noted, tag) for tag in PLACING_UIDS])


def _tail(source: Source, walk: Walk, start: int, tag: int) -> tuple[list[bytes], list[Effect]]:
    """Elements behind the pixel data: walked as all others."""
    if start >= source.size:
        return [], []
    if _is_trailing_padding(source, start, walk.implicit):
        return [], [changed(_TRAILING_PADDING)]
    if source.size - start > _LARGEST_TAIL:
        raise Refused("TAIL_TOO_LONG")
    tail = source.read(start, source.size)
    out, effects, position = walk.top_level(tail, 0, len(tail), {}, behind=tag)
    if position < len(tail):
        raise BadInput("PIXEL_DATA_MALFORMED")
    return out, effects


def _is_trailing_padding(source: Source, start: int, implicit: bool) -> bool:
    """The one element from start to the end of the file is Data Set Trailing Padding: PS3.10 7.2."""
    head = source.read(start, start + 12)
    if len(head) < 12:
        return False
    tag, _stated, length, value = header_at(head, 0, len(head), implicit)
    return tag == _TRAILING_PADDING and start + value + length == source.size


def _codecs_of(marks: Iterable[Mark]) -> tuple[str, ...]:
    """Python's names of the character sets in which the patient is named, where ASCII does not do."""
    charsets = {mark.charset for mark in marks if not mark.value.isascii() or b"\x1b" in mark.value}
    return tuple(codec for charset in sorted(charsets) for codec in codecs(charset))


def _text(noted: dict[int, bytes], tag: int) -> str:
    return noted.get(tag, b"").strip(b" \0").decode("latin-1")


def _patient_id(look: _Look) -> bytes:
    """Byte for byte, but for padding; whatever VR it states."""
    return (look.noted.get(PATIENT_ID) or look.noted.get(-PATIENT_ID, b"")).strip(b" \0")


def _either(noted: dict[int, bytes], tag: int) -> str:
    """Also where the element states a VR that it cannot have."""
    return _text(noted, tag) or _text(noted, -tag)


def _uid(noted: dict[int, bytes], tag: int) -> str:
    """Empty where it is no UID."""
    text = _text(noted, tag)
    return text if is_uid(text) else ""


def _notes(file: Opened, look: _Look) -> Notes:
    noted = look.noted
    charset = noted.get(CHARACTER_SET, b"")
    values = _values(charset, tuple([noted.get(tag, noted.get(-tag)) for tag in _TOLD_TAGS]))
    if look.has_overlay:
        values = {**values, "OverlayInPixelData": "YES"}  # of no element alone
    if overlays_of_regions(noted):
        values = {**values, "OverlayOfRegion": "YES"}
    return Notes(
        patient_id=_patient_id_as_text(_patient_id(look), charset),
        study_instance_uid=look.placed[0] or _text(noted, _STUDY),
        sop_instance_uid=look.placed[2] or _text(noted, _INSTANCE) or file.sop_instance_uid,
        sop_class_uid=_text(noted, _SOP_CLASS) or file.sop_class_uid,
        modality=values.get("Modality", ""),
        values=values,
        has_pixels=PIXEL_DATA in noted,
        transfer_syntax_uid=file.syntax,
    )


@lru_cache(16)
def _values(charset: bytes, told: tuple[bytes | None, ...]) -> Mapping[str, str]:
    """The same object for the instances of a series that say the same."""
    pairs = zip(TOLD, _TOLD_TAGS, told, strict=True)
    return {keyword: _told(tag, value, charset) for keyword, tag, value in pairs if value is not None}


def _told(tag: int, value: bytes, charset: bytes) -> str:
    if tag in _NUMBERS:
        return str(int.from_bytes(value[:2], "little"))
    value = value[:LONGEST_TOLD]
    if tag in _SEQUENCES:
        return value.decode("latin-1")
    value = value.strip(b" \0")
    if value.isascii():
        return value.decode("ascii")
    text = decoded(value, vr_of(tag), character_set(charset) or b"")
    return value.decode("latin-1") if text is None else text


@lru_cache(256)
def _patient_id_as_text(value: bytes, charset: bytes) -> str:
    text = decoded(value, "LO", character_set(charset) or b"")
    return value.decode("latin-1") if text is None else text


def notes_of(source: Source) -> Notes:
    """Of an instance that cannot be de-identified, as far as its header can be read. Raises BadInput or Refused where
    it cannot at all."""
    file = opened(source)
    reader, noted = _Reader(file, _FIRST_READ), {}
    try:
        _survey(reader, Surveyor(), 0, noted)
    except (DicomAssetsError, NotInOrder):
        if not noted:
            raise BadInput("UNREADABLE") from None
    return _notes(file, _Look(noted, _placed(noted), NO_MARKS, bool(overlays_in_pixels(noted))))
