"""Writes dicom_assets/deid/profiles/lexicon_standard.txt: the words of DICOM's own vocabulary.

Source: the code meanings of PS3.16 and the element names of PS3.6 as pydicom ships them. Left out are context groups
full of proper names (breeds, languages, countries, eponymous projections), words of one letter or beyond ASCII, what
is only a person's or a place's name, and names of persons that the terms of stains, scales and formulas carry.
"""

import re
import unicodedata
from pathlib import Path

import pydicom
from pydicom.datadict import DicomDictionary
from pydicom.sr._concepts_dict import concepts

FOLDER = Path(__file__).parents[1] / "dicom_assets" / "deid" / "profiles"

#: CID 5000 languages, 5001 countries, 7480 breeds, 7481 breed registries, 4012 eponymous projections
PROPER_NAMES = {5000, 5001, 7480, 7481, 4012}
KINDS_OF_ANIMAL = re.compile(r"\bbreed\b|\(organism\)|projection \(")

#: Names of persons, peoples and places that mean nothing else in a description of an image.
NOT_HARMLESS = """
albert alexander arbuckle bauer berger bernthsen boak bob boothby borg bos boyd brand brenner bruce burns california
campbell carmine chang cooper dodd duke ela eriksen fitzpatrick fleisch ford frank friend gault glenn goldstein
grunwald hall handler hansmann hardi harper held hellman hill hodges hoffman holland hull james janus jeanty jenner
joslin kaye kennedy king kurtz law leo levine lindblom lutz magnus mark mason massey mayer mercer merz meyer michel
moran morrison muller nash naughton nelson nottingham nyberg olsen osaka osborne page peer pia pittsburgh reid
rheinberg rich richardson robert robertson sam schwartz sepp shepard shepherd sid simpson sinclair tokyo trout
victoria walker ward west williams wolf wood wright york zobel
african american asian australian caucasian californium hawaiian hispanic india indian latino
january february march april june july august september october november december
alaska berlin
monday tuesday wednesday thursday friday saturday sunday
""".split()
#: Common first and last names that stand in a term as its author, its maker, a plant or a thing that is hardly ever
#: meant in a description: `Dodge area length`, `celestine blue`, `FL, Chitty 1997`. Alone they are rather somebody.
NAMES_IN_TERMS = """
aspen bloom bode celestine chitkara chitty daya dodge doubilet dower era ethyl ganong garnet geary haigis hansel hohler
janma janmahasatian job kit lessoway lown luten martius mayden mcfee mertz nimrod olinda parungao pepper rempen
sabbagha scarlet shinozuka stow swann theiler todaro wayson welder wynne yarkoni
""".split()

HEAD = """# The words of the code meanings of PS3.16 and of the element names of PS3.6, lower case, without accents.
# Source: the tables of pydicom {version}, which carry DICOM's own. Made by tools/make_lexicon.py: do not edit.
"""


def texts() -> list[str]:
    """Every code meaning and element name that is no proper name."""
    entries = [entry for terms in concepts.values() for codes in terms.values() for entry in codes.values()]
    meanings = [
        meaning for meaning, groups in entries if not PROPER_NAMES & set(groups) and not KINDS_OF_ANIMAL.search(meaning)
    ]
    return meanings + [row[2] for row in DicomDictionary.values()]


def words(text: str) -> set[str]:
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return {word for word in re.findall(r"[^\W\d_]{2,}", bare) if word.isascii()}


def main() -> None:
    found = set().union(*map(words, texts())) - {*NOT_HARMLESS, *NAMES_IN_TERMS}
    lines, line = [], ""
    for word in sorted(found):
        if len(line) + len(word) >= 119:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    text = HEAD.format(version=pydicom.__version__) + "\n".join([*lines, line]) + "\n"
    FOLDER.joinpath("lexicon_standard.txt").write_text(text, "ascii")
    print(f"{len(found)} words, {len(text)} bytes")


if __name__ == "__main__":
    main()
