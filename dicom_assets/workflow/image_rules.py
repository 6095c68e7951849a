"""What becomes of which image under a profile: for `profile show` and `profile diff`."""

from collections.abc import Iterator

from ..deid.profile import Profile
from ..pixels.devices import DeviceRule, rules_in, shipped
from ..pixels.faces import thickest_slice
from ..pixels.triage import CLEAN, HEADER, OVERLAY_PLANE, REVIEW, Rule, outcome_of, rules
from .shown_rule import ShownRule

#: Outcome of triage -> action, K where the pixels go out as they are, and what becomes of them
_OF_IMAGES = {
    HEADER: ("K", "pixels as they are"),
    CLEAN: ("C", "text is found and blanked; quarantined where that cannot be done"),
    REVIEW: ("X", "quarantined until a person has looked"),
}


def images(profile: Profile) -> Iterator[ShownRule]:
    """What becomes of which image, in the order in which triage asks."""
    yield ShownRule("a class that the standard does not list", "any class", *_end(profile, REVIEW))
    for rule in rules():
        action, end = _end_of(rule, profile)
        for name in rule.sop_classes.values() or ["any class"]:
            yield ShownRule(rule.sign, name, action, f"{end}: {rule.why}{_condition(rule)}")
    yield ShownRule(OVERLAY_PLANE, "any class", *_end(profile, CLEAN))
    yield ShownRule("overlay in unused bits", "any class", *_end(profile, CLEAN))


def _end_of(rule: Rule, profile: Profile) -> tuple[str, str]:
    action, end = _end(profile, outcome_of(rule, profile))
    return action, "the whole image is blanked" if rule.whole and action == "C" else end


def _end(profile: Profile, outcome: str) -> tuple[str, str]:
    if profile.pixels == "unexamined":
        return "K", "released as it is, and every report says so"
    if profile.pixels == "quarantine" and outcome == CLEAN:
        return "X", "quarantined"
    return _OF_IMAGES[outcome]


def _condition(rule: Rule) -> str:
    """What has to be so, besides the class."""
    asked = [f"{keyword}: {', '.join(sorted(signs))}" for keyword, signs in rule.values.items()]
    asked += [f"{keyword} with {', '.join(phrases)}" for keyword, phrases in rule.words.items()]
    asked += [f"{keyword} present" for keyword in rule.present]
    asked += [", ".join(rule.syntaxes.values())] if rule.syntaxes else []
    return f"; where {' or '.join(asked)}" if asked else ""


def devices(profile: Profile) -> Iterator[ShownRule]:
    own = rules_in(profile.device_rules)
    for rule in (*shipped(), *own):
        action, end = _end(profile, CLEAN)
        yield ShownRule("device", rule.name, action, f"{_place_in(rule) if action == 'C' else end}; {rule.source}")


def _place_in(rule: DeviceRule) -> str:
    boxes = ", ".join(box.text for box in rule.known.boxes)
    return "the whole image is blanked" if rule.known.whole else f"blanked: {boxes}"


def faces(profile: Profile) -> Iterator[ShownRule]:
    action, end = {
        "withhold": ("X", "quarantined"),
        "deface": ("C", "given to the site's tool that removes faces; quarantined where it does not"),
        "release": ("K", "released as they are, and every report counts them"),
    }[profile.faces if profile.pixels != "unexamined" else "release"]
    name = f"slices of the head, up to {thickest_slice()} mm or of unstated thickness"
    yield ShownRule("a face can be rebuilt (113102)", name, action, end)
