"""The word lists: what is somebody's name stands alone in none of them, and what a name may stand beside is a word."""

from pathlib import Path

import pytest

from dicom_assets.deid import lexicon as module
from dicom_assets.deid.descriptors import clean
from dicom_assets.deid.identity import identity_of
from dicom_assets.deid.lexicon import IN_CAPITALS, folded, lexicon

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
lima wade nagel kinder cara nella quick nash gross becker kleiner grosser langer kurzer schwarzer steins schwarz weisser
neuer neumann junger brauner roth keller krause lehmann schulze maier fuchs vogel winkler beck lorenz franke schuster
ludwig kraus schumacher vogt jager sommer seidel heinrich brandt haas schreiber dietrich ziegler kuhn kuhne pohl engel
bergmann voigt sauer wolff pfeiffer frisch klug kluge feiner reicher starker hoher breiter fromm altmann norma blanche
allen levy karin axel udo haven hay worden pack nur nada mai severo
""".split()
#: Of the block `Negation and certainty`, in all of its languages; `isn` is what stands before `'t`.
NEGATIONS = """
no not non none nor never neither without w/o cannot isn't aren't wasn't weren't hasn't haven't hadn't couldn't
shouldn't wouldn't don't won't didn't doesn't lack denies denied absent absence unlikely improbable excluded negative
unchanged resolved stable nondisplaced noncalcified nonenhancing nonspecific nonunion malunion unenlarged unremarkable
kein keine keinen keiner keinerlei weder noch nicht nie niemals ohne frei fehlt fehlender ausgeschlossen verneint
unwahrscheinlich wahrscheinlich regredient progredient konstant rückläufig zunehmend abnehmend unverändert tumorfrei
aucun aucune ni ne pas jamais sans absence exclue inchangé sin ningún ninguna nunca jamás ausencia niega descarta
nessuna nessun né assenza senza esclusa geen niet nooit zonder afwezigheid nenhum nenhuma não nem ausência sem
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
    assert all(folded(word) == word for word in known.words)
    assert all(word.isascii() for word in known.core | known.names.keys())


@pytest.mark.parametrize("word", NEGATIONS)
def test_no_negation_goes(word):
    assert clean(f"{word} tumor", NOBODY) == f"{word} tumor" and clean(f"tumor {word}", NOBODY) == f"tumor {word}"


def test_german_endings_are_known_of_marked_words_only():
    assert {
        "fokal",
        "fokale",
        "fokalem",
        "fokalen",
        "fokaler",
        "fokales",
        "vergroesserte",
        "vergrosserter",
    } <= lexicon().core
    assert not {"kleiner", "knieer", "fokale~", "fokal~"} & lexicon().words


def test_words_without_spaces_stay_where_the_run_is_made_of_known_ones():
    assert clean("頭部単純CT", NOBODY) == "頭部単純CT" and clean("颅脑平扫", NOBODY) == "颅脑平扫"
    assert clean("頭部単純山", NOBODY) == "" and clean("右" * 5000 + "山", NOBODY) == ""


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


def test_a_name_that_the_lexicon_knows_goes_with_what_belongs_to_it():
    chill, li = (identity_of([(0x00100010, "PN", name)]) for name in ("Chill^Angeline", "Li^W"))
    assert clean("Chills Knie", chill) == "Knie" and clean("fever and chills", chill) == "fever and chills"
    assert clean("Li Wei CT", li) == "CT" and clean("Knie li CT", li) == "Knie li CT"
