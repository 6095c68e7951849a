"""Holds an engine against the reference, instance by instance: what it may not do, and what it must give.

    verdicts = [verdict(mutant.name, mutant.encoded, engine, profile) for mutant in ...]

An engine may refuse with a code. What it releases, the reference releases too, and both outputs are the same element by
element: tags, VRs, values (padding apart), items, fragments, file meta. The output is read strictly (encoding.py).
"""

import signal
import struct
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dicom_assets.deid.profile import Profile, load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.errors import BadInput, Refused
from tests.deid import reference
from tests.deid.corpora import PLANTED
from tests.deid.encoding import SIZES, Element, parse
from tests.deid.mutants import planted_in

KEY = PseudonymKey(bytes(range(32)))
SECONDS = 5.0  #: of CPU for one small instance; the engine takes milliseconds

#: Elements in which the engine can learn who the patient is; what stands in none of them it cannot know.
_TELLING = (0x00080050, 0x00080080, 0x00080081, 0x00080090, 0x00100010, 0x00100020)
_BINARY = {"OB", "UN", *SIZES}

#: Profile files of a user's own, by name
OWN_PROFILES = {
    "everything-kept": """
        base = "basic"
        options = ["retain_uids", "retain_device_identity", "retain_institution_identity",
                   "retain_patient_characteristics", "retain_longitudinal_full_dates", "retain_safe_private"]
        """,
    "cleaned": """
        base = "basic"
        options = ["clean_descriptors", "clean_graphics", "clean_structured_content"]
        dates = "year"
        uid_root = "1.2.826.0.1.3680043.10.9"
        encapsulated = "drop"
        private_creators = ["QUILL"]
        """,
    "switched": """
        base = "halo"
        [groups]
        patient_data = false
        dates = false
        regenerate_uids = false
        remove_private_tags = false
        [overrides]
        StationName = "D"
        ContentCreatorName = "K"
        """,
}
SHIPPED = ("basic", "hipaa-safe-harbor", "research", "halo")
#: Under these nothing of the patient may be left; halo and the others keep what their users want kept.
CLEAN = ("basic", "hipaa-safe-harbor", "research", "cleaned")


class Released(Protocol):
    """As dicom_assets.deid.deidentify.Deidentified, the output in one piece."""

    encoded: bytes
    patient: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    tags: tuple[str, ...]
    uids: tuple[tuple[str, str], ...]
    uid_tags: tuple[str, ...]


Engine = Callable[[bytes], Released]


@dataclass(frozen=True)
class Verdict:
    """code: why the engine refused; empty where it released. faults: what it may not do. needless: refused, and the
    reference would have released it. unjudged: released, and pydicom cannot even open the input. wellformed: the input
    keeps to PS3.5, whatever its values are."""

    name: str
    code: str = ""
    faults: tuple[str, ...] = ()
    needless: bool = False
    unjudged: bool = False
    wellformed: bool = False

    @property
    def released(self) -> bool:
        return not self.code and not self.faults


class _Hanging(BaseException):
    """Past every `except Exception` of the engine."""


def profiles(folder: Path) -> dict[str, Profile]:
    """All shipped ones and some of a user's own, whose files are written to folder."""
    for name, content in OWN_PROFILES.items():
        (folder / f"{name}.toml").write_text("\n".join(line.strip() for line in content.splitlines()))
    return {
        name: load_profile(name if name in SHIPPED else str(folder / f"{name}.toml"))
        for name in (*SHIPPED, *OWN_PROFILES)
    }


def verdict(
    name: str, encoded: bytes, engine: Engine, profile: Profile, plain: Callable = reference.deidentify
) -> Verdict:
    try:
        with _within(SECONDS):
            released = engine(encoded)
    except (BadInput, Refused) as refusal:
        needless = _releases(encoded, profile, plain)
        return Verdict(name, refusal.code, needless=needless, wellformed=needless and _is_wellformed(encoded))
    except _Hanging:
        return Verdict(name, faults=(f"took more than {SECONDS} s",))
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return Verdict(name, faults=(f"raised {type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}",))
    faults = [f"{form} is in the output" for form in _left(encoded, released.encoded, profile)]
    try:
        expected = plain(encoded, profile, KEY)
    except reference.NotRead:
        return Verdict(name, faults=tuple(faults), unjudged=True)
    except reference.NotReleased as reason:
        return Verdict(name, faults=(*faults, f"released what the reference did not: {reason}"))
    return Verdict(name, faults=(*faults, *differences(released, expected)))


def differences(released: Released, expected: Released) -> list[str]:
    """Where the two outputs are not the same, as `place: what`; no values."""
    try:
        ours = parse(released.encoded)
    except (ValueError, struct.error) as error:
        return [f"output is malformed: {error}"]
    found = list(_different(ours.meta, (theirs := parse(expected.encoded)).meta, "meta"))
    found += _different(ours.elements, theirs.elements, "")
    if ours.preamble != theirs.preamble:
        found.append("preamble: differs")
    for field in (
        "patient",
        "study_instance_uid",
        "series_instance_uid",
        "sop_instance_uid",
        "tags",
        "uids",
        "uid_tags",
    ):
        one, other = getattr(released, field), getattr(expected, field)
        if one != other:
            only = sorted(set(one) ^ set(other)) if field in ("tags", "uid_tags") else ""
            found.append(f"{field}: differs {only}")
    return found


def _different(ours: list[Element], theirs: list[Element], path: str) -> Iterator[str]:
    ours, theirs = ({element.tag: element for element in elements} for elements in (ours, theirs))
    for tag in sorted(ours.keys() | theirs.keys()):
        place = f"{path}/{tag:08X}"
        if tag not in theirs or tag not in ours:
            yield f"{place}: only in the {'output' if tag in ours else 'reference'}"
            continue
        one, other = ours[tag], theirs[tag]
        if one.vr != other.vr:
            yield f"{place}: VR {one.vr}, not {other.vr}"
        elif (one.items is None) != (other.items is None) or not _same_fragments(one.fragments, other.fragments):
            yield f"{place}: other fragments, or not both are sequences"
        elif one.items is None and _less_padding(one) != _less_padding(other):
            yield f"{place}: other value ({one.vr}, {len(one.value)} and {len(other.value)} bytes)"
        elif len(one.items or ()) != len(other.items or ()):
            yield f"{place}: other number of items"
        for number, pair in enumerate(zip(one.items or (), other.items or (), strict=False)):
            yield from _different(*(item.elements for item in pair), f"{place}[{number}]")


def _same_fragments(ours: list[bytes] | None, theirs: list[bytes] | None) -> bool:
    """A Basic Offset Table that is none is emptied, which the reference leaves."""
    if ours and theirs and not ours[0]:
        return ours[1:] == theirs[1:]
    return ours == theirs


def _less_padding(element: Element) -> bytes:
    if element.vr == "UI":
        return element.value.strip(b" \0")
    return element.value if element.vr in _BINARY else element.value.rstrip(b" \0")


def _left(encoded: bytes, output: bytes, profile: Profile) -> list[str]:
    """The planted values that the input tells of its patient and that are in the output."""
    if profile.name not in CLEAN:
        return []
    found = planted_in(output)
    if not found:
        return []
    try:
        source = reference.read(encoded)
    except reference.NotRead:
        return found
    telling = b"\n".join(reference.value_of(source, tag) for tag in _TELLING).decode("latin-1").lower()
    told = {value for value in PLANTED if value.lower() in telling}
    return [form for form in found if form.rpartition(" in ")[0] in told]


def _releases(encoded: bytes, profile: Profile, plain: Callable) -> bool:
    try:
        plain(encoded, profile, KEY)
    except reference.NotReleased:
        return False
    return True


def _is_wellformed(encoded: bytes) -> bool:
    try:
        parse(encoded)
    except (ValueError, struct.error, zlib.error):
        return False
    return True


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _Hanging

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
