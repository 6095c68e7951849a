"""Passes or fails each row of the answer key, as MIDI-B does, and more strictly:

- a row of an instance that is not there fails, whatever it asks for; `lenient` counts as the challenge does
- text that is to stay as a whole has to stay letter by letter, words among others in their order
- text that is to go may leave none of its words, with or without its accents, nor be hidden by other marks between its
  letters
- dates and UIDs that are gone fail, and so do dates that moved by another amount than this patient's others, and UIDs
  that are none (PS3.5 9.1), somebody's old one, or one for two
- pixels are compared decoded, so that a tool may choose another transfer syntax, and have to mean the same; where text
  was written into them, all but those near it
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmarks.proof.key import PASSED_BY_NOTHING, Action, Answer, AnswerKey
from benchmarks.proof.letters import plain_forms
from benchmarks.proof.moves import day_and_rest, moves, moves_times
from benchmarks.proof.output import Made, Output, element_at, text_at
from benchmarks.proof.phrases import words_of
from benchmarks.proof.pixels import fingerprint_outside, frames_of, mask_of, meaning_of

#: Who asks for the rows
FAMILIES = {
    "HIPAA": "HIPAA Safe Harbor",
    "DICOM": "DICOM PS3.15 and PS3.3",
    "TCIA": "practice of The Cancer Imaging Archive",
}

_LONG = 6  # letters: shorter words stand within others
_SHORT = 3  # letters of a name with an initial; fewer are a word too often
_LONGEST_UID = 64
_GHOST = 0.1  # of the range of values in the box
_UID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")


@dataclass(frozen=True)
class Failure:
    """found: what stood there; None: nothing."""

    answer: Answer
    found: str | None
    is_missing: bool


@dataclass
class Score:
    """total: rows asked; failed: those failed; both by action, and by family (HIPAA, DICOM, TCIA). lenient: rows failed
    as the challenge counts them. withheld: instances with text in their pixels that were not written at all, which
    fails here, and passes there."""

    total: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    lenient: int = 0
    withheld: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """Of the rows passed."""
        return self._percent(sum(self.failed[family] for family in FAMILIES))

    @property
    def lenient_percent(self) -> float:
        return self._percent(self.lenient)

    def _percent(self, failed: int) -> float:
        total = sum(self.total[family] for family in FAMILIES)
        return 100 * (1 - failed / total) if total else 0.0


@dataclass(frozen=True)
class Whole:
    """What no single row shows. shift: patient -> days that most of their dates moved by. moves_times: whether times of
    the day moved along. old: all UIDs of the originals. stands_for: new UID -> how many old ones it stands for."""

    output: Output
    patient_of: dict[str, str]
    shift: dict[str, int]
    moves_times: bool
    old: frozenset[str]
    stands_for: Counter[str]


def whole(key: AnswerKey, output: Output) -> Whole:
    """Seen over all rows and files."""
    return Whole(
        output,
        patient_of={one.uid: one.patient for one in key.instances},
        shift={patient: days.most_common(1)[0][0] for patient, days in moves(key, output).items()},
        moves_times=moves_times(key, output),
        old=frozenset(one.text for one in key.answers if one.action is Action.UID_CHANGED)
        | {uid for one in key.instances for uid in (one.uid, one.study, one.series)},
        stands_for=Counter(output.uids.values()),
    )


def score(key: AnswerKey, output: Output) -> Score:
    """Each row of the key against what the tool has made of its instance."""
    result, seen = Score(), whole(key, output)
    for answer in key.answers:
        made = output.made.get(answer.instance)
        result.withheld += made is None and answer.action is Action.PIXELS_HIDDEN
        result.total.update(_columns(answer))
        if made is not None and _JUDGES[answer.action](answer, made, seen):
            continue
        result.failed.update(_columns(answer))
        result.lenient += made is not None or answer.action not in PASSED_BY_NOTHING
        found = None if made is None else text_at(made.data_set, answer.path)
        result.failures.append(Failure(answer, found, made is None))
    return result


def _columns(answer: Answer) -> Iterator[str]:
    yield answer.action
    yield answer.family


def _is_retained(answer: Answer, made: Made, seen: Whole) -> bool:
    return element_at(made.data_set, answer.path) is not None


def _has_value(answer: Answer, made: Made, seen: Whole) -> bool:
    return bool(text_at(made.data_set, answer.path))


def _text_stays(answer: Answer, made: Made, seen: Whole) -> bool:
    found = text_at(made.data_set, answer.path)
    if found is None:
        return False
    if answer.text == answer.value:
        pairs = zip(_values(found), _values(answer.text), strict=False)
        return len(_values(found)) == len(_values(answer.text)) and all(
            one == other or _equal(one, other) for one, other in pairs
        )
    rest = iter(words_of(found))
    return all(word in rest for word in words_of(answer.text))


def _text_goes(answer: Answer, made: Made, seen: Whole) -> bool:
    found = text_at(made.data_set, answer.path)
    if not found:
        return True
    before = {word for form in plain_forms(answer.value) for word in words_of(form)}
    return not any(
        _is_left(words_of(told), words_of(left), before)
        for told in plain_forms(answer.text)
        for left in plain_forms(found)
    )


def _is_left(told: list[str], left: list[str], before: set[str]) -> bool:
    """A word as it is, joined with an initial of another, or within another if it is long; or all of them together.
    before: words that stood there; `thin` was one, and is no Thi N."""
    initials = {word[0] for word in told}
    glued = {way for word in told for letter in initials for way in (letter + word, word + letter)}
    if not ({*told} | {way for way in glued - before if len(way) > _SHORT and way.isalpha()}).isdisjoint(left):
        return True
    joined, together = "".join(left), "".join(told)
    return any((len(word) >= _LONG or not word.isascii()) and word in joined for word in (*told, together))


def _date_moves(answer: Answer, made: Made, seen: Whole) -> bool:
    """Whether it is gone, another row asks."""
    found = text_at(made.data_set, answer.path)
    return not found or (answer.text not in found and day_and_rest(found) is not None)


def _date_agrees(answer: Answer, made: Made, seen: Whole) -> bool:
    """Whether it is gone, no date, or the old one, other rows ask."""
    old, new = day_and_rest(answer.text), day_and_rest(text_at(made.data_set, answer.path) or "")
    if old is None or new is None or new[0] == old[0]:
        return True
    off = abs((new[0] - old[0]).days - seen.shift[seen.patient_of[answer.instance]])
    if seen.moves_times:
        return off <= 1 and len(new[1]) == len(old[1])
    return off == 0 and new[1] == old[1]


def _uid_changes(answer: Answer, made: Made, seen: Whole) -> bool:
    """Whether it is gone, another row asks."""
    found = text_at(made.data_set, answer.path)
    return not found or (found not in seen.old and len(found) <= _LONGEST_UID and bool(_UID.fullmatch(found)))


def _uid_agrees(answer: Answer, made: Made, seen: Whole) -> bool:
    """Whether it is gone, another row asks."""
    found = text_at(made.data_set, answer.path)
    return not found or (found == seen.output.uids.get(answer.text) and seen.stands_for[found] == 1)


def _patient_id_agrees(answer: Answer, made: Made, seen: Whole) -> bool:
    found = text_at(made.data_set, answer.path)
    return bool(found) and found == seen.output.patients.get(answer.text)


def _pixels_stay(answer: Answer, made: Made, seen: Whole) -> bool:
    _, _, box = answer.value.partition(" outside ")
    found = fingerprint_outside(made.data_set, tuple(map(int, box.split(",")))) if box else made.fingerprint
    return found == answer.value and meaning_of(made.data_set) == answer.text


def _pixels_hide(answer: Answer, made: Made, seen: Whole) -> bool:
    """Whether what stood out in the shape of the text does so no longer, in any frame."""
    left, top, right, bottom = map(int, answer.value.split(","))
    pictures = frames_of(made.data_set)
    if pictures is None or pictures.ndim != 3:
        return False
    letters = mask_of(answer.text, pictures.shape[1:])[top:bottom, left:right]
    return not any(_stands_out(picture[top:bottom, left:right].astype(float), letters) for picture in pictures)


def _stands_out(picture: np.ndarray, letters: np.ndarray) -> bool:
    """By more than a tenth of the range of the values there: a ghost of the text is text."""
    values = np.ptp(picture)
    return bool(values and abs(picture[letters].mean() - picture[~letters].mean()) > _GHOST * values)


def _values(text: str) -> list[str]:
    return [value.strip(" \0") for value in text.split("\\")]


def _equal(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


_JUDGES: dict[Action, Callable[[Answer, Made, Whole], bool]] = {
    Action.TAG_RETAINED: _is_retained,
    Action.TEXT_NOTNULL: _has_value,
    Action.TEXT_RETAINED: _text_stays,
    Action.TEXT_REMOVED: _text_goes,
    Action.DATE_SHIFTED: _date_moves,
    Action.DATE_CONSISTENT: _date_agrees,
    Action.UID_CHANGED: _uid_changes,
    Action.UID_CONSISTENT: _uid_agrees,
    Action.PATID_CONSISTENT: _patient_id_agrees,
    Action.PIXELS_RETAINED: _pixels_stay,
    Action.PIXELS_HIDDEN: _pixels_hide,
}
