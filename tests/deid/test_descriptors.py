"""Of a descriptor what is clinical stays, letter by letter, and what identifies goes, however it is written."""

import itertools
import random
import time
from pathlib import Path

import pytest

from dicom_assets.deid.descriptors import clean
from dicom_assets.deid.identity import identity_of
from dicom_assets.deid.lexicon import lexicon, words_of

PATIENT = identity_of(
    [
        (0x00100010, "PN", "Vandermolen^Isidora"),
        (0x00100020, "LO", "0012345"),
        (0x00100030, "DA", "19610823"),
        (0x00080050, "SH", "ACC-778812"),
        (0x00080090, "PN", "Okonedo^Maja"),
        (0x00081070, "PN", "Hollenbeck^Jim^K"),
        (0x00101040, "LO", "Quellgasse 14, 98765 Nirgendheim"),
        (0x00080080, "LO", "Klinikum Nirgendheim"),
    ]
)

_TABLES = Path(__file__).parent / "descriptors"
KEPT = [line for line in (_TABLES / "kept.txt").read_text("utf-8").splitlines() if line and not line.startswith("# ")]
CLEANED = [
    tuple(line.split("\t"))
    for line in (_TABLES / "cleaned.tsv").read_text("utf-8").splitlines()
    if line and not line.startswith("# ")
]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_clinical_stays_as_it_is(text):
    assert clean(text, PATIENT) == text


@pytest.mark.parametrize("row", CLEANED, ids=lambda row: row[0])
def test_what_identifies_goes(row):
    text, expected = row[0], row[1] if len(row) > 1 else ""
    assert clean(text, PATIENT) == expected


@pytest.mark.parametrize("text", [row[0] for row in CLEANED] + KEPT)
def test_cleaning_twice_changes_nothing_more_and_never_makes_longer(text):
    once = clean(text, PATIENT)
    assert clean(once, PATIENT) == once and len(once) <= len(text)


NAMES = ["Vandermolen^Isidora", "Young^Rose", "Crohn^Ada", "Müller-Lüdenscheidt^Jürgen", "O'Brien^Zoe", "Ng^Li",
    "van der Berg^Anneke", "Brown^May", "Baker^Amber", "Stone^Marilyn", "Hart^Ray", "Siemens^Vida",
    "Philips^Iris"]  # fmt: skip
FRAMES = [
    "{}", "CT {} Chest", "{} knee", "knee {}", "t1_{}_sag", "({}) brain", "{}: T2", "for {}, follow-up", "{}'s knee",
    "{}01 knee", "knee/{}/T2", "brain.{}.flair", "Dr. {}", "seen by {} today", "{}-Thorax", "[{}]", "2 {} 3",
]  # fmt: skip
SEPARATORS = [" ", "^", "_", ", ", "  ", "-", ".", ""]
CASES = [str, str.lower, str.upper, str.title]


@pytest.mark.parametrize("name", NAMES)
def test_no_part_of_a_name_survives_in_any_spelling(name):
    someone = identity_of([(0x00100010, "PN", name)])
    parts = [part for part in someone.parts if part not in lexicon().core]
    components = [c for c in name.split("^") if c]
    orders = [list(order) for count in (1, 2) for order in itertools.permutations(components, count)]
    assert parts
    for order, separator, case, frame in itertools.product(orders, SEPARATORS, CASES, FRAMES):
        written = case(separator.join(order))
        cleaned = clean(frame.format(written), someone)
        assert not set(parts) & set(words_of(cleaned)), (frame.format(written), cleaned)
        assert not someone.found_in(cleaned.encode(), "LO")


def test_random_texts_with_names_in_them_pass_the_last_gate():
    source = random.Random(7)
    pieces = ["CT", "Chest", "Vandermolen", "ISIDORA", "0012345", "23.08.1961", "acc-778812", "Hollenbeck", "knee",
        "\n", "(", ")", "_", "^", "-", "3 mm", "L4/5", "Dr.", "98765 Nirgendheim", "Aug 23, 1961", "J.", "t1_",
        "Isi", "dora"]  # fmt: skip
    for _ in range(1500):
        text = source.choice(["", " "]).join(source.choices(pieces, k=source.randint(1, 9)))
        cleaned = clean(text, PATIENT)
        assert not PATIENT.found_in(cleaned.encode(), "LO") and len(cleaned) <= len(text)
        assert not {"vandermolen", "isidora", "hollenbeck", "nirgendheim"} & set(words_of(cleaned)), (text, cleaned)


def test_clinical_words_that_are_somebodys_name_go_beside_the_rest_of_it_only():
    someone = identity_of([(0x00100010, "PN", "Chest^Marten"), (0x00080090, "PN", "Foot^Hand")])
    assert clean("CHEST AP", someone) == "CHEST AP"
    assert clean("Marten Chest AP", someone) == "AP"
    assert clean("left foot", someone) == "left foot"


def test_an_eponym_goes_where_it_is_somebodys_name():
    someone = identity_of([(0x00100010, "PN", "Crohn^Ada"), (0x00080090, "PN", "Baker^Amber")])
    assert clean("Crohn's disease", someone) == "disease"
    assert clean("Baker cyst", someone) == "cyst"


def test_lines_stay_lines():
    text = "CT Chest\r\nseen by Isidora Vandermolen\r\nno effusion"
    assert clean(text, PATIENT) == "CT Chest\r\nseen by\r\nno effusion"


def test_a_short_id_goes_where_it_is_the_whole_text():
    someone = identity_of([(0x00100020, "LO", "A12")])
    assert clean("A12", someone) == "" and clean("4711", identity_of([(0x00100020, "LO", "4711")])) == ""


def test_the_lexicon_holds_no_common_name_as_a_plain_word():
    known = lexicon()
    for name in "smith johnson williams maria james robert schmidt garcia rossi muller mueller anna peter john".split():
        assert name not in known.words or known.names.get(name), name
    assert {"may", "brown", "white", "baker"} <= known.names.keys()
    assert {"schadel", "schaedel", "craniectomy"} <= known.words and all(
        word.isascii() and word.islower() for word in known.words
    )


HOSTILE = [
    "1" * 9999, "1 " * 5000, "0-" * 5000, "A." * 5000, "a." * 5000 + "@", "aa@" * 3000, " " * 9999 + "1", "Dr " * 3000,
    "baker-" * 2000, "1 rue de la " * 900, "acc no # " * 1100, "+1 - " * 2000, "5 jan " * 1600, "(" * 9999,
    "a\0b " * 2500, "aB" * 5000, "Aa" * 5000 + "weg", "a+" * 5000 + "://x", "1 . . , . jan" * 700, "\n" * 9999,
    "山" * 9999,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:8]))
def test_no_text_takes_long(text):
    start = time.perf_counter()
    clean(text, PATIENT)
    assert time.perf_counter() - start < 2
