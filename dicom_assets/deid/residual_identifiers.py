"""What names this patient: the values of the originals that must not be found in an output, in searchable form."""

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary
from pydicom.valuerep import PersonName

from .residual_text import Date, dates_in, folded, ordinary_words, technical_words, vocabulary

_PATIENT_ID_KEYWORDS = (
    "PatientID OtherPatientIDs MedicalRecordLocator AdmissionID AccessionNumber ClinicalTrialSubjectID "
    "ClinicalTrialSubjectReadingID"
)
_OTHER_ID_KEYWORDS = (
    "StudyID RequestedProcedureID ScheduledProcedureStepID PerformedProcedureStepID ServiceEpisodeID "
    "PlacerOrderNumberImagingServiceRequestRetired FillerOrderNumberImagingServiceRequestRetired "
    "PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest"
)
_CONTACT_KEYWORDS = (
    "PatientAddress PatientTelephoneNumbers PatientTelecomInformation PersonAddress PersonTelephoneNumbers "
    "PersonTelecomInformation ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers InstitutionAddress "
    "InstitutionName"
)
#: UIDs that name a kind of thing, a scheme or a product, and no object of this patient.
_CLASS_UIDS = re.compile(
    "ClassUID|ClassesI|ClassesS|TransferSyntaxUID|CodingScheme|Context|MappingResource|Implementation"
)
_BIRTH_DATE = 0x00100030
_IDENTIFYING_VRS = frozenset({"PN", "UI", "DA", "DT", "SQ", "UN"})
#: Words that stand for nobody in elements that name somebody.
_NOBODY = frozenset(
    "anonymous anonymized anonymised anon unknown none null nobody noname name nopatientid noid removed deleted test "
    "demo patient doctor physician operator staff tech technologist radiologist unspecified undefined na xx xxx xxxx "
    "dr prof med mr mrs ms md phd jr sr ii iii y und e of the".split()
)
#: What stands between the parts of names in several languages.
_PARTICLES = frozenset(
    "de del den der des di do da dos das du la le los van von zu zum zur ten ter el al bin ben ibn".split()
)
_SYLLABLE = re.compile("[a-z]?[aeiouy][a-z]?")
_DUMMY_DATES = frozenset({(1900, 1, 1), (1, 1, 1), (9999, 12, 31)})
_SHORT_ID, _SHORT_WORD = 5, 4  # characters: a shorter ID counts as a whole value only, a shorter name part not alone
_COUNTER = 2  # digits: an ID of so few is equal to counters by chance
_LONG_WORD = 7  # characters: found inside other words too
_UID_ALONE = re.compile(rb"[0-9]+(\.[0-9]+){5,}[\0 ]?")
_EMAIL = re.compile(rb"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")
#: Pixel Data, Float and Double Float Pixel Data
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})


def _tags(keywords: str) -> frozenset[int]:
    return frozenset(tag for tag in map(tag_for_keyword, keywords.split()) if tag is not None)


_PATIENT_IDS, _OTHER_IDS, _CONTACTS = map(_tags, (_PATIENT_ID_KEYWORDS, _OTHER_ID_KEYWORDS, _CONTACT_KEYWORDS))


@dataclass
class Identifiers:
    """Folded terms with their kind (`name`, `identifier`, `contact`); see residual_text for the folding.

    words: found as whole words. phrases: as words in this order. inner: anywhere, inside words too.
    whole_values: as the whole value of an element. numbers: IDs of digits only, found next to letters too.
    encoded: as these bytes. dates: (year, month, day); births: those of birth among them. uids: as written."""

    words: dict[str, str] = field(default_factory=dict)
    phrases: dict[str, str] = field(default_factory=dict)
    inner: dict[str, str] = field(default_factory=dict)
    whole_values: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    encoded: dict[bytes, str] = field(default_factory=dict)
    dates: set[Date] = field(default_factory=set)
    births: set[Date] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)

    def add_id(self, value: str, alone: bool = True) -> None:
        """alone: a short one, or one that is a word, counts where it is a whole value."""
        text = value.strip(" \0")
        term = folded(text).strip()
        together = term.replace(" ", "")
        if not term or term in _NOBODY | _PARTICLES or (together.isdigit() and len(together) <= _COUNTER):
            return
        if len(together) < _SHORT_ID or term in vocabulary():
            self.whole_values |= {term} if alone else set()
            return
        if re.fullmatch(r"[0-9]+(\.[0-9]+){3,}", text):
            self.uids.add(text)
        elif together.isdigit():
            self.numbers |= {n for n in (together, together.lstrip("0")) if len(n) >= _SHORT_ID}
            if " " in term:
                self._add_phrase(term, "identifier")
        else:
            self._add_phrase(term, "identifier")
            self._add_phrase(together, "identifier")
            if len(term) >= _LONG_WORD:
                self.inner[term] = "identifier"
        self._add_encoded(text, "identifier")

    def add_name(self, group: str) -> None:
        """group: one component group of a person name, `Family^Given^Middle^Prefix^Suffix`."""
        components = [folded(c).strip() for c in group.split("^")[:3]]
        family, given = (*components, "", "")[:2]
        if not given and " " in family:
            family, _, given = family.rpartition(" ")
        if len(family) > 1 and len(given) > 1 and not _NOBODY & {family, given}:
            for whole in (f"{family} {given}", f"{given} {family}", *self._first_words(family, given)):
                self._add_whole_name(whole)
        parts = [part for component in components for part in component.split()]
        if len(parts) > 2 and not _NOBODY.intersection(parts):
            self._add_whole_name(" ".join(parts))
        for part in parts:
            if part in ordinary_words():
                continue
            if not part.isascii() and len(part) >= (_SHORT_WORD if _has_case(part) else 2):
                (self.words if len(part) < _LONG_WORD and _has_case(part) else self.inner)[part] = "name"
            elif part.isascii() and part.isalpha() and len(part) >= _SHORT_WORD:
                self.words[part] = "name"
                if len(part) >= _LONG_WORD:
                    self.inner[part] = "name"
        for component in group.split("^")[:3]:
            if not _is_ordinary(component):
                self._add_encoded(component, "name")

    def _add_whole_name(self, whole: str) -> None:
        """Unless it is none: names of phantoms and devices are made of technical words, `BRAIN^PHANTOM`, `MR^Head`.
        Those of single syllables only, `Le^An`, are somebody's."""
        parts, together = whole.split(), whole.replace(" ", "")
        technical = all(part in technical_words() or part in _PARTICLES for part in parts)
        if technical and not all(map(_SYLLABLE.fullmatch, parts)):
            return
        self._add_phrase(whole, "name")
        if (len(together) >= _LONG_WORD or not whole.isascii()) and together not in vocabulary():
            self.inner[together] = "name"

    @staticmethod
    def _first_words(family: str, given: str) -> tuple[str, ...]:
        first = given.split()[0]
        return (f"{family} {first}", f"{first} {family}") if first != given else ()

    def add_contact(self, value: str) -> None:
        """Addresses line by line and as a whole, telephone numbers, e-mail addresses, names of institutions."""
        for line in re.split(r"[\r\n\\^;,|]+", value):
            digits = "".join(c for c in folded(line) if c.isdigit())
            if len(digits) >= _LONG_WORD:
                self.numbers.add(digits)
            if self._add_line(line):
                self._add_encoded(line.strip(), "contact")
        self._add_line(value)

    def _add_line(self, line: str) -> bool:
        """Whether there is a word or a long number in it that tells where somebody lives or works."""
        term = folded(line).strip()
        words = term.split()
        telling = [word for word in words if word not in vocabulary() and not word.isdigit()]
        is_number = sum(map(str.isdigit, term)) >= _LONG_WORD
        if (telling or is_number) and len(term) >= (_LONG_WORD if len(words) > 1 else _SHORT_ID + 1):
            self._add_phrase(term, "contact")
            return True
        return False

    def _add_phrase(self, term: str, kind: str) -> None:
        (self.phrases if " " in term else self.words)[term] = kind

    def _add_encoded(self, text: str, kind: str) -> None:
        """What no ASCII search can find, as bytes: where no character set says how to read them."""
        if text.isascii() or len(text) < 2:
            return
        for written in {text, text.upper(), text.lower(), text.title()}:
            for codec in ("utf-8", "utf-16-le", "utf-16-be", "latin-1"):
                encoded = written.encode(codec, "ignore")
                if len(encoded) >= 4:
                    self.encoded[encoded] = kind

    def add_undecoded(self, value: bytes) -> None:
        """A person name as it was encoded, for what decoding may have got wrong."""
        for component in re.split(rb"[\\=^]", value):
            if len(component) < 4 or (component.isascii() and b"\x1b" not in component):
                continue
            if not _is_ordinary(_decoded(component)):
                self.encoded[component.strip(b" \0")] = "name"


def identifiers_of(originals: Iterable[Dataset], extra: Iterable[str] = ()) -> Identifiers:
    """originals: data sets of one study, headers are enough; their character sets are used. extra: more IDs of this
    patient, as from the request. Equal elements of many originals cost little."""
    found = Identifiers()
    seen: set[tuple[int, bytes, str]] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values that break the rules of their VR are searched as well
        for original in originals:
            _add_dataset(found, original, seen)
    for value in extra:
        if "^" in value:
            found.add_name(value)
        else:
            found.add_id(value)
    found.dates -= _DUMMY_DATES
    found.births -= _DUMMY_DATES
    found.words = {word: kind for word, kind in found.words.items() if word not in _NOBODY}
    return found


def merged(parts: Iterable[Identifiers]) -> Identifiers:
    """All of several."""
    together = Identifiers()
    for part in parts:
        for values in fields(Identifiers):
            getattr(together, values.name).update(getattr(part, values.name))
    return together


def _add_dataset(found: Identifiers, dataset: Dataset, seen: set[tuple[int, bytes, str]]) -> None:
    """seen: elements that are done, as they were encoded."""
    charset = str(dataset.original_character_set)
    for tag in list(dataset.keys()):
        if tag in _PIXELS:  # any address in there is made of pixels
            continue
        raw = dataset.get_item(tag, keep_deferred=True)
        undecoded = b""
        if isinstance(raw, RawDataElement):
            undecoded = raw.value or b""
            key = (int(tag), undecoded, charset)
            if key in seen:
                continue
            seen.add(key)
            if (tag.is_private or raw.VR == "UN") and _UID_ALONE.fullmatch(undecoded):
                found.uids.add(undecoded.decode("ascii").strip("\0 "))
            for address in _EMAIL.findall(undecoded) if b"@" in undecoded else ():
                found.add_contact(address.decode("ascii"))
        if not _may_identify(raw):
            continue
        try:
            element = dataset[tag]
        except Exception:  # of a damaged value pydicom raises what its parts raise
            if raw.VR == "PN":
                found.add_name(undecoded.decode("latin-1"))
                found.add_undecoded(undecoded)
            continue
        if element.VR == "SQ":
            for item in element.value:
                _add_dataset(found, item, seen)
        elif element.value not in (None, ""):
            _add_element(found, element, undecoded)


def _may_identify(element: DataElement | RawDataElement) -> bool:
    tag = int(element.tag)
    vr = element.VR or (dictionary_VR(tag) if dictionary_has_tag(tag) else "UN")
    return vr in _IDENTIFYING_VRS or tag in _PATIENT_IDS or tag in _OTHER_IDS or tag in _CONTACTS


def _add_element(found: Identifiers, element: DataElement, undecoded: bytes) -> None:
    values = list(element.value) if element.VM > 1 else [element.value]
    tag = int(element.tag)
    if element.VR == "PN":
        for name in values:
            for group in str(name).split("="):
                found.add_name(group)
        found.add_undecoded(undecoded or b"\\".join(_original(name) for name in values))
    elif element.VR == "UI":
        if not _CLASS_UIDS.search(keyword_for_tag(element.tag) or ""):
            found.uids |= {str(v) for v in values if "." in str(v) and str(v) not in UID_dictionary}
    elif element.VR in ("DA", "DT"):
        dates = {date for value in values for date in dates_in(str(value)) if date == _as_da(str(value))}
        found.dates |= dates
        found.births |= dates if tag == _BIRTH_DATE else set()
    elif tag in _PATIENT_IDS or tag in _OTHER_IDS:
        for value in map(str, values):
            found.add_id(value, alone=tag in _PATIENT_IDS)
    elif tag in _CONTACTS:
        found.add_contact("\n".join(map(str, values)))


def _original(name: object) -> bytes:
    written = name.original_string if isinstance(name, PersonName) else b""
    return written if isinstance(written, bytes) else b""


def _as_da(value: str) -> Date | None:
    digits = value.replace(".", "")[:8]
    return (int(digits[:4]), int(digits[4:6]), int(digits[6:])) if re.fullmatch("[0-9]{8}", digits) else None


def _is_ordinary(component: str) -> bool:
    """Of a name: all its words tell nobody by themselves."""
    return ordinary_words().issuperset(folded(component).split())


def _decoded(value: bytes) -> str:
    """In UTF-8 where it is that, else in ISO 8859-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _has_case(text: str) -> bool:
    return text.upper() != text.lower()
