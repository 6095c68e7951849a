"""The word lists: what is somebody's name stands alone in none of them, and what a name may stand beside is a word."""

from pathlib import Path

from dicom_assets.deid import lexicon as module
from dicom_assets.deid.descriptors import clean
from dicom_assets.deid.identity import identity_of
from dicom_assets.deid.lexicon import IN_CAPITALS, lexicon

_LISTS = Path(module.__file__).with_name("profiles")
NAMES = [
    line.partition(":")
    for line in (_LISTS / "lexicon_names.txt").read_text("utf-8").lower().splitlines()
    if line and not line.startswith("#")
]
NOBODY = identity_of([])

#: First and last names that are common in Europe or the Americas, some of them words of a stain, a scale or a language.
COMMON_NAMES = """
smith johnson williams maria james robert schmidt garcia rossi muller mueller anna peter john winston rutherford
celestine scarlet garnet swann olinda corazon tad tia peg bud kit dodge bloom pepper holder rod lue alpha concha della
will ed petra ute omar dolores gene rene tim ray dunn weber klein hunt fisher jackson hutchinson leigh chester ng lim
lima wade nagel kinder cara nella quick nash gross
""".split()


def test_no_common_name_is_a_plain_word():
    known = lexicon()
    assert [name for name in COMMON_NAMES if name in known.words and not known.names.get(name)] == []
    assert not known.core & known.names.keys()


def test_what_a_name_stands_beside_is_itself_a_word():
    unknown = {
        word
        for _, _, beside in NAMES
        for word in beside.replace("-", " ").split()
        if word != IN_CAPITALS and word not in lexicon().words and clean(word, NOBODY) != word
    }
    assert unknown == set()


def test_a_name_stands_alone_or_beside_words_but_not_both():
    alone = {name for names, colon, _ in NAMES if not colon for name in names.split()}
    beside = {name for names, colon, _ in NAMES if colon for name in names.split()}
    assert alone & beside == set()
    assert all(words.strip() for _, colon, words in NAMES if colon)


def test_words_are_folded_and_umlauts_are_also_two_letters():
    known = lexicon()
    assert {"schadel", "schaedel", "craniectomy", "nevrome"} <= known.words
    assert all(word.isascii() and word.islower() for word in known.words)


def test_a_name_without_its_words_tells_who_it_is_unless_the_standard_says_it_too():
    known = lexicon()
    assert {"may", "brown", "white", "baker"} <= known.names.keys() and {"weber", "mueller", "baker"} <= known.persons
    assert not {"white", "brown", "crohn", "chest", "tia"} & known.persons


def test_capitals_keep_an_abbreviation_among_words_that_are_nobodys_name():
    assert clean("r/o TIA", NOBODY) == "r/o TIA" and clean("UTE lung", NOBODY) == "UTE lung"
    assert clean("Tia knee", NOBODY) == "knee" and clean("UTE BAUER lung", NOBODY) == "lung"
    assert clean("TIA OKAFOR", NOBODY) == ""


def test_a_word_before_it_keeps_a_name():
    assert clean("MRA TOF Willis", NOBODY) == "MRA TOF Willis"
    assert clean("MRA Willis TOF", NOBODY) == "MRA TOF"
