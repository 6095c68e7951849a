"""Who this patient is, in searchable form, and whether an encoded value tells it: the last gate of every output.

What counts: names of all persons in the header, IDs, addresses and telephone numbers, dates. Names as whole words where
they are no ordinary words, long ones inside other words too, short or ordinary ones only as the whole name; IDs as
words, short ones only as a whole value; dates in their usual forms. Numbers, and text among coded numbers, are looked
at too. The independent check after release searches by the same rules with code of its own (residual.py).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from .identity_terms import BIRTH_DATE, CONTACTS, IDS, LONG, PATIENT_IDS, SHORT_WORD, Terms, has_case, spaced
from .lexicon import folded, lexicon
from .term_search import (
    LONG_NUMBER,
    SHORTEST_NUMBER,
    any_of,
    fold,
    is_number_in,
    is_printable,
    is_word_in,
    printable_runs,
)
from .written_dates import Date, dates_in, signs_of_short_dates

#: Elements whose values identify, beside those of IDENTIFYING_VRS.
IDENTIFYING: frozenset[int] = IDS | CONTACTS
IDENTIFYING_VRS = frozenset({"PN", "DA", "DT"})

_TEXT = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_TYPED = _TEXT - {"AE", "CS"}  # where a short ID may be the whole value
_WRITTEN_NUMBERS = frozenset({"DS", "IS"})
_BINARY = frozenset("AT FD FL OB OD OF OL OV OW SL SS SV UL UN US UV".split())
_SHORTEST_BINARY = 4  # bytes: a single number below it is nobody's name
_SHORTEST_ENCODED = 6  # bytes: shorter names in other letters stand among coded numbers by chance
_FEWEST_DIGITS = 4  # of an ID that is looked for with marks in it
_SHORT_CODE = 7  # characters: an ID below it may be somebody else's code

#: Elements that say of which make the equipment is: makers are called like their founders and their towns.
_VERSIONS = frozenset(
    {
        0x00080103,  # CodingSchemeVersion
        0x00181019,  # SecondaryCaptureDeviceSoftwareVersions
        0x0018101A,  # HardcopyDeviceSoftwareVersion
        0x00181020,  # SoftwareVersions
        0x00189525,  # ApplicationVersion
        0x00660031,  # AlgorithmVersion
        0x3010001A,  # ManufacturerModelVersion
    }
)
_EQUIPMENT = _VERSIONS | {
    0x00080070,  # Manufacturer
    0x00080222,  # ManufacturerRelatedModelGroup
    0x00081090,  # ManufacturerModelName
    0x00140028,  # ComponentManufacturer
    0x00145110,  # WedgeManufacturerName
    0x00181016,  # SecondaryCaptureDeviceManufacturer
    0x00181017,  # HardcopyDeviceManufacturer
    0x00181018,  # SecondaryCaptureDeviceManufacturerModelName
    0x0018101B,  # HardcopyDeviceManufacturerModelName
    0x0018702A,  # DetectorManufacturerName
    0x0018702B,  # DetectorManufacturerModelName
    0x00189041,  # ReceiveCoilManufacturerName
    0x00189050,  # TransmitCoilManufacturerName
    0x00189526,  # ApplicationManufacturer
    0x00203404,  # ModifyingDeviceManufacturer
    0x00221093,  # IOLManufacturer
    0x300A0216,  # SourceManufacturer
    0x300A0238,  # ApplicationSetupManufacturer
    0x300A0298,  # SourceApplicatorManufacturer
}
#: Elements of short codes and counters, which short IDs are equal to by chance.
_CODES = frozenset(
    {
        0x00080100,  # CodeValue
        0x00080102,  # CodingSchemeDesignator
        0x00080103,  # CodingSchemeVersion
        0x00080112,  # CodingSchemeRegistry
        0x00080119,  # LongCodeValue
        0x00082120,  # StageName
        0x00082127,  # ViewName
        0x00181160,  # FilterType
        0x00209056,  # StackID
        0x00480106,  # OpticalPathIdentifier
        0x00540018,  # EnergyWindowName
        0x006A000E,  # ReferencedOpticalPathIdentifier
    }
)

#: Elements of words and settings, which IDs that are ordinary words or short numbers are equal to by chance.
_WORDINGS = frozenset(
    {
        0x00080104,  # CodeMeaning
        0x00181210,  # ConvolutionKernel
        0x00181251,  # TransmitCoilName
        0x00181250,  # ReceiveCoilName
        0x00181260,  # PlateType
        0x00181401,  # AcquisitionDeviceProcessingCode
        0x00185000,  # OutputPower
        0x00281055,  # WindowCenterWidthExplanation
        0x00541101,  # AttenuationCorrectionMethod
    }
)
_CODE_MEANING = 0x00080104

_MODEL = re.compile("[a-z]{0,2}[0-9]{1,3}[a-z]{0,2}")  # of a maker: `e95`, `7g`
_CAMEL = re.compile(rb"(?<=[a-z])(?=[A-Z])")
_NUMBER = re.compile(rb"(?<![0-9.])[0-9]{5,}(?![0-9]|\.[0-9])")
_ESCAPES = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")


@dataclass(frozen=True)
class Identity:
    """All terms folded: ASCII in lower case, what is no letter or digit a space.

    words: parts of names and IDs, found as whole words. phrases: several words in this order. inner: found anywhere.
    numbers: IDs of digits only. whole_values: IDs that count only as a whole value. foreign: names, IDs and addresses
    with letters beyond ASCII, as text; encoded: the same as bytes. dates: (year, month, day); births: those of birth
    among them. parts: each part of a name, folded text: what descriptors.clean takes out. initials: of parts that are
    ordinary words, with the first letter of another part of the same name. contacts: those of words, phrases and inner
    that are addresses; addresses: the same and those in other letters, as text. codecs: Python's names of the character
    sets."""

    words: frozenset[bytes] = frozenset()
    phrases: frozenset[bytes] = frozenset()
    inner: frozenset[bytes] = frozenset()
    numbers: frozenset[bytes] = frozenset()
    whole_values: frozenset[bytes] = frozenset()
    foreign: frozenset[str] = frozenset()
    encoded: frozenset[bytes] = frozenset()
    dates: frozenset[Date] = frozenset()
    births: frozenset[Date] = frozenset()
    parts: frozenset[str] = frozenset()
    initials: frozenset[tuple[str, str]] = frozenset()
    contacts: frozenset[bytes] = frozenset()
    addresses: frozenset[str] = frozenset()
    codecs: tuple[str, ...] = ()

    def found_in(self, value: bytes, vr: str, tag: int = 0) -> bool:
        """value: of one element, as encoded, or a text as UTF-8. tag: of the element, whose own vocabulary is no hit.
        Quick where nothing is found: it is asked of every new element."""
        if vr in _WRITTEN_NUMBERS:
            return (
                len(value) >= SHORTEST_NUMBER
                and self._number_signs.search(value.translate(None, b".")) is not None
                and is_number_in(self._whole_numbers, self._long_numbers, value)
            )
        if vr in _BINARY:
            return len(value) >= _SHORTEST_BINARY and self._found_in_bytes(value, tag)
        text = fold(value)
        if self._signs.search(text) or not value.isascii() or b"\x1b" in value:
            return self._holds(value, text, vr, tag)
        return self._is_id(text, vr, tag)

    @cached_property
    def _signs(self) -> re.Pattern[bytes]:
        """Without one of these in it, no text of ASCII letters holds a term."""
        longest = {phrase: max(phrase.split(), key=len) for phrase in self.phrases}
        literal = {*self.words, *self.inner, *self.numbers, *longest.values()}
        literal -= {word for word in longest.values() if len(word) < SHORT_WORD}  # found in any text
        literal |= {b"%d" % year for year, _, _ in self.dates}
        short = [phrase.replace(b" ", b" *") for phrase, word in longest.items() if len(word) < SHORT_WORD]
        return any_of(literal, [*short, *(sign.encode() for sign in signs_of_short_dates(self.dates))])

    @cached_property
    def _encoded_signs(self) -> re.Pattern[bytes]:
        return any_of(term for term in self.encoded if len(term) >= _SHORTEST_ENCODED)

    @cached_property
    def _whole_numbers(self) -> frozenset[bytes]:
        """What an IS or a DS may tell: IDs, and dates as one number; see is_number_in."""
        numbers = {b"%04d%02d%02d" % date for date in self.dates}
        numbers |= {b"%02d%02d%04d" % (day, month, year) for year, month, day in self.dates}
        numbers |= {b"%02d%02d%04d" % (month, day, year) for year, month, day in self.dates}
        bare = {number.lstrip(b"0") for number in numbers | self.numbers}
        return frozenset(number for number in bare if len(number) >= SHORTEST_NUMBER)

    @cached_property
    def _long_numbers(self) -> dict[bytes, int]:
        """The longest first, so that of two which differ by zeros behind them the shorter one stays."""
        numbers = sorted(self._whole_numbers, key=len, reverse=True)
        return {number.rstrip(b"0"): len(number) for number in numbers if len(number) >= LONG_NUMBER}

    @cached_property
    def _number_signs(self) -> re.Pattern[bytes]:
        return any_of(self._whole_numbers)

    @cached_property
    def _short_years(self) -> frozenset[Date]:
        return frozenset((year % 100, month, day) for year, month, day in self.dates)

    def _found_in_bytes(self, value: bytes, tag: int) -> bool:
        """In what should be coded numbers: what is text is judged as text."""
        bare = value.translate(None, b"\0")
        if is_printable(bare):
            return self.found_in(bare, "CS", tag)
        begun = tuple(set(self._encoded_signs.findall(value))) if self.encoded else ()
        if begun and any(term in value for term in self.encoded if term.startswith(begun)):
            return True
        runs = printable_runs(bare)
        signs = self._signs.search(fold(b"\n".join(runs))) if runs else None
        return signs is not None and any(self.found_in(run, "CS", tag) for run in runs)

    def _holds(self, value: bytes, text: bytes, vr: str, tag: int) -> bool:
        """The whole question, taken slowly."""
        is_text = vr in _TEXT
        decoded = self._decoded(value) if is_text and (not value.isascii() or b"\x1b" in value) else []
        if decoded and (any(term in value for term in self.encoded) or any(map(self._foreign_in, decoded))):
            return True
        written = [value, *(folded(one).encode("ascii", "ignore") for one in decoded)]
        readings = [text, *map(fold, written[1:])]
        if any(self._signs.search(reading) for reading in readings):
            readings += [fold(_CAMEL.sub(b" ", value))] if is_text else []
            found = {term for reading in dict.fromkeys(readings) for term in self._terms_in(reading, is_text)}
            found |= {number for one in written for number in self._numbers_in(one, is_text)}
            found = {term for term in found if not self._is_vocabulary(term, tag)}
            if tag == _CODE_MEANING:
                found = {term for term in found if not _is_eponym(term, readings)}
            if found:
                return True
            texts = {one.decode("latin-1") for one in written} | set(decoded) if is_text else ()
            if any(self._dates_in(one, tag) for one in texts):
                return True
        return self._is_id(text, vr, tag)

    def _is_id(self, text: bytes, vr: str, tag: int) -> bool:
        return (vr in _TYPED and self._is_short_id(text, tag)) or (vr in _TEXT and self._is_spread_id(text, tag))

    def _is_vocabulary(self, term: bytes, tag: int) -> bool:
        """Whether a term found at this element says what the element is there to say, whoever is called like it."""
        if tag in _EQUIPMENT and self._is_make(term):
            return True
        is_number = term.isdigit() or (tag not in _EQUIPMENT - _VERSIONS and any(48 <= byte < 58 for byte in term))
        if tag in _CODES | _EQUIPMENT and (term in self.whole_values or is_number):
            return len(term.replace(b" ", b"")) < _SHORT_CODE
        if tag in _WORDINGS and term in self.whole_values:
            return _is_harmless(term.decode("ascii"))
        return False

    def _is_make(self, term: bytes) -> bool:
        """A maker's name and what may stand beside one: `GE SIGNA`, `Vivid E95`, and the same joined."""
        words, makers = self._apart.get(term, term).decode("ascii").split(), lexicon().makers
        told = [word for word in words if word not in makers]
        is_named = len(told) < len(words) or term in self.contacts or term in self.whole_values
        return is_named and all(word in lexicon().words or _MODEL.fullmatch(word) for word in told)

    @cached_property
    def _apart(self) -> dict[bytes, bytes]:
        """What is written together -> with its spaces."""
        return {phrase.replace(b" ", b""): phrase for phrase in self.phrases}

    def _is_short_id(self, text: bytes, tag: int) -> bool:
        whole = text.strip()
        return whole in self.whole_values and not self._is_vocabulary(whole, tag)

    @cached_property
    def _spread_ids(self) -> re.Pattern[bytes]:
        """Long IDs with marks or spaces between any of their letters and digits; those of digits beside letters too."""
        terms = {term.replace(b" ", b"") for term in self.words | self.phrases | self.inner | self.numbers}
        long = [term for term in terms if len(term.strip(b"0")) >= LONG and _has_digits(term)]
        ways = {True: rb"(?<![0-9])(?:%b)(?![0-9])", False: rb"(?<![^ ])(?:%b)(?![^ ])"}
        patterns = []
        for is_number, way in ways.items():
            terms = sorted(term for term in long if term.isdigit() == is_number)
            parts = [b" *+".join(term[at : at + 1] for at in range(len(term))) for term in terms]
            patterns += [way % b"|".join(parts)] if parts else []
        return re.compile(b"|".join(patterns) if patterns else rb"(?!)")

    def _is_spread_id(self, text: bytes, tag: int) -> bool:
        if not _has_digits(text):
            return False
        found = (match[0].replace(b" ", b"") for match in self._spread_ids.finditer(text))
        return any(not self._is_vocabulary(term, tag) for term in found)

    def _numbers_in(self, value: bytes, is_text: bool) -> set[bytes]:
        shortest = 0 if is_text else LONG_NUMBER
        found = self.numbers.intersection(_NUMBER.findall(value.replace(b"\0", b"")))
        return {number for number in found if len(number) >= shortest}

    def _dates_in(self, text: str, tag: int) -> bool:
        """Versions are written like dates: there only a whole date of birth counts."""
        found = dates_in(text) if self.dates else set()
        if tag in _VERSIONS:
            return bool(found & self.births)
        return bool(found & self.dates or found & self._short_years)

    def _terms_in(self, text: bytes, is_text: bool) -> Iterator[bytes]:
        shortest = 0 if is_text else LONG
        yield from (term for term in self.inner if term in text)
        yield from (word for word in self.words if len(word) >= shortest and is_word_in(word, text))
        words = b" %b " % b" ".join(text.split())
        for phrase in self.phrases:
            counts = is_text or (len(phrase) >= shortest and not phrase.replace(b" ", b"").isdigit())
            if counts and phrase in words and b" %b " % phrase in words:
                yield phrase

    def _foreign_in(self, text: str) -> bool:
        """Long words, and those of scripts without upper case, which need no spaces between words, anywhere."""
        if not self.foreign:
            return False
        words = f" {spaced(folded(text))} "
        together = words.replace(" ", "")
        return any(
            f" {term} " in words or (term in together and (len(term) >= LONG or not has_case(term)))
            for term in self.foreign
        )

    def _decoded(self, value: bytes) -> list[str]:
        values = [value, _ESCAPES.sub(b"", value)] if b"\x1b" in value else [value]
        codecs = dict.fromkeys((*self.codecs, "utf-8", "latin-1"))
        return list(dict.fromkeys(one.decode(codec, "replace") for one in values for codec in codecs))


def identity_of(
    values: Iterable[tuple[int, str, str]], extra: Iterable[str] = (), codecs: Iterable[str] = ()
) -> Identity:
    """values: (tag, VR, decoded text with `\\` between values) of all elements of one instance, at any depth, that
    may identify: those of IDENTIFYING and IDENTIFYING_VRS; others are passed over. extra: more values of this patient,
    as from the cohort: IDs, or names written with `^`. codecs: Python's names of the instance's character sets."""
    codecs = tuple(dict.fromkeys(codecs))
    terms = Terms(codecs)
    for tag, vr, text in dict.fromkeys(values):
        if vr == "PN":
            for name in text.split("\\"):
                terms.add_name(name)
        elif vr in ("DA", "DT"):
            for date in re.split(r"[\\-]", text):
                terms.add_date(date, is_birth=tag == BIRTH_DATE)
        elif tag in IDS:
            for value in text.split("\\"):
                terms.add_id(value, alone=tag in PATIENT_IDS)
        elif tag in CONTACTS:
            terms.add_contact(text)
    for value in extra:
        if "^" in value:
            terms.add_name(value)
        else:
            terms.add_id(value, alone=True)
    return Identity(
        words=frozenset(terms.words),
        phrases=frozenset(terms.phrases),
        inner=frozenset(terms.inner),
        numbers=frozenset(terms.numbers),
        whole_values=frozenset(terms.whole_values),
        foreign=frozenset(terms.foreign),
        encoded=frozenset(terms.encoded),
        dates=frozenset(terms.dates),
        births=frozenset(terms.births),
        parts=frozenset(terms.parts),
        initials=frozenset(terms.initials),
        contacts=frozenset(terms.contacts),
        addresses=frozenset(terms.addresses),
        codecs=codecs,
    )


def _is_harmless(term: str) -> bool:
    """An ordinary word that is nobody's name, or a short number: as an ID it tells nothing where such words stand."""
    if term.isdigit():
        return len(term) < _SHORT_CODE
    return term in lexicon().words and term not in lexicon().persons


def _is_eponym(term: bytes, readings: Iterable[bytes]) -> bool:
    """`Baker's cyst`, `Young adult`: a name that stands beside a word it is listed with, wherever it stands."""
    name = term.decode("latin-1")
    nouns = lexicon().names.get(name)
    if not nouns:
        return False
    for text in (reading.decode("latin-1") for reading in readings if term in reading):
        words = [word for word in text.split() if word != "s"]
        places = [at for at, word in enumerate(words) if word == name]
        if len(places) < text.count(name) or any(nouns.isdisjoint(words[at + 1 : at + 2]) for at in places):
            return False
    return True


def _has_digits(text: bytes) -> bool:
    """Enough to be an ID whatever else is between."""
    return len(text) - len(text.translate(None, b"0123456789")) >= _FEWEST_DIGITS
