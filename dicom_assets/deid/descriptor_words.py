"""Word by word: what the lexicon knows and what has a harmless form stays, unless what stands beside it says that it is
somebody's name. The words of a line go through three questions: is it harmless by itself (_by_itself), is it an eponym
that is used as one (_is_eponym), does a title, a label or a name beside it speak against it (_drop_*).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from .identity import Identity
from .identity_terms import PARTICLES, is_ordinary
from .lexicon import IN_CAPITALS, folded, lexicon
from .word_forms import is_clinical_form

#: Stands in a text for what was taken out of it; no text holds one.
HOLE = "\0"

#: Letters of scripts that know no capitals (Hebrew to Tibetan, Chinese, Japanese, Korean): they may stand right before
#: letters and digits of another word.
_CASELESS = r"\u0590-\u0fff\u3000-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[0-9]+(?:[.,][0-9]+)+|[^\W_{_CASELESS}]+|(?:(?=[{_CASELESS}])[^\W_])+")
_RUN_OF_TERMS = re.compile(f"[{_CASELESS}]+")
_LETTER = re.compile(rf"[^\W\d_{_CASELESS}]")
_LONGEST_TERM = 8  # letters
_RUNS = re.compile(r"[0-9]+|[^\W0-9_]+")
_CAMEL = re.compile(r"(?<=[^\W\dA-Z_])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][^\W\dA-Z_])")
_YEAR = re.compile("(?:19|20)[0-9]{2}")
_WRITTEN_YEAR = re.compile("(?:19|20)[0-9]{2}(?:[.,]0+)?")
#: Where a number may be a year, what says that it is none: settings before it, or units behind it.
_SETTINGS = frozenset("te tr ti tsl td ww wl wc wu hu fov bval matrix sl se".split())
_ROUND_SETTINGS = frozenset("bwls")  # b 2000, W 2000, S2000; b 1925 and w 1925 are births
_MEASURES = frozenset("ms mm cm hz khz kv kvp mas hu".split())
_TITLES = frozenset(
    "dr dres prof professor doctor mr mrs ms miss herr hr frau fr mme mlle monsieur madame dott dottssa sig sigra "
    "signor signora sr sra srta senor senora mevr mw dhr pd priv doz doc hrn dra profssa ssa".split()
)
_AFTER_TITLES = frozenset(
    "med rer nat dent habil univ hc phil van von der den de di da la le el zu ten ter bin ben ra".split()
)
_DONE = frozenset(
    "seen read performed dictated reported reviewed verified approved signed injected scanned interpreted referred "
    "requested ordered examined transcribed done acquired".split()
)
_PERSONS = frozenset(
    "tech technologist operator radiologist physician referring attending resident initials name patient pt op "
    "surgeon consultant fellow nurse doctor reader author reviewer observer signed verified approved ref cc attn "
    "untersucher befunder arzt mta mtra radiologe zuweiser chirurg hausarzt nachname vorname familie pat medecin "
    "technicien medico tecnico paziente nome".split()
)
#: Labels that something clinical may stand behind too: what the list of clinical words knows stays.
_OTHER_LABELS = frozenset("op pt patient pat paziente ref cc attn".split())
#: Letters behind a name; the first ones mean something else where no comma stands before them.
_DEGREES = frozenset("MD DO RN MA BSc FRCR FRCP FRCS FACR FRANZCR MBBS MBChB PhD MSc RT".split())
_CLEAR_DEGREES = frozenset("FRCR FRCP FRCS FACR FRANZCR MBBS MBChB PhD".split())
_SHORT_WORDS_OF_PERSONS = frozenset("tech technologist operator initials".split())  # need no colon before initials
_PLAIN_UNITS = str.maketrans("²³µμ", "23uu")
_SIDES = frozenset("lr")
#: Of mammography: before these an L or R is the side, whoever is named before it.
_VIEWS = frozenset("cc mlo ml lm lmo sio xccl xccm fb cv at".split())
_BEFORE_VIEWS = (" ", "-", "_")  # marks
_FAMILY = frozenset("family familie famille familia famiglia".split())
#: Titles that mean something else too: in capitals, modalities and high resolution; in small letters; in any letters.
_MODALITIES = frozenset("MR DR PD MS SR HR FR".split())
_SMALL_LETTERS = frozenset("mr ms sr hr fr miss doctor professor".split())
_OTHER_WORDS = frozenset("pd doc sig priv mw ssa".split())
_UNITS = frozenset("ms hr fr".split())
_MODES = frozenset("abm")  # of ultrasound
_NO_INITIALS = frozenset("lrmw")  # sides, `M. Crohn`, `W. ISOVUE`
_BESIDE_INITIALS = " .,^_'’-"
_LONGEST_NUMBER = 4  # digits
_SHORT_NAME = 3  # letters
_UNITS_LIKE_NAMES = frozenset("min sec ma na mas gy hu".split())


@dataclass
class Words:
    """words[i] stands after marks[i]; what follows the last word is marks[-1]. kept[i]: whether words[i] stays."""

    words: list[str]
    marks: list[str]
    folds: list[str]
    kept: list[bool] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.words)

    def beside(self, at: int) -> Iterator[int]:
        """The neighbours of a word."""
        yield from (other for other in (at - 1, at + 1) if 0 <= other < len(self))

    def drop(self, *places: int) -> None:
        for at in places:
            self.kept[at] = False


def words_of(line: str) -> Words:
    """Each judged by itself."""
    words = _WORD.findall(line)
    return Words(words, _WORD.split(line), [folded(word) for word in words], [_by_itself(word) for word in words])


def words_in(line: str, identity: Identity) -> Words:
    """line: HOLE stands where something was taken out."""
    line = words_of(line)
    for at, fold in enumerate(line.folds):
        if _WRITTEN_YEAR.fullmatch(fold):
            line.kept[at] = _has_label(line, at)
        elif line.kept[at] and lexicon().names.get(fold):
            line.kept[at] = _is_eponym(line, at)
    own = own_names(line, identity)
    line.drop(*own)
    _drop_after_titles(line)
    _drop_after_labels(line)
    _drop_before_degrees(line)
    _drop_halves(line)
    _drop_initials(line, own, identity.parts)
    _drop_particles(line)
    _drop_glued_numbers(line)
    return line


@lru_cache(maxsize=8192)
def _by_itself(word: str) -> bool:
    word = word.translate(_PLAIN_UNITS)
    if word[0].isdigit() and not word.isalnum():
        groups = re.split("[.,]", word)
        may_be_date = groups[0] != "0" and any(map(_YEAR.fullmatch, groups))
        return len(groups) <= 3 and all(len(group) <= _LONGEST_NUMBER for group in groups) and not may_be_date
    if word.isalpha():
        return _is_known(folded(word)) or (bool(pieces := _pieces(word)) and all(map(_is_plain, pieces)))
    runs = _RUNS.findall(word)
    letters = [run for run in runs if not run.isdigit()]
    strange = [run for run in letters if not _by_itself(run) or lexicon().names.get(folded(run))]
    digits = [run for run in runs if run.isdigit()]
    longest = max(map(len, digits), default=0)
    if any(len(run) > 2 for run in strange) or longest > _LONGEST_NUMBER or not word.isascii():
        return False
    if strange and (longest > 3 or len(runs) > 3):
        return False
    beside = ["", *map(str.lower, runs), ""]
    return all(_is_setting(*beside[at : at + 3]) for at, run in enumerate(runs) if _YEAR.fullmatch(run))


def _is_known(fold: str) -> bool:
    """Also the plural of what is clinical; single letters are judged by their neighbours."""
    known = lexicon()
    if _RUN_OF_TERMS.match(fold):
        return _is_made_of_terms(fold)
    if len(fold) == 1:
        return fold.isascii() or fold in known.words
    one = fold[:-1] if fold[-1] == "s" and len(fold) > 4 else ""
    return fold in known.words or (one in known.words and one not in known.names) or is_clinical_form(fold)


def _is_made_of_terms(run: str) -> bool:
    """run: letters that have no spaces between words; from its first to its last letter known words."""
    known = lexicon().words
    ends = {0}
    for start in range(len(run)):
        if start in ends:
            ends.update(end for end in range(start + 1, start + 1 + _LONGEST_TERM) if run[start:end] in known)
    return len(run) in ends


def _is_plain(fold: str) -> bool:
    """Known, and no part of somebody's name: for words inside of words."""
    return _is_known(fold) and not lexicon().names.get(fold) and (fold not in _TITLES or fold == "mr")


def _pieces(word: str) -> list[str]:
    """`HeadRoutine`: head, routine; `TestisL`: testis, l; empty where the word has no capitals inside."""
    pieces = [folded(piece) for piece in _CAMEL.split(word)]
    return pieces if len(pieces) > 1 and all(len(piece) > 1 or piece in _SIDES for piece in pieces) else []


def _has_label(line: Words, at: int) -> bool:
    """`b 2000`, `TR: 2000`, `2000 ms`: no year."""
    before = line.folds[at - 1] if at and not line.marks[at].strip(" =:_/(-") else ""
    behind = line.folds[at + 1] if at + 1 < len(line) and not line.marks[at + 1].strip(" -") else ""
    return _is_setting(before, line.folds[at], behind)


def _is_setting(before: str, number: str, behind: str) -> bool:
    """number: may be a year by its form."""
    return before in _SETTINGS or behind in _MEASURES or (before in _ROUND_SETTINGS and number[2:4] == "00")


def _is_eponym(line: Words, at: int, more: int = 2) -> bool:
    """`Baker's cyst`, `Stevens-Johnson syndrome`, `kyste de Baker`: before or, after a particle, behind what it names;
    `TOF Willis`: right behind a word that the list says; `TIA` in capitals. more: how many such names may follow."""
    nouns = lexicon().names[line.folds[at]]
    if at and f"-{line.folds[at - 1]}" in nouns and HOLE not in line.marks[at]:
        return True
    if (
        IN_CAPITALS in nouns
        and line.words[at].isupper()
        and all(_names_nobody(line, other) for other in line.beside(at))
    ):
        return True
    following = at + 1
    if following < len(line) and line.folds[following] == "s":
        following += 1
    if following < len(line) and HOLE not in line.marks[following]:
        noun = line.folds[following]
        if noun in nouns:
            return True
        is_joined = more > 0 and lexicon().names.get(noun) and "-" in line.marks[following]
        if is_joined and _is_eponym(line, following, more - 1):
            return True
    if at and line.folds[at - 1] == "s":
        at -= 1
    if at and "-" in line.marks[at] and lexicon().names.get(line.folds[at - 1]):
        return bool(nouns & lexicon().names[line.folds[at - 1]])
    return at > 1 and line.folds[at - 1] in {"of", *PARTICLES} and line.folds[at - 2] in nouns


def _names_nobody(line: Words, at: int) -> bool:
    return _by_itself(line.words[at]) and not lexicon().names.get(line.folds[at])


def own_names(line: Words, identity: Identity) -> set[int]:
    """Where parts of names of the header stand, alone, joined, or cut in two. What is an ordinary word goes
    only joined with another part or where it is somebody."""
    parts = identity.parts
    own: set[int] = set()
    ordinary: dict[int, set[str]] = {}
    for at, word in enumerate(line.words):
        runs = [run for run in _RUNS.findall(word) if not run.isdigit()]
        pieces = [fold for run in runs for fold in _pieces(run)]
        folds = [*map(folded, runs), *pieces]
        if word.istitle() and any(
            fold[-1] == "s" and fold[:-1] in parts and not is_ordinary(fold[:-1]) for fold in folds
        ):
            own.add(at)  # `Chills Knie`
        if _is_unit(line, at):
            continue
        if found := parts.intersection(folds):
            is_joined = sum(piece in parts for piece in pieces) > 1 or not identity.initials.isdisjoint(
                (part, piece) for part in found for piece in pieces
            )
            if all(map(is_ordinary, found)) and not is_joined:
                ordinary[at] = found
            else:
                own.add(at)
        for count in (2, 3):
            places = range(at, at + count)
            if at + count <= len(line) and "".join(line.folds[at : at + count]) in parts:
                own.update(places)
    found = own | ordinary.keys()
    somebody = {
        at for at in ordinary if _is_beside_a_part(line, at, found) or _is_addressed(line, at) or _stands_out(line, at)
    }
    for at, names in ordinary.items():
        if initials := _initials_beside(line, at, {letter for part, letter in identity.initials if part in names}):
            somebody |= {at, *initials}
    own |= somebody
    return own | {at + 1 for at in own if _has_s(line, at)}


def _is_beside_a_part(line: Words, at: int, parts: set[int]) -> bool:
    """Nothing but particles between."""
    for step in (-1, 1):
        other = at + step
        while 0 <= other < len(line) and other not in parts and line.folds[other] in PARTICLES:
            other += step
        if other in parts:
            return True
    return False


def _is_unit(line: Words, at: int) -> bool:
    """`10 min`, `100 mA`: whoever is called so."""
    is_behind_a_number = at > 0 and line.words[at - 1][0].isdigit() and not line.marks[at].strip()
    return is_behind_a_number and line.folds[at] in _UNITS_LIKE_NAMES


def _stands_out(line: Words, at: int) -> bool:
    """Of a name of two or three letters that is a word too: `Li`, `(li)`, `kidney_li`, and not `100 mA`."""
    word = line.words[at]
    if len(word) > _SHORT_NAME or line.folds[at] in PARTICLES:
        return False
    before, behind = line.marks[at][-1:], line.marks[at + 1][:1]
    return word[0].isupper() or before not in f" )]{HOLE}" or behind not in f" ([{HOLE}"


def _is_addressed(line: Words, at: int) -> bool:
    """`Mrs Spiral`, `patient Spiral`, `by Spiral`, `Spiral family`, `Spiral's`."""
    title = at - 1
    while title > max(0, at - 6) and line.folds[title] in _AFTER_TITLES:
        title -= 1
    before, after = line.folds[at - 1 : at], line.folds[at + 1 : at + 2]
    return (
        (title >= 0 and line.folds[title] in _TITLES)
        or not (_PERSONS | _FAMILY | {"by"}).isdisjoint(before)
        or not _FAMILY.isdisjoint(after)
        or _has_s(line, at)
    )


def _has_s(line: Words, at: int) -> bool:
    return line.folds[at + 1 : at + 2] == ["s"] and line.marks[at + 1] in ("'", "’")


def _initials_beside(line: Words, at: int, letters: set[str]) -> set[int]:
    return {
        other
        for other in line.beside(at)
        if _is_initial(line, other, letters) and not line.marks[max(at, other)].strip(_BESIDE_INITIALS)
    }


def _is_initial(line: Words, at: int, letters: set[str]) -> bool:
    """One of the letters, or an unknown word that one of them begins: `Li W`, `Li Wei`."""
    fold = line.folds[at]
    return fold in letters or (fold[0] in letters and fold.isalpha() and not line.kept[at] and len(fold) > 1)


def _drop_after_titles(line: Words) -> None:
    for at, fold in enumerate(line.folds):
        if fold not in _TITLES:
            continue
        name = at + 1
        while name < min(len(line), at + 6) and line.folds[name] in _AFTER_TITLES | _TITLES:
            name += 1
        if name < len(line) and _is_named(line, at, name):
            line.drop(at, *range(at, name), name, *_rest_of_name(line, name))


def _is_named(line: Words, title: int, name: int) -> bool:
    """`DR CHEST` and `24 hr Delayed` are none; `Dr Foot` is somebody, and so is whom the lexicon takes for a name."""
    if any(mark not in " .\t" for mark in line.marks[name]) and line.marks[name] != HOLE:
        return False
    is_unit = line.folds[title] in _UNITS and title > 0 and line.words[title - 1][0].isdigit()
    if line.words[name][0].isdigit() or is_unit:
        return False
    is_capital = line.words[name][0].isupper()
    is_title_only = _is_title_only(line.words[title])
    if line.marks[title + 1].startswith(".") or is_title_only:
        return is_capital or (is_title_only and line.words[title].islower())
    fold = line.folds[name]
    is_clinical = fold not in lexicon().names and (fold in lexicon().words or is_clinical_form(fold))
    if not line.words[name].isalpha():  # `MR E11`
        return False
    return is_capital and not is_clinical and not (line.words[title].isupper() and _is_clinical_name(line, name))


def _is_title_only(word: str) -> bool:
    """Whether a title without a dot means nothing else, written as it is."""
    return word not in _MODALITIES | _SMALL_LETTERS and word.lower() not in _OTHER_WORDS


def _is_clinical_name(line: Words, at: int) -> bool:
    """`MR WHITE MATTER`, `MR LONG AXIS`: something clinical follows, or the name is used as an eponym."""
    nouns = lexicon().names.get(line.folds[at])
    if nouns:
        return _is_eponym(line, at)
    return nouns is not None and at + 1 < len(line) and _is_plain(line.folds[at + 1])


def _rest_of_name(line: Words, at: int) -> Iterator[int]:
    """Up to two more words of a name, after a space, a dot or a hyphen."""
    for other in range(at + 1, min(at + 3, len(line))):
        if line.folds[other] in lexicon().core or line.marks[other].strip(" .") not in ("", "-"):
            return
        if not line.words[other][0].isupper():
            return
        yield other


def _drop_after_labels(line: Words) -> None:
    """`seen by JS`, `tech: KL`, `Patient: Rose`, `Surgeon: Stone`."""
    for at in range(1, len(line)):
        before = line.folds[at - 1]
        is_done = before == "by" and at > 1 and line.folds[at - 2] in _DONE
        is_label = before in _PERSONS and ":" in line.marks[at]
        is_told = is_done or (is_label and before not in _OTHER_LABELS)
        if is_done or is_label or before in _SHORT_WORDS_OF_PERSONS:
            for name in range(at, min(at + 3, len(line))):
                word = line.words[name]
                is_other = before in _OTHER_LABELS and line.folds[name] in lexicon().core
                is_initials = len(word) <= 3 and word.isupper() and not is_other
                is_clinical = line.folds[name] in lexicon().core and not (is_told and name == at and word.istitle())
                if not is_initials and (is_clinical or not word[0].isupper()):
                    break
                line.drop(name)


def _drop_before_degrees(line: Words) -> None:
    """`Stone, MD`, `Rose FRCR`, but `Brain MD`: mean diffusivity."""
    for at in range(1, len(line)):
        word, mark = line.words[at], line.marks[at]
        is_degree = word in _CLEAR_DEGREES if not mark.strip() else word in _DEGREES and mark.strip() in (",", ".,")
        if is_degree and line.words[at - 1].istitle():
            line.drop(at - 1, at)


def _drop_halves(line: Words) -> None:
    """`Min` of `Min-jun`: short, beside an unknown half of one name."""
    for at in range(1, len(line)):
        pair = line.words[at - 1 : at + 1]
        kept = [word for word, is_kept in zip(pair, line.kept[at - 1 : at + 1], strict=True) if is_kept]
        is_pair = line.marks[at] == "-" and pair[0].istitle() and all(map(str.isalpha, pair)) and len(kept) == 1
        if is_pair and 1 < len(kept[0]) <= _SHORT_NAME and not kept[0].isupper():
            line.drop(at - 1, at)


def _drop_initials(line: Words, own: set[int], parts: frozenset[str]) -> None:
    """`J. Smith`, `Smith, J`, `J.S.`, `S M I T H`; an L or R is a side unless it stands beside a name of the header."""
    for run in _runs_of_letters(line):
        together = "".join(line.folds[at] for at in run)
        dotted = all(line.marks[at].startswith(".") for at in run[1:]) and all(line.words[at].isupper() for at in run)
        if (together in parts or together not in lexicon().words) and (len(run) > 2 or (len(run) == 2 and dotted)):
            line.drop(*run)
    single = [at for at, fold in enumerate(line.folds) if len(fold) == 1 and _LETTER.fullmatch(fold)]
    for at in single:
        if line.words[at].isupper() and line.marks[at + 1].startswith(".") and line.folds[at] not in _NO_INITIALS:
            line.drop(*_named_with(line, at))
    for at in [*single, *reversed(single)]:
        for other in line.beside(at):
            between = line.marks[max(at, other)]
            is_name = not line.kept[other] and not line.folds[other][0].isdigit()
            is_side = line.folds[at] in _SIDES and "." not in between and other not in own
            is_letter = is_side or ("." not in between and _is_of_a_word(line, at)) or _is_side_of_view(line, at)
            if is_name and not is_letter and not between.strip(_BESIDE_INITIALS):
                line.drop(at)


def _is_of_a_word(line: Words, at: int) -> bool:
    """`R CC`, `L-MLO`, `M-Mode`, `C-spine`, `F-18`, `s/p`: whoever is named beside it, the letter belongs to what it
    stands before, or is joined to."""
    letter, mark, following = line.folds[at], line.marks[at + 1], "".join(line.folds[at + 1 : at + 2])
    if "/" in (line.marks[at], mark):
        return True
    if letter in _SIDES and following in _VIEWS:
        return mark in _BEFORE_VIEWS
    if mark == "-":
        return line.kept[at + 1] and (len(following) > 2 or following.isdigit())
    return mark == " " and letter in _MODES and following == "mode"


def _is_side_of_view(line: Words, at: int) -> bool:
    """`Smith J._L CC`: set off from the initial before it."""
    is_side = line.folds[at] in _SIDES and not _VIEWS.isdisjoint(line.folds[at + 1 : at + 2])
    return is_side and line.marks[at] != "." and line.marks[at + 1] in _BEFORE_VIEWS


def _named_with(line: Words, at: int) -> Iterator[int]:
    """Of an initial with a dot: it and the name it belongs to, that may be an ordinary word too: `T. Stone`."""
    for other, mark in ((at + 1, "."), (at - 1, ",")):
        if not 0 <= other < len(line) or line.marks[max(at, other)].strip() != mark:
            continue
        if line.words[other].istitle() and line.folds[other] in lexicon().names and not _is_eponym(line, other):
            yield from (at, other)


def _runs_of_letters(line: Words) -> Iterator[list[int]]:
    """Places of single letters that follow one another with nothing but a space, a dot, a hyphen or _ between."""
    run: list[int] = []
    for at, fold in enumerate(line.folds):
        if len(fold) != 1 or fold.isdigit():
            yield from [run] if run else []
            run = []
        elif run and line.marks[at].strip() in ("", ".", "-", "_", "^"):
            run.append(at)
        else:
            yield from [run] if run else []
            run = [at]
    yield from [run] if run else []


def _drop_particles(line: Words) -> None:
    """`van der` before a name that went."""
    for at in range(len(line) - 2, -1, -1):
        name = at + 1
        if line.folds[at] in PARTICLES and not line.kept[name] and line.words[name][0].isalpha():
            line.drop(at)


def _drop_glued_numbers(line: Words) -> None:
    """Digits right beside letters that went and have no spaces between words, and what a hyphen joins to them: of an
    age, of a room, of a house."""
    for at, word in enumerate(line.words):
        if line.kept[at] or not _RUN_OF_TERMS.match(word):
            continue
        for step in (-1, 1):
            other, joins = at + step, ("",)
            while 0 <= other < len(line) and line.words[other][0].isdigit():
                if line.marks[max(other, other - step)] not in joins:
                    break
                line.drop(other)
                other, joins = other + step, ("-", "－")
