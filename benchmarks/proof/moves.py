"""By how many days a tool has moved each patient's dates, and whether it moves times of the day with them."""

import re
from collections import Counter, defaultdict
from datetime import date

from benchmarks.proof.key import Action, AnswerKey
from benchmarks.proof.output import Output, text_at
from benchmarks.proof.sheet import TIME

_FORM = re.compile(r"(?P<day>[0-9]{8})(?P<rest>[0-9]{0,6}(?:\.[0-9]{1,6})?(?:[+-][0-9]{4})?)")


def day_and_rest(text: str) -> tuple[date, str] | None:
    """text: DA or DT to the day at least. The date, and what is behind it: time of the day and offset from UTC."""
    match = _FORM.fullmatch(text.strip(" \0"))
    if match is None:
        return None
    try:
        return date.fromisoformat(match["day"]), match["rest"]
    except ValueError:
        return None


def moves(key: AnswerKey, output: Output) -> dict[str, Counter[int]]:
    """patient -> days that their dates moved by -> how many of them; those that are gone or no dates are left out."""
    patient_of = {one.uid: one.patient for one in key.instances}
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for answer in key.answers:
        made = output.made.get(answer.instance)
        if answer.action is not Action.DATE_CONSISTENT or made is None:
            continue
        old, new = day_and_rest(answer.text), day_and_rest(text_at(made.data_set, answer.path) or "")
        if old and new:
            found[patient_of[answer.instance]][(new[0] - old[0]).days] += 1
    return found


def moves_times(key: AnswerKey, output: Output) -> bool:
    """As PS3.15 E.3.6 permits: then a date may move by a day more than another."""
    for answer in key.answers:
        made = output.made.get(answer.instance)
        if answer.category == TIME and made is not None and text_at(made.data_set, answer.path) != answer.value:
            return True
    return False
