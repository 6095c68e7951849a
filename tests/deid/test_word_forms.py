"""What is built like a word of medicine or of grammar is nobody's name, and no name is built like such a word."""

import pytest

from dicom_assets.deid.lexicon import lexicon
from dicom_assets.deid.word_forms import is_clinical_form

BUILT = """hemicolectomy bronchoscopies ultrasonographically nephrolithiasis chondrocalcinosis paracentesis osteomalacia
retrosternal intracranial perirenal cardiomediastinal hyperlipidemia postsurgical superimposed premedicated
asymmetrically kontrastmittelgabe schultergelenkspunktion lungenembolie kniegelenkserguss sigmoidoskopie osteosklerose
""".split()
#: Family and first names that end or begin like some of them.
NAMES = """politis adomaitis moraitis paloma coloma geremia eufemia nuria clement florence harkness encarnacion steiert
freiheit keating blessing mattingly branting betances conceicao lemieux manrique windisch steward jennings alfred
halsted overfield polycarpe dickensheets rosenkranz hohlbein kirschbaum langhals weichselbaum interian postma subhash
parado trujillo hemingway minnie nikolaou supriya transue microsson contreras""".split()


@pytest.mark.parametrize("word", BUILT)
def test_a_word_of_medicine_is_known_by_how_it_is_built(word):
    assert is_clinical_form(word) or word in lexicon().words


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_not(name):
    assert not is_clinical_form(name)


def test_neither_the_ending_alone_nor_a_word_of_any_length_is_one():
    assert not any(map(is_clinical_form, ("", "ectomy", "xectomy", "otomy", "s" * 34 + "otomies", "a" * 10_000)))
