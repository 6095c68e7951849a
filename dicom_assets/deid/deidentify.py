"""One walk over one instance: every element of every depth is kept, emptied, replaced or removed by the profile.

Fail closed: an element is kept only if the dictionary knows its tag, its VR is the dictionary's and its value fits VR
and VM. What cannot be walked to its end raises, and the caller quarantines it.
"""

import io
from dataclasses import dataclass, field

import pydicom
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from .. import __version__
from ..errors import BadInput, DicomAssetsError, Refused
from .actions import Action, dummy_for
from .fits import fits, vr_is_the_dictionarys
from .profile import EDITION, Profile, is_well_known, name_of, vr_of
from .pseudonyms import PseudonymKey
from .reading import OTHER_PIXELS, PIXEL_DATA, native_pixel_bytes, patient_id_of, raw_value, read
from .values import character_set, encoded_value, kept, vr_in

_LONGEST_TAIL = 1024  #: bytes behind the pixels that are cut off; more of them means that the geometry is wrong
DEEPEST = 16  #: levels of nested sequences; real objects stay under 10
IMPLEMENTATION_CLASS_UID = "2.25.214163093841279012917364710294583960417"

_PATIENT_ID, _PATIENT_NAME, _CHARACTER_SET = 0x00100020, 0x00100010, 0x00080005
_PLACING_UIDS = (0x0020000D, 0x0020000E, 0x00080018)  # study, series, instance
#: Sequences whose codes name a person or a place: their codes are replaced, not kept.
_IDENTITY_SEQUENCES = frozenset({0x00080082, 0x00081072, 0x0040A073, 0x00401101})
#: Encapsulated Document storage classes: PDF, CDA, STL, OBJ, MTL
_ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."


@dataclass(frozen=True)
class Deidentified:
    """encoded: a whole Part-10 file. The UIDs are new. tags, uids, uid_tags: as in storage's manifest of a study."""

    encoded: bytes = field(repr=False)
    patient: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    tags: tuple[str, ...]
    uids: tuple[tuple[str, str], ...]
    uid_tags: tuple[str, ...]


def deidentify(encoded: bytes, profile: Profile, key: PseudonymKey, pseudonym: str = "") -> Deidentified:
    """encoded: a Part-10 file. pseudonym: the patient's, where the site brought its own.
    Raises BadInput or Refused with a reason code: quarantine."""
    try:
        return _Walk(encoded, profile, key, pseudonym).run()
    except DicomAssetsError:
        raise
    except RecursionError:
        raise Refused("NESTED_TOO_DEEPLY") from None
    except Exception:
        raise BadInput("DEIDENTIFICATION_FAILED") from None


class _Walk:
    """The state of one instance's walk: what was changed."""

    def __init__(self, encoded: bytes, profile: Profile, key: PseudonymKey, pseudonym: str) -> None:
        # Asking decodes values, and what is decoded is no longer checked as it was encoded: two data sets.
        self.source, self.header = read(encoded), read(encoded)
        self.profile, self.key = profile, key
        self.sop_class_uid = raw_value(self.source, 0x00080016).decode("latin-1")
        self.old = {tag: raw_value(self.source, tag).decode("latin-1") for tag in _PLACING_UIDS}
        self.patient = pseudonym or self._own_pseudonym()
        self.tags: set[str] = set()
        self.uid_tags: set[str] = set()
        self.uids: dict[str, str] = {}

    def _own_pseudonym(self) -> str:
        patient_id = patient_id_of(self.source)
        return self.key.patient(patient_id) if patient_id else self.key.patient_of_study(self.old[0x0020000D])

    def run(self) -> Deidentified:
        self._refuse_what_cannot_be_made_sure()
        output = self._dataset(self.source, path=(), within_identity=False)
        self._set_own_elements(output)
        study, series, instance = (self._new_uid(self.old[tag], always=True) for tag in _PLACING_UIDS)
        return Deidentified(
            encoded=self._encode(output, instance),
            patient=self.patient,
            study_instance_uid=study,
            series_instance_uid=series,
            sop_instance_uid=instance,
            tags=tuple(sorted(self.tags)),
            uids=tuple(sorted(self.uids.items())),
            uid_tags=tuple(sorted(self.uid_tags)),
        )

    def _refuse_what_cannot_be_made_sure(self) -> None:
        uids = [self.sop_class_uid, *self.old.values()]
        if not all(uid and len(uid) <= 64 and uid.replace(".", "").isdigit() for uid in uids):
            raise BadInput("UID_MISSING")
        if self.sop_class_uid.startswith(_ENCAPSULATED):
            raise Refused("ENCAPSULATED_DOCUMENT")
        for group in range(0x6000, 0x6100, 2):
            position = self.header.get((group, 0x0102))
            if position is not None and position.value and (group, 0x3000) not in self.source:
                raise Refused("OVERLAY_IN_PIXEL_DATA")
        pixels = next((tag for tag in (PIXEL_DATA, *OTHER_PIXELS) if tag in self.source), None)
        length = native_pixel_bytes(self.header, pixels) if pixels is not None else None
        if length is not None and len(self.source.get_item(pixels).value or b"") < length - 1:
            raise BadInput("PIXEL_DATA_TRUNCATED")
        if length is not None and len(self.source.get_item(pixels).value or b"") > length + _LONGEST_TAIL:
            raise BadInput("PIXEL_DATA_TOO_LONG")

    def _dataset(self, source: Dataset, path: tuple[str, ...], within_identity: bool) -> Dataset:
        if len(path) > DEEPEST:
            raise Refused("NESTED_TOO_DEEPLY")
        output = Dataset()
        implicit, little_endian = source.original_encoding
        output.set_original_encoding(implicit, little_endian, source.original_character_set)
        for tag in sorted(source.keys()):
            element = self._element(source, int(tag), path, within_identity)
            if element is not None:
                output[tag] = element
        return output

    def _element(
        self, source: Dataset, tag: int, path: tuple[str, ...], within_identity: bool
    ) -> DataElement | RawDataElement | None:
        """The element as it goes into the output, or None where it goes."""
        group, number = tag >> 16, tag & 0xFFFF
        if number == 0 or group <= 2:
            return None
        if group % 2:
            return self._private(source, tag, path)
        known = vr_of(tag)
        if not known or group >= 0xFFFA or 0x5000 <= group < 0x5100 or 0x6000 <= group < 0x6100:
            return self._removed(tag)  # unknown, digital signatures, trailing padding, curves, overlays
        vr = vr_in(source, tag, known)
        action = self.profile.action_for(tag, known, self.sop_class_uid, path)
        if action is Action.REMOVE:
            return self._removed(tag)
        if action is Action.EMPTY or action is Action.DUMMY:
            return self._replaced(source, tag, known, action, path)
        if not vr_is_the_dictionarys(vr, known):
            return self._removed(tag)
        if vr == "SQ":
            return self._sequence(source, tag, path, within_identity)
        if action is Action.UID:
            return self._renewed(source, tag)
        if tag in OTHER_PIXELS or tag == PIXEL_DATA:
            return self._pixels(source, tag)
        if tag == _CHARACTER_SET:
            return character_set(source, tag) or self._removed(tag)
        if not fits(tag, vr, encoded_value(source.get_item(tag))):
            return self._removed(tag)
        if within_identity and vr in ("LO", "SH", "UC", "UR"):
            return self._changed(tag, vr, dummy_for(vr))
        return kept(source, tag)

    def _removed(self, tag: int) -> None:
        self.tags.add(name_of(tag))

    def _changed(self, tag: int, vr: str, value: object) -> DataElement:
        self.tags.add(name_of(tag))
        return DataElement(tag, vr, value)

    def _pixels(self, source: Dataset, tag: int) -> DataElement | RawDataElement | None:
        """At top level, one kind, and no byte more than the geometry asks for: nobody looks at the rest."""
        if source is not self.source or (tag != PIXEL_DATA and PIXEL_DATA in source):
            return self._removed(tag)
        length, element = native_pixel_bytes(self.header, tag), kept(source, tag)
        if " or " in element.VR:
            element = DataElement(tag, "OW" if length is not None else "OB", element.value)
            element.is_undefined_length = length is None
        if length is None or len(element.value) == length:
            return element
        self.tags.add(name_of(tag))
        return DataElement(tag, source[tag].VR, element.value[:length].ljust(length, b"\0"))

    def _private(self, source: Dataset, tag: int, path: tuple[str, ...]) -> DataElement | RawDataElement | None:
        if not self.profile.keeps_private:
            return self._removed(tag)
        if source[tag].VR == "SQ":
            return self._sequence(source, tag, path, within_identity=False)
        return kept(source, tag)

    def _replaced(
        self, source: Dataset, tag: int, known: str, action: Action, path: tuple[str, ...]
    ) -> DataElement | RawDataElement | None:
        """Actions Z and D. Names and IDs of the patient become the pseudonym; sequences are cleaned, never invented."""
        vr = known.split(" or ")[0]
        if tag in (_PATIENT_ID, _PATIENT_NAME):
            return self._changed(tag, vr, self.patient)
        if action is Action.EMPTY or not source.get_item(tag).value:
            return self._changed(tag, vr, [] if vr == "SQ" else None)
        if vr == "SQ":
            if vr_in(source, tag, known) != "SQ":
                return self._changed(tag, vr, [])
            return self._sequence(source, tag, path, within_identity=tag in _IDENTITY_SEQUENCES)
        if vr == "UI":
            return self._renewed(source, tag)
        dummy = dummy_for(vr)
        return self._removed(tag) if dummy is None else self._changed(tag, vr, dummy)

    def _sequence(self, source: Dataset, tag: int, path: tuple[str, ...], within_identity: bool) -> DataElement:
        below = (*path, name_of(tag))
        within_identity = within_identity or tag in _IDENTITY_SEQUENCES
        items = [self._dataset(item, below, within_identity) for item in source[tag].value]
        return DataElement(tag, "SQ", Sequence(items))

    def _renewed(self, source: Dataset, tag: int) -> DataElement | None:
        """Each UID of the element replaced, well-known ones excepted; what is no UID is removed."""
        value = source[tag].value
        values = [str(value)] if isinstance(value, str) else [str(one) for one in value or []]
        values = [one.strip(" \0") for one in values]
        if not all(len(one) <= 64 and one.replace(".", "").isdigit() for one in values if one):
            return self._removed(tag)
        new = [self._new_uid(one, always=tag in _PLACING_UIDS) if one else "" for one in values]
        if new != values:
            self.uid_tags.add(name_of(tag))
        return DataElement(tag, "UI", new if len(new) != 1 else new[0])

    def _new_uid(self, old: str, always: bool = False) -> str:
        """always: also what looks well-known, since no study, series or instance is."""
        if not self.profile.groups["regenerate_uids"] or (is_well_known(old) and not always):
            return old
        return self.uids.setdefault(old, self.key.uid(old))

    def _set_own_elements(self, output: Dataset) -> None:
        """What says that, and by which rules, this was de-identified: PS3.15 E.1.1, PS3.3 C.7.1.1 and C.12.1."""
        profile = self.profile
        if profile.groups["patient_data"]:
            output.PatientID = self.patient
            output.PatientName = self.patient
        output.PatientIdentityRemoved = "YES" if profile.groups["patient_data"] else "NO"
        output.DeidentificationMethod = f"dicom_assets {profile.name[:16]} {EDITION} {profile.digest[:16]}"
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = profile.code
        output.DeidentificationMethodCodeSequence = [item]
        output.LongitudinalTemporalInformationModified = "REMOVED" if profile.groups["dates"] else "UNMODIFIED"

    def _encode(self, output: Dataset, sop_instance_uid: str) -> bytes:
        """Explicit VR Little Endian unless the pixel data's own syntax demands otherwise; preamble of zeros."""
        syntax = self.source.file_meta.TransferSyntaxUID
        if syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian):
            syntax = ExplicitVRLittleEndian
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = self.sop_class_uid
        meta.MediaStorageSOPInstanceUID = sop_instance_uid
        meta.TransferSyntaxUID = syntax
        meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
        meta.ImplementationVersionName = f"DICOMASSETS_{__version__}"[:16]
        output.file_meta = meta
        output.preamble = b"\0" * 128
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, output, implicit_vr=False, little_endian=True, enforce_file_format=True)
        return buffer.getvalue()
