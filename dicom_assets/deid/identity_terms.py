"""From the values of a header to the terms that are searched: which of its names, IDs and addresses tell who it is."""

import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import product

from .lexicon import lexicon, spellings
from .written_dates import Date

#: Elements that hold IDs: of the patient first, then of a visit, an order or a step.
PATIENT_IDS = frozenset(
    {
        0x00080050,  # AccessionNumber
        0x00100020,  # PatientID
        0x00101000,  # OtherPatientIDs
        0x00101090,  # MedicalRecordLocator
        0x00120040,  # ClinicalTrialSubjectID
        0x00120042,  # ClinicalTrialSubjectReadingID
        0x00380010,  # AdmissionID
    }
)
OTHER_IDS = frozenset(
    {
        0x00200010,  # StudyID
        0x00380060,  # ServiceEpisodeID
        0x00400009,  # ScheduledProcedureStepID
        0x00400253,  # PerformedProcedureStepID
        0x00401001,  # RequestedProcedureID
        0x00402006,  # PlacerOrderNumberProcedure
        0x00402007,  # FillerOrderNumberProcedure
        0x00402016,  # PlacerOrderNumberImagingServiceRequest
        0x00402017,  # FillerOrderNumberImagingServiceRequest
    }
)
IDS = PATIENT_IDS | OTHER_IDS
BIRTH_DATE = 0x00100030
CONTACTS = frozenset(
    {
        0x00080080,  # InstitutionName
        0x00080081,  # InstitutionAddress
        0x00080092,  # ReferringPhysicianAddress
        0x00080094,  # ReferringPhysicianTelephoneNumbers
        0x00101040,  # PatientAddress
        0x00102154,  # PatientTelephoneNumbers
        0x00102155,  # PatientTelecomInformation
        0x00401102,  # PersonAddress
        0x00401103,  # PersonTelephoneNumbers
        0x00401104,  # PersonTelecomInformation
    }
)
SHORT_ID = 5  # characters: a shorter ID counts as a whole value only
SHORT_WORD = 4  # letters: a shorter part of a name does not count alone
LONG = 7  # characters: found inside other words too
_CUT_OFF = 15  # characters: a longer part of a name may have been cut where an element ended, as one of CS does
#: What stands before a name and is a word of some language: part of a name only where nothing follows it.
PARTICLES = frozenset(
    "de del den der des di do da dos das du la le los van von zu zum zur ten ter el al bin ben ibn".split()
)
#: Words that stand for nobody where somebody is named: placeholders, titles, and particles of names.
NOBODY = PARTICLES | frozenset(
    "anonymous anonymized anonymised anon unknown none null nobody noname name nopatientid noid removed deleted test "
    "demo patient doctor physician operator staff tech technologist radiologist unspecified undefined na xx xxx xxxx "
    "dr prof med mr mrs ms md phd jr sr ii iii y und e of the".split()
)
_NO_NAME = NOBODY - {"na"}  # a name too, where it is part of one
_DUMMY_DATES = frozenset({(1900, 1, 1), (1, 1, 1), (9999, 12, 31)})
_ESCAPES = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_NO_WORD = re.compile(r"[\W_]+")
_NUMBER_OF_ID = re.compile(r"(?<![0-9])(?!(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2]))[0-9]{7,}")  # no date in front
_SYLLABLE = re.compile("[a-z]?[aeiouy][a-z]?")
_RARE_BYTES = 4  # of a name in other letters: fewer are found in any text


class Terms:
    """Collects what identity.Identity is made of; see there."""

    def __init__(self, codecs: Iterable[str]) -> None:
        self.codecs = tuple(dict.fromkeys((*codecs, "utf-8", "utf-16-le", "utf-16-be", "latin-1")))
        self.words: set[bytes] = set()
        self.phrases: set[bytes] = set()
        self.inner: set[bytes] = set()
        self.numbers: set[bytes] = set()
        self.whole_values: set[bytes] = set()
        self.foreign: set[str] = set()
        self.encoded: set[bytes] = set()
        self.dates: set[Date] = set()
        self.births: set[Date] = set()
        self.parts: set[str] = set()
        self.initials: set[tuple[str, str]] = set()
        self.contacts: set[bytes] = set()
        self.addresses: set[str] = set()

    def add_name(self, name: str) -> None:
        """name: one value of PN: component groups with `=`, components with `^` between."""
        for group in name.split("="):
            components = [component.strip(" \0") for component in group.split("^")[:3]]
            if not group.isascii():
                long = [component for component in components if _tells_alone(component)]
                marks = (" ", "^") if has_case(group) else ("", " ", "^")
                self._add_encoded(long or [mark.join(components[:2]) for mark in marks])
            for version in zip(*(_all_spellings(component, group) for component in components), strict=True):
                self._add_components([spaced(component) for component in version])

    def _add_components(self, components: list[str]) -> None:
        """Folded, one space between words; any script."""
        parts = [part for component in components for part in _parts_of(component)]
        if all(part in NOBODY - PARTICLES for part in parts):  # `Test^NA`
            parts = []
        joined = {component.replace(" ", "") for component in components if " " in component}
        self.parts.update(part for part in (*parts, *joined) if len(part) > 1 and not part.isdigit())
        self._add_initials(parts)
        self._add_whole_names(components)
        for part in (*parts, *joined):
            tells = part not in lexicon().words or part in lexicon().persons
            if tells and part.isascii() and part.isalpha() and len(part) >= SHORT_WORD:
                (self.inner if len(part) >= LONG else self.words).add(part[:_CUT_OFF].encode())
            else:
                self._add_foreign(part)

    def _add_initials(self, parts: list[str]) -> None:
        for at, part in enumerate(parts):
            if is_ordinary(part):
                self.initials.update((part, other[0]) for other in (*parts[:at], *parts[at + 1 :]))

    def _add_foreign(self, term: str) -> None:
        """A short word of a script that has upper case counts within a whole name only; so does one ideograph."""
        if not term.isascii() and _tells_alone(term):
            self.foreign.add(term if has_case(term) else term.replace(" ", ""))

    def _add_whole_names(self, components: list[str]) -> None:
        family, given = (*components, "", "")[:2]
        if not given and " " in family:
            family, _, given = family.rpartition(" ")
        wholes = {
            (family, given),
            (given, family),
            (family, given.partition(" ")[0]),
            (given.partition(" ")[0], family),
        }
        for pair in wholes:
            whole = " ".join(pair)
            parts = whole.split()
            if all(pair):
                self._add_foreign(whole)
            if any(len(one) < 2 or (one in _NO_NAME and one not in PARTICLES) for one in pair) or not whole.isascii():
                continue
            together = "".join(parts)
            self.parts.add(together)
            if _is_phantom(parts):
                continue
            self.phrases.add(whole.encode())
            if together not in lexicon().words:
                (self.inner if len(together) >= LONG else self.words).add(together.encode())

    def add_id(self, value: str, alone: bool) -> None:
        """alone: a short one counts where it is a whole value, unless it is one of two digits, as counters are."""
        for term in map(spaced, spellings(value)):
            self._add_foreign(term)
            together = term.replace(" ", "")
            if not together or term in NOBODY or not term.isascii() or (together.isdigit() and len(together) < 3):
                continue
            if len(together) < SHORT_ID or term in lexicon().words:
                if alone:
                    self.whole_values.add(term.encode())
            elif together.isdigit():
                self.numbers |= {n.encode() for n in (together, together.lstrip("0")) if len(n) >= SHORT_ID}
                if " " in term:
                    self.phrases.add(term.encode())
            else:
                self._add_term(term)
                self._add_term(together)
                self.numbers |= {number.encode() for number in _NUMBER_OF_ID.findall(together)}
        self._add_encoded([value.strip(" \0")])

    def _add_term(self, term: str) -> None:
        if " " in term:
            self.phrases.add(term.encode())
        else:
            (self.inner if len(term) >= LONG else self.words).add(term.encode())

    def add_contact(self, text: str) -> None:
        """An address, telephone number, e-mail address or institution's name, line by line and as a whole."""
        for line in re.split(r"[\r\n\\^;,|]+", text):
            digits = "".join(c for c in line if c in "0123456789")
            if len(digits) >= LONG:
                self.numbers.add(digits.encode())
            self._add_encoded([line.strip()])
            self._add_line(line)
        self._add_line(text)

    def _add_line(self, line: str) -> None:
        for term in map(spaced, spellings(line)):
            if len(term) >= SHORT_WORD:
                self._add_foreign(term)
                self.addresses |= set() if term.isascii() else {term}
            words = term.split()
            telling = [word for word in words if word not in lexicon().words and not word.isdigit()]
            is_name = len(words) == 1 and telling and len(term) > SHORT_ID
            if term.isascii() and ((len(words) > 1 and telling and len(term) >= LONG) or is_name):
                self._add_term(term)
                self.contacts.add(term.encode())
                self.addresses.add(term)

    def add_date(self, value: str, is_birth: bool = False) -> None:
        """value: DA or DT; what is no date is passed over."""
        digits = value.replace(".", "").strip(" \0")[:8]
        if len(digits) == 8 and digits.isascii() and digits.isdigit():
            date = int(digits[:4]), int(digits[4:6]), int(digits[6:])
            if date not in _DUMMY_DATES and 1 <= date[1] <= 12 and 1 <= date[2] <= 31:
                self.dates.add(date)
                if is_birth:
                    self.births.add(date)

    def _add_encoded(self, texts: Iterable[str]) -> None:
        """What no search for ASCII letters finds, as its bytes in every likely character set."""
        for text in texts:
            if text.isascii() or not _tells_alone(text):
                continue
            for written, codec in product({text, text.upper(), text.lower(), text.title()}, self.codecs):
                with suppress(UnicodeEncodeError):
                    runs = _ESCAPES.split(written.encode(codec))
                    self.encoded.update(run for run in runs if len(run) >= _RARE_BYTES)


def _all_spellings(component: str, group: str) -> tuple[str, ...]:
    """As many for each component as the group has."""
    versions = spellings(component)
    return versions * 2 if len(versions) < len(spellings(group)) else versions


def spaced(text: str) -> str:
    """One space between words."""
    return _NO_WORD.sub(" ", text).strip()


def _tells_alone(text: str) -> bool:
    return len(text) >= (SHORT_WORD if has_case(text) else 2)


def is_ordinary(part: str) -> bool:
    """Whether a part of a name, or of another text, is a word that stands where nobody is named."""
    return part in lexicon().core or part in PARTICLES


def has_case(text: str) -> bool:
    return text.upper() != text.lower()


def _parts_of(component: str) -> list[str]:
    """Its words but those that stand for nobody; particles where nothing else follows them (`Le`, `Thi Van`), and where
    all words are ordinary (`Le Van An`)."""
    words = component.split()
    if all(map(is_ordinary, words)):
        return [word for word in words if word in PARTICLES or word not in _NO_NAME]
    last = next((at for at in reversed(range(len(words))) if words[at] not in PARTICLES), -1)
    return [word for at, word in enumerate(words) if at > last or word not in _NO_NAME]


def _is_phantom(parts: list[str]) -> bool:
    """`HEAD^NECK`, `PET^CT`, and not `Le^An`, which is somebody."""
    return all(map(is_ordinary, parts)) and not all(map(_SYLLABLE.fullmatch, parts))
