"""What people write into descriptions and comments: clinical words, with what identifies among them."""

import datetime
import random
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from benchmarks.proof.letters import plain_forms
from benchmarks.proof.people import Patient, Site

_TEXTS = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text("utf-8"))
STUDIES: dict[str, list[str]] = _TEXTS["studies"]
SERIES: dict[str, list[str]] = _TEXTS["series"]
REASONS: list[str] = _TEXTS["reasons"]["any"]

_DAYS = "%m/%d/%Y|%d.%m.%Y|%Y-%m-%d|%d %b %Y|%B %d, %Y|%Y%m%d|%d-%b-%Y|%m-%d-%Y".split("|")
#: Safe Harbor's letter for what fills a gap
_CATEGORIES = {
    "HIPAA-A": "name family given initials child employer",
    "HIPAA-B": "address zip hospital",
    "HIPAA-C": "birth visit month",
    "HIPAA-D": "phone",
    "HIPAA-F": "email",
    "HIPAA-G": "ssn",
    "HIPAA-H": "mrn",
    "HIPAA-I": "insurance",
    "HIPAA-K": "licence",
    "HIPAA-L": "plate",
    "HIPAA-M": "serial",
    "HIPAA-N": "url",
    "HIPAA-O": "net",
    "HIPAA-P": "finger",
    "HIPAA-R": "accession",
    "TCIA-P15-PHYSICIAN-X": "doctor",
}
_CATEGORY_OF = {gap: category for category, gaps in _CATEGORIES.items() for gap in gaps.split()}
_TRIES = 50
#: Words that say nothing by themselves, as in the challenge
STOPWORDS = frozenset("a an and at by for from in is of on or the to was with".split())


@dataclass(frozen=True)
class Phrase:
    """text: all of it. clinical: what has to stay. planted: (what has to go, category)."""

    text: str
    clinical: str = ""
    planted: tuple[tuple[str, str], ...] = ()


class Writer:
    """Writes about one patient's visit, in letters that this patient's character set has."""

    def __init__(self, rng: random.Random, who: Patient, where: Site, visit: datetime.date, accession: str):
        self._rng, self._who, self._where, self._visit, self._accession = rng, who, where, visit, accession

    def short(self, clinical: str, longest: int = 64) -> Phrase:
        """One line, as in Study Description; longest: characters (64 for LO, 16 for SH)."""
        return self._phrase(_TEXTS["templates"]["short"], clinical, longest)

    def long(self, clinical: str) -> Phrase:
        """Sentences, as in Patient Comments."""
        return self._phrase(_TEXTS["templates"]["long"], clinical, 1024)

    def _phrase(self, templates: list[str], clinical: str, longest: int) -> Phrase:
        if not self._can_write(clinical):
            clinical = clinical.translate(str.maketrans("éäöü", "eaou"))
        for _ in range(_TRIES):
            template = self._rng.choice(templates)
            gaps = [name for _, name, _, _ in Formatter().parse(template) if name and name != "c"]
            fillings = self._fillings()
            planted = tuple((fillings[gap], _CATEGORY_OF[gap]) for gap in gaps)
            if "initials" in gaps:  # also the name within
                planted += ((fillings["family"], _CATEGORY_OF["family"]),)
            text = template.format(c=clinical, **fillings)
            told = {word for part, _ in planted for form in plain_forms(part) for word in words_of(form)}
            said = {word for form in plain_forms(clinical) for word in words_of(form)}
            if len(text) <= longest and not told & said:
                return Phrase(text, clinical, planted)
        return Phrase(clinical, clinical)

    def _can_write(self, text: str) -> bool:
        """ISO_IR 100 and UTF-8 have the accents of the phrases; plain ASCII every set has."""
        return text.isascii() or self._who.character_set in ("ISO_IR 100", "ISO_IR 192")

    def _fillings(self) -> Mapping[str, str]:
        who, rng = self._who, self._rng
        family, given = rng.choice(self._where.doctors + self._where.others)
        own, first = who.name.partition("^")[0], who.name.split("^")[1][0]
        return {
            "doctor": rng.choice([family, f"{given} {family}", f"{given[0]}. {family}", family.upper()]),
            "name": rng.choice([who.written, who.written.lower(), who.written.upper()]),
            "family": own,
            "initials": rng.choice(
                [f"{first}. {own}", f"{own}{first}", f"{own} {first}.", f"{first.lower()}_{own.lower()}"]
            ),
            "given": who.name.split("^")[1].partition("=")[0],
            "mrn": who.patient_id,
            "accession": self._accession,
            "birth": self._day(who.birth),
            "visit": self._day(self._visit),
            "month": self._visit.strftime(rng.choice(["%B %Y", "%m/%Y", "%b %Y"])),
            "phone": who.telephone,
            "email": who.email,
            "ssn": who.ssn,
            "insurance": who.insurance,
            "serial": self._where.serial,
            "address": who.address,
            "zip": who.zip,
            "licence": who.licence,
            "plate": who.plate,
            "finger": who.finger,
            "net": who.net,
            "url": f"https://www.example.org/ehr/{who.other_id.lower()}?view=all",
            "hospital": self._where.name,
            "child": who.child,
            "employer": who.employer,
        }

    def _day(self, day: datetime.date) -> str:
        return day.strftime(self._rng.choice(_DAYS))


def words_of(text: str) -> list[str]:
    """In lower case, in their order, without stopwords; numbers that are equal are the same word."""
    words = re.findall(r"[0-9]+\.[0-9]+|[^\W_]+", text.casefold())
    return [_number(word) for word in words if word not in STOPWORDS]


def _number(word: str) -> str:
    return f"{float(word):g}" if re.fullmatch(r"[0-9]+\.[0-9]+", word) else word
