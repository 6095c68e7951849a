"""The plain implementation of de-identification that the engine is held against: pydicom reads, one recursive walk
over data sets, pydicom writes. Slow, and to be read in one go.

It shares with the package what decides (rules, forms of values, pseudonyms) and what turns one value into another
(dates, descriptors, character sets), and nothing of how files are read, walked and written. It does not look for
residual identifiers and does not judge damage: it releases whatever pydicom can read, so that what the engine refuses
and the reference would not can be counted.
"""

import io
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicom_assets import __version__
from dicom_assets.deid import dates, descriptors, values
from dicom_assets.deid.actions import Action, dummy_for
from dicom_assets.deid.context import uids_told
from dicom_assets.deid.dictionary import is_published, is_well_known_uid, name_of, vm_of, vr_of
from dicom_assets.deid.elements import NUMBER_BYTES
from dicom_assets.deid.fits import TEXT_VRS, fits, has_form
from dicom_assets.deid.identity import IDENTIFYING, IDENTIFYING_VRS, identity_of
from dicom_assets.deid.private_elements import is_creator, vr_by_form
from dicom_assets.deid.profile import EDITION, Profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.deid.structured_reports import CONTENT_SEQUENCES, VALUE_OF
from tests.deid.reading import (
    NotRead,
    NotReleased,
    charset_of,
    concept_of,
    element_of,
    items_of,
    quiet,
    raw_element,
    read,
    syntax_of,
    value_of,
    vr_in,
)

PIXEL_DATA = 0x7FE00010
OTHER_PIXELS = {0x7FE00008: 32, 0x7FE00009: 64}
IMPLEMENTATION_CLASS_UID = "2.25.214163093841279012917364710294583960417"
DEEPEST = 16

_PATIENT_ID, _PATIENT_NAME, _ISSUER, _CHARACTER_SET = 0x00100020, 0x00100010, 0x00100021, 0x00080005
_STUDY, _SERIES, _INSTANCE, _SOP_CLASS = _PLACING = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
_META_SOP_CLASS, _META_INSTANCE = 0x00020002, 0x00020003
#: PatientIdentityRemoved, DeidentificationMethod and its codes, LongitudinalTemporalInformationModified
_STATEMENTS = (0x00120062, 0x00120063, 0x00120064, 0x00280303)
_CONTENT_SEQUENCE = 0x0040A730
_CODING_SCHEME, _CODE_MEANING = 0x00080102, 0x00080104
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."  #: PDF, CDA, STL, OBJ, MTL
#: Of a region of interest: rows, columns, type, origin, bits, position, data, frames, first frame, area and statistics
_KEPT_OF_OVERLAYS = frozenset({0x10, 0x11, 0x15, 0x40, 0x50, 0x51, 0x100, 0x102, 0x3000})
#: Sequences whose codes name a person or a place
_IDENTITY_SEQUENCES = frozenset({0x00080082, 0x00081072, 0x0040A073, 0x00401101})


@dataclass(frozen=True)
class Expected:
    """As the engine's Deidentified; encoded is the whole output file."""

    encoded: bytes
    patient: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    tags: tuple[str, ...]
    uids: tuple[tuple[str, str], ...]
    uid_tags: tuple[str, ...]


def deidentify(encoded: bytes, profile: Profile, key: PseudonymKey, pseudonym: str = "") -> Expected:
    """Raises NotReleased."""
    try:
        with quiet():
            return _Walk(encoded, profile, key, pseudonym).run()
    except NotReleased:
        raise
    except Exception as error:
        raise NotReleased(type(error).__name__) from error


class _Walk:
    """The state of one instance's walk: what was changed."""

    def __init__(self, encoded: bytes, profile: Profile, key: PseudonymKey, pseudonym: str) -> None:
        self.source = read(encoded)
        self.profile, self.key, self.syntax = profile, key, syntax_of(self.source)
        self.sop_class_uid = self._uid(_SOP_CLASS) or self._uid_in_meta(_META_SOP_CLASS)
        self.old = self._placing_uids()
        self.patient = pseudonym or self._own_pseudonym()
        self.days = key.days(self.patient, profile.shift_days)
        self.identity = identity_of(_identifying(self.source, profile))
        self.tags: set[str] = set()
        self.uid_tags: set[str] = set()
        self.uids: dict[str, str] = {}

    def _uid(self, tag: int) -> str:
        uid = value_of(self.source, tag).strip(b" \0").decode("latin-1")
        return uid if values.is_uid(uid) else ""

    def _uid_in_meta(self, tag: int) -> str:
        uid = value_of(self.source.file_meta, tag).strip(b" \0").decode("latin-1")
        return uid if values.is_uid(uid) else ""

    def _placing_uids(self) -> dict[int, str]:
        """Study, series and instance. An instance without a UID has the file meta's; one without a study or series is
        in one of its own, and what stands there in place of a UID counts as one."""
        if not self.sop_class_uid:
            raise NotRead("no SOP class")
        written = {tag: value_of(self.source, tag).strip(b" \0").decode("latin-1") for tag in _PLACING}
        instance = written[_INSTANCE] or self._uid_in_meta(_META_INSTANCE)
        if not instance:
            raise NotRead("no instance UID")
        study, series = written[_STUDY] or f"study of {instance}", written[_SERIES] or f"series of {instance}"
        return {_STUDY: study, _SERIES: series, _INSTANCE: instance}

    def _own_pseudonym(self) -> str:
        patient_id = value_of(self.source, _PATIENT_ID).strip(b" \0")
        if not patient_id:
            return self.key.patient_of_study(self.old[_STUDY])
        issuer = value_of(self.source, _ISSUER).strip(b" \0") if self.profile.issuer_counts else b""
        return self.key.patient(patient_id + (b"\\" + issuer if issuer else b""))

    def run(self) -> Expected:
        if self._uid_in_meta(_META_SOP_CLASS) == _MEDIA_DIRECTORY:
            raise NotReleased("a directory")
        if self.sop_class_uid.startswith(_ENCAPSULATED) and self.profile.encapsulated == "quarantine":
            raise NotReleased("a document")
        output = self._dataset(self.source, _Place())
        self._set_own_elements(output)
        study, series, instance = (str(output[tag].value) for tag in self.old)
        return Expected(
            encoded=self._encode(output, instance),
            patient=self.patient,
            study_instance_uid=study,
            series_instance_uid=series,
            sop_instance_uid=instance,
            tags=tuple(sorted(self.tags)),
            uids=tuple(sorted((old, new) for old, new in self.uids.items() if old != new and values.is_uid(old))),
            uid_tags=tuple(sorted(self.uid_tags)),
        )

    def _dataset(self, source: Dataset, place: "_Place") -> Dataset:
        if len(place.path) > DEEPEST:
            raise NotReleased("too deep")
        output = Dataset()
        output.set_original_encoding(False, True, source.original_character_set)
        place = place._replace(charset=charset_of(source, place.charset))
        kept = {tag: self._element(source, tag, place) for tag in sorted(map(int, source.keys()))}
        kept = {tag: element for tag, element in kept.items() if element is not None}
        blocks = {tag >> 8 for tag in kept}
        # Creators last: of an element whose creator is there already, pydicom would look up the VR in its own tables.
        for tag in sorted(kept, key=lambda tag: (is_creator(tag), tag)):
            if is_creator(tag) and (tag >> 16 << 8 | tag & 0xFF) not in blocks:
                self._removed(tag)  # nothing of its block is left
            else:
                output[tag] = kept[tag]
        output.set_original_encoding(False, True, output._character_set)  # so that pydicom writes each as it is
        return output

    def _element(self, source: Dataset, tag: int, place: "_Place"):
        """The element as it goes into the output, or None where it goes."""
        group, number = tag >> 16, tag & 0xFFFF
        if group % 2:
            return self._private(source, tag, place)
        if number == 0 or group <= 2:
            return None
        if not place.path and tag in (_PATIENT_NAME, _PATIENT_ID, *_STATEMENTS) and tag in self._own(source):
            return self._removed(tag)  # and written by _set_own_elements
        known = vr_of(tag)
        if 0x6000 <= group < 0x6100 and "clean_graphics" in self.profile.options:
            return self._overlay(source, tag, known, place)
        if not known or group >= 0xFFFA or 0x5000 <= group < 0x5100 or 0x6000 <= group < 0x6100:
            return self._removed(tag)  # unknown, signatures, trailing padding, curves, overlays
        vr = vr_in(source, tag, known)
        action = self.profile.action_for(tag, known, self.sop_class_uid, place.path)
        if place.content is not None and tag == VALUE_OF.get(concept_of(source)[2]):
            action = place.content
        if action is Action.REMOVE:
            return self._removed(tag)
        if action is Action.EMPTY or action is Action.DUMMY:
            return self._replaced(source, tag, known, action, place)
        if vr not in known.split(" or "):
            return self._removed(tag)
        if vr == "SQ":
            return self._sequence(source, tag, place)
        if action is Action.UID:
            return self._renewed(source, tag) if vr == "UI" else self._removed(tag)
        if tag == PIXEL_DATA or tag in OTHER_PIXELS:
            return self._pixels(source, tag, vr)
        value = value_of(source, tag, vr)
        if tag == _CHARACTER_SET:
            spelt = values.character_set(value)
            return self._removed(tag) if spelt is None else element_of(tag, vr, spelt)
        if action is Action.CLEAN and vr in ("DA", "DT", "AS", *TEXT_VRS):
            return self._cleaned(source, tag, vr, value, place)
        if place.names_somebody and vr in ("LO", "SH", "UC", "UR"):
            return self._changed(tag, vr, dummy_for(vr)) if fits(tag, vr, value) else self._removed(tag)
        if tag == _CODE_MEANING and self.profile.cleans_descriptors:
            scheme = value_of(source, _CODING_SCHEME) if _CODING_SCHEME in source else b""
            if not is_published(scheme):
                return self._cleaned(source, tag, vr, value, place)
        if not fits(tag, vr, value):
            return self._without_cleaning(source, tag, place)
        if vr in TEXT_VRS and values.decoded(value, vr, place.charset) is None:
            return self._removed(tag)
        if (
            (self.profile.cleans_names or self.profile.cleans_descriptors)
            and tag not in self.profile.kept_tags
            and self._names_patient(tag, vr, value, place)
        ):
            return self._cleaned(source, tag, vr, value, place)
        return element_of(tag, vr, value)

    def _removed(self, tag: int) -> None:
        self.tags.add(name_of(tag))

    def _changed(self, tag: int, vr: str, value: object) -> DataElement:
        self.tags.add(name_of(tag))
        return DataElement(tag, vr, value)

    # values

    def _cleaned(self, source: Dataset, tag: int, vr: str, value: bytes, place: "_Place"):
        """Action C on dates, ages and text; what cannot be cleaned gets the action that it has without."""
        if vr in ("DA", "DT", "AS") and not value.strip(b" \0"):
            return element_of(tag, vr, value)
        if vr in TEXT_VRS:
            clean = self._harmless(tag, vr, value, place.charset)
        else:
            text = value.decode("ascii", "replace")
            clean = (self._dated(text, vr) if vr != "AS" else dates.capped_age(text)) or ""
            clean = clean.encode()
        if not clean.strip(b"\\ ") or not fits(tag, vr, clean):
            return self._without_cleaning(source, tag, place)
        if clean != value.strip(b" \0") or vr in ("DA", "DT"):
            self.tags.add(name_of(tag))
        return element_of(tag, vr, clean)

    def _without_cleaning(self, source: Dataset, tag: int, place: "_Place"):
        action = self.profile.without_cleaning(tag, self.sop_class_uid, place.path)
        if action in (Action.EMPTY, Action.DUMMY):
            return self._replaced(source, tag, vr_of(tag), action, place)
        return self._removed(tag)

    def _names_patient(self, tag: int, vr: str, value: bytes, place: "_Place") -> bool:
        if vr not in TEXT_VRS:
            return False
        text = values.decoded(value, vr, place.charset) or ""
        return any(self.identity.found_in(one, vr, tag) for one in (value, text.encode("utf-8", "replace")))

    def _harmless(self, tag: int, vr: str, value: bytes, charset: bytes) -> bytes:
        text = values.decoded(value, vr, charset)
        text = value.decode("ascii", "ignore") if text is None else text
        several = vm_of(tag) != "1" and vr not in ("LT", "ST", "UT")
        parts = [descriptors.clean(part, self.identity) for part in (text.split("\\") if several else [text])]
        return values.encoded("\\".join(parts), charset)

    def _dated(self, text: str, vr: str) -> str | None:
        return dates.year_only(text, vr) if self.profile.dates == "year" else dates.shifted(text, vr, self.days)

    def _replaced(self, source: Dataset, tag: int, known: str, action: Action, place: "_Place"):
        """Actions Z and D. Names and IDs of the patient become the pseudonym; sequences are cleaned, never invented."""
        vr = known.split(" or ")[0]
        is_sequence = vr_in(source, tag, known) == "SQ"
        if vr == "SQ":
            keeps = action is Action.DUMMY and is_sequence
            return self._sequence(source, tag, place) if keeps else self._changed(tag, vr, [])
        if tag in (_PATIENT_ID, _PATIENT_NAME):
            return self._changed(tag, vr, self.patient)
        value = value_of(source, tag)
        if action is Action.EMPTY or not value.strip(b" \0"):
            if value or is_sequence:
                self.tags.add(name_of(tag))
            return element_of(tag, vr, b"")
        if vr == "UI":
            return self._renewed(source, tag)
        dummy = dummy_for(vr)
        self.tags.add(name_of(tag))
        return element_of(tag, vr, dummy if isinstance(dummy, bytes) else dummy.encode())

    def _renewed(self, source: Dataset, tag: int):
        """Each UID of the element replaced, well-known ones excepted; what is no UID is removed."""
        value = value_of(source, tag)
        old = values.uids_in(value)
        if old is None or (not tag >> 16 & 1 and not fits(tag, "UI", value)):
            return self._removed(tag)
        any_one = tag in (_STUDY, _SERIES)  # no study and no series is well-known
        new = [self._new_uid(one) if one and (any_one or not is_well_known_uid(one)) else one for one in old]
        if new != old:
            self.uid_tags.add(name_of(tag))
        return element_of(tag, "UI", "\\".join(new).encode())

    def _new_uid(self, old: str) -> str:
        if not self.profile.groups["regenerate_uids"] and values.is_uid(old):
            return old  # of what is no UID, one is made all the same
        return self.uids.setdefault(old, self.key.uid(old, self.profile.uid_root))

    # sequences

    def _sequence(self, source: Dataset, tag: int, place: "_Place") -> DataElement | None:
        below, items = place.below(tag), []
        are_content = tag in CONTENT_SEQUENCES
        for item in (originals := items_of(source, tag)):
            content = self.profile.content_item_action(*concept_of(item)) if are_content else None
            if content is Action.REMOVE:
                self.tags.add(name_of(tag))
            else:
                items.append(self._dataset(item, below._replace(content=content)))
        if tag == _CONTENT_SEQUENCE and originals and not items:
            return None  # Type 1C: not without items
        return DataElement(tag, "SQ", Sequence(items))

    # pixels and overlays

    def _pixels(self, source: Dataset, tag: int, vr: str):
        """At top level, one kind, and no byte more than the geometry asks for."""
        if source is not self.source or any(other in source for other in OTHER_PIXELS if other < tag):
            return self._removed(tag)
        if self.syntax.is_encapsulated:
            return raw_element(source, tag)._replace(VR="OB")  # PS3.5 A.4
        length = self._native_bytes(tag)
        value = value_of(source, tag, "OL" if vr == "OW" and self._number(0x00280100) == 32 else vr)
        if len(value) != length:
            self.tags.add(name_of(tag))
        if len(value) < length - 1:
            raise NotReleased("truncated pixels")
        return element_of(tag, vr, value[:length].ljust(length, b"\0"))

    def _native_bytes(self, tag: int) -> int:
        bits = OTHER_PIXELS.get(tag) or self._number(0x00280100)
        pixels = self._number(0x00280010) * self._number(0x00280011)
        samples = self._number(0x00280002) or 1
        pixels *= int(value_of(self.source, 0x00280008).strip(b" \0") or 1) or 1
        if not pixels or not bits:
            raise NotReleased("no geometry")
        halved = value_of(self.source, 0x00280004).strip(b" \0") in (b"YBR_FULL_422", b"YBR_PARTIAL_422")
        if halved and len(value_of(self.source, tag)) * 8 < pixels * samples * bits:
            samples = 2
        length = (pixels * samples * bits + 7) // 8
        return length + length % 2

    def _number(self, tag: int) -> int:
        """Of VR US; 0 where absent."""
        return int.from_bytes(value_of(self.source, tag, "US")[:2], "little")

    def _overlay(self, source: Dataset, tag: int, known: str, place: "_Place"):
        """Clean Graphics: regions of interest stay with their bits, everything drawn or written goes."""
        first = tag & 0xFFFF0000
        vr = vr_in(source, tag, known) if known else ""
        value = value_of(source, tag, vr)
        frames = value_of(source, first | 0x0015).strip(b" \0") or b"1"
        bits = int(frames) if frames.isdigit() else 0
        for number in (0x0010, 0x0011):
            bits *= int.from_bytes(value_of(source, first | number, "US")[:2], "little")
        size = (bits + 7) // 8
        is_region = value_of(source, first | 0x0040).strip(b" \0") == b"R" and bits > 0
        is_region = is_region and len(value_of(source, first | 0x3000)) == size + size % 2
        stays = is_region and not place.path and tag & 0xFFFF in _KEPT_OF_OVERLAYS
        if not stays or vr not in known.split(" or ") or not fits(tag, vr, value):
            return self._removed(tag)
        return element_of(tag, vr, value)

    # private elements

    def _private(self, source: Dataset, tag: int, place: "_Place"):
        """Kept by creator; a creator is kept here, and goes later if nothing of its block is left."""
        if is_creator(tag):
            creator = value_of(source, tag).strip(b" \0")
            keeps = self.profile.keeps_private and creator.isascii() and len(creator) <= 64
            return element_of(tag, "LO", creator) if keeps else self._removed(tag)
        creator_tag = tag & 0xFFFF0000 | tag >> 8 & 0xFF
        creator = (
            value_of(source, creator_tag).strip(b" \0") if creator_tag in source and is_creator(creator_tag) else None
        )
        if creator is None or not creator.isascii() or len(creator) > 64:
            return self._removed(tag)
        allowed = self.profile.private_vr(creator.decode("ascii"), tag >> 16, tag & 0xFF)
        stated = raw_element(source, tag).VR
        if stated in (None, "UN"):
            stated = (allowed or "").split(" or ")[-1] or vr_by_form(value_of(source, tag))
        if allowed is None or (allowed and stated not in allowed.split(" or ")):
            return self._removed(tag)
        return self._kept_private(source, tag, stated, place) or self._removed(tag)

    def _kept_private(self, source: Dataset, tag: int, vr: str, place: "_Place"):
        """Dates, ages and UIDs within private elements follow the profile, as everywhere."""
        value, policy = value_of(source, tag, vr), self.profile.dates
        if vr == "SQ":
            return self._sequence(source, tag, place)
        if vr == "PN" or (vr != "UN" and not has_form(vr, value)):
            return None
        if vr == "UI":
            return self._renewed(source, tag)
        if vr == "TM":
            return element_of(tag, vr, value) if policy in ("shift", "keep") else None
        if vr in ("DA", "DT") and policy != "keep":
            changed = None if policy == "remove" else self._dated(value.decode("ascii", "replace"), vr)
            return None if changed is None else element_of(tag, vr, changed.encode())
        if vr == "AS":
            age = dates.capped_age(value.decode("ascii", "replace"))
            return None if age is None else element_of(tag, vr, age.encode())
        if vr in TEXT_VRS and (values.decoded(value, vr, place.charset) is None or uids_told(value)):
            return None
        tells = self.identity.found_in(value, vr, tag) or self._names_patient(tag, vr, value, place)
        if vr in TEXT_VRS or (vr in NUMBER_BYTES and value.isascii()):
            cleans = self.profile.cleans_descriptors
            asked = descriptors.tells_of_somebody if cleans else descriptors.names_somebody
            text = values.decoded(value if vr in TEXT_VRS else value.strip(b"\0"), "LO", place.charset)
            tells = tells or asked(text or "", self.identity)
        return None if tells else element_of(tag, vr, value)

    # the whole

    def _own(self, source: Dataset) -> set[int]:
        """Elements of the top level that are written whatever the source has."""
        patient = {
            tag
            for tag, vr in ((_PATIENT_NAME, "PN"), (_PATIENT_ID, "LO"))
            if self.profile.action_for(tag, vr, self.sop_class_uid, ()) is not Action.KEEP
        }
        return patient | set(_STATEMENTS)

    def _set_own_elements(self, output: Dataset) -> None:
        """What says that, and by which rules, this was de-identified: PS3.15 E.1.1, PS3.3 C.7.1.1 and C.12.1; and what
        places the instance."""
        profile = self.profile
        for tag in self._own(output) & {_PATIENT_NAME, _PATIENT_ID}:
            output[tag] = DataElement(tag, vr_of(tag), self.patient)
        output.PatientIdentityRemoved = "YES" if profile.removes_identity else "NO"
        output.DeidentificationMethod = f"dicom_assets {profile.name[:16]} {EDITION} {profile.digest[:16]}"
        items = [Dataset() for _ in profile.codes]
        for item, one in zip(items, profile.codes, strict=True):
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = one
        output.DeidentificationMethodCodeSequence = items
        output.LongitudinalTemporalInformationModified = profile.longitudinal
        for tag, old in {**self.old, _SOP_CLASS: self.sop_class_uid}.items():
            if tag in self.source and not self._uid(tag):
                self.tags.add(name_of(tag))
            if tag not in output or not self._uid(tag):
                output[tag] = DataElement(tag, "UI", old if tag == _SOP_CLASS else self._new_uid(old))

    def _encode(self, output: Dataset, sop_instance_uid: str) -> bytes:
        """Explicit VR Little Endian unless the pixel data's own syntax demands otherwise; preamble of zeros."""
        syntax = self.syntax
        if syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
            syntax = ExplicitVRLittleEndian
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = self.sop_class_uid
        meta.MediaStorageSOPInstanceUID = sop_instance_uid
        meta.TransferSyntaxUID = syntax
        meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
        meta.ImplementationVersionName = f"DICOMASSETS_{__version__}"[:16]
        output.file_meta, output.preamble = meta, b"\0" * 128
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, output, implicit_vr=False, little_endian=True, enforce_file_format=True)
        return buffer.getvalue()


class _Place(NamedTuple):
    """Where a data set is. path: keywords of the sequences above. names_somebody: inside a sequence whose codes name a
    person or a place. content: the action for the value of the content item that the data set is."""

    path: tuple[str, ...] = ()
    names_somebody: bool = False
    content: Action | None = None
    charset: bytes = b""

    def below(self, tag: int) -> "_Place":
        names_somebody = self.names_somebody or tag in _IDENTITY_SEQUENCES
        return _Place((*self.path, name_of(tag)), names_somebody, None, self.charset)


def _identifying(source: Dataset, profile: Profile, charset: bytes = b"") -> list[tuple[int, str, str]]:
    """(tag, VR, text) of all that tells who the patient is, at any depth; private elements are not looked into."""
    found = []
    charset = charset_of(source, charset)
    for tag in sorted(tag for tag in map(int, source.keys()) if not tag >> 16 & 1):
        known = vr_of(tag)
        vr = vr_in(source, tag, known) if known else raw_element(source, tag).VR
        if vr == "SQ":
            with suppress(Exception):  # of a sequence that is none nothing is kept, and nothing learnt
                found += [one for item in items_of(source, tag) for one in _identifying(item, profile, charset)]
            continue
        vr = vr if vr in known.split(" or ") else known.split(" or ")[0]
        if (
            known
            and (tag in IDENTIFYING or vr in IDENTIFYING_VRS)
            and not (profile.dates == "keep" and vr in ("DA", "DT"))
        ):
            value = value_of(source, tag)
            value = value[:8] if vr == "DT" else value.strip(b" \0")
            found += [(tag, vr, text) for text in values.readings(value, vr, charset) if text]
    return found
