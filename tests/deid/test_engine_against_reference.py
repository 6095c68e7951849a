"""The stream engine and the plain reference agree on every file of every corpus and on thousands of damaged ones.

MUTANTS_PER_SEED=2000 python -m pytest tests/deid/test_engine_against_reference.py   a campaign; or: make torture
One mutant again: `mutant(seed, corpora.hand_made()[seed], number)` makes it, as its name says.
"""

import multiprocessing
import os
import random
import resource
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from dicom_assets.deid.deidentify import Deidentified, Deidentifier
from dicom_assets.deid.elements import InMemory
from dicom_assets.deid.profile import Profile
from dicom_assets.errors import BadInput, Refused
from tests.deid import agreement
from tests.deid.agreement import KEY, OWN_PROFILES, SHIPPED, Engine, Verdict, profiles, verdict
from tests.deid.broken_engines import BROKEN
from tests.deid.corpora import bundled, generated, hand_made
from tests.deid.mutants import mutants

PER_SEED = int(os.environ.get("MUTANTS_PER_SEED", "28"))
LONGEST_SEED = 10_000  #: bytes; small instances are damaged where it matters more often
PROCESSES = 2
MOST_MEMORY = 200  #: MB that the campaign over small instances may add to a process
PROFILES = (*SHIPPED, *OWN_PROFILES)

#: What a rule or a limit refuses in a file that keeps to PS3.5, though pydicom would have written something.
RULES = frozenset(
    """IDENTIFIER_LEFT NESTED_TOO_DEEPLY OVERLAY_IN_PIXEL_DATA PIXEL_DATA_MALFORMED PIXEL_DATA_TOO_LONG
    PIXEL_DATA_TRUNCATED PIXEL_GEOMETRY_MISSING""".split()
)
#: What damage ends in where pydicom would have read on.
DAMAGE = frozenset(
    """ELEMENT_MALFORMED ELEMENT_REPEATED ELEMENT_TRUNCATED NOT_DICOM SEQUENCE_MALFORMED SOP_CLASS_MISSING
    TRANSFER_SYNTAX_UNSUPPORTED UID_MISSING UNREADABLE VR_UNKNOWN""".split()
)
MOST_NEEDLESS = 0.1  #: of the readable mutants that keep to PS3.5; those that name the patient in a kept text apart
MOST_UNJUDGED = 0.02  #: of the released ones: pydicom cannot make sense of the input


class _InOnePiece:
    """Deidentified with its parts joined."""

    def __init__(self, released: Deidentified, source: InMemory) -> None:
        self._released, self.encoded = released, released.encoded(source)

    def __getattr__(self, name: str) -> object:
        return getattr(self._released, name)


def engine_for(profile: Profile) -> Engine:
    """One Deidentifier for all that is given to it."""
    deidentifier = Deidentifier(profile, KEY)

    def engine(encoded: bytes) -> _InOnePiece:
        source = InMemory(encoded)
        return _InOnePiece(deidentifier.deidentify(source), source)

    return engine


@cache
def seeds() -> dict[str, bytes]:
    small = {name: path.read_bytes() for name, path in bundled().items() if path.stat().st_size < LONGEST_SEED}
    varied = {name: content for name, content in small.items() if "dicomdirtests" not in name}
    return hand_made() | varied


@pytest.fixture(scope="module")
def all_profiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Profile]:
    return profiles(tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    paths = bundled() | generated(tmp_path_factory.mktemp("generated"))
    return hand_made() | {name: path.read_bytes() for name, path in paths.items()}


# --- whole corpora -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROFILES)
def test_engine_and_reference_agree_on_every_file(
    name: str, all_profiles: dict[str, Profile], corpora: dict[str, bytes]
) -> None:
    profile = all_profiles[name]
    engine = engine_for(profile)
    verdicts = [verdict(file, content, engine, profile) for file, content in corpora.items()]
    assert not (faults := faults_of(verdicts)), faults


@pytest.mark.parametrize("name", PROFILES)
def test_what_was_de_identified_before_changes_nothing(
    name: str, all_profiles: dict[str, Profile], corpora: dict[str, bytes]
) -> None:
    """An engine remembers repeated elements; in whatever order instances come, each output is the same."""
    profile = all_profiles[name]
    alone = {file: _outcome(engine_for(profile), content) for file, content in corpora.items()}
    shuffled = list(corpora)
    random.Random(1).shuffle(shuffled)
    for order in (list(corpora), list(corpora)[::-1], shuffled):
        engine = engine_for(profile)
        assert [file for file in order if _outcome(engine, corpora[file]) != alone[file]] == []


def _outcome(engine: Engine, encoded: bytes) -> bytes | str:
    """The output, or the code of the refusal."""
    try:
        return engine(encoded).encoded
    except (BadInput, Refused) as refusal:
        return refusal.code


# --- mutants -----------------------------------------------------------------------------------------------------

_profiles: dict[str, Profile] = {}  #: those of the campaign, for its worker processes, which are forks


@cache
def _engine(profile: str) -> Engine:
    return engine_for(_profiles[profile])


def _judge(job: tuple[str, str]) -> tuple[list[Verdict], int]:
    """One seed's mutants under one profile, and the process's peak memory in MB."""
    seed, profile = job
    numbers = range(PROFILES.index(profile), PER_SEED, len(PROFILES))
    made = (mutant for number in numbers for mutant in mutants(seed, seeds()[seed], 1, start=number))
    verdicts = [_judged(f"{profile} {one.name}", one.encoded, profile) for one in made]
    return verdicts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _judged(name: str, encoded: bytes, profile: str) -> Verdict:
    """By the engine that has seen all mutants before; one that has seen nothing must give the same."""
    given: list[bytes | str] = []

    def engine(encoded: bytes) -> agreement.Released:
        released = _engine(profile)(encoded)
        given.append(released.encoded)
        return released

    found = verdict(name, encoded, engine, _profiles[profile])
    outcome, alone = (given or [found.code])[0], _outcome(engine_for(_profiles[profile]), encoded)
    if found.faults or outcome == alone:
        return found
    told = [one if isinstance(one, str) else "an output" for one in (outcome, alone)]
    return replace(found, faults=(f"depends on what came before: {told[0]}, and alone {told[1]}",))


@pytest.fixture(scope="module")
def campaign(all_profiles: dict[str, Profile]) -> Iterator[tuple[list[Verdict], int]]:
    """Every seed's mutants, each under one of the profiles in turn: the verdicts, and the memory added in MB."""
    _profiles.update(all_profiles)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    jobs = [(seed, profile) for profile in PROFILES for seed in seeds()]
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        results = pool.map(_judge, jobs, chunksize=4)
    yield [one for verdicts, _ in results for one in verdicts], max(peak for _, peak in results) - before


def test_no_mutant_brings_the_engine_to_fault(campaign: tuple[list[Verdict], int]) -> None:
    """No crash, no hang, nothing released that the reference does not release the same, no identifier left."""
    verdicts, _ = campaign
    assert len(verdicts) >= 20 * len(seeds())
    assert not (faults := faults_of(verdicts)), faults


def test_mutants_cost_little_memory(campaign: tuple[list[Verdict], int]) -> None:
    assert campaign[1] < MOST_MEMORY


def test_few_mutants_are_refused_that_pydicom_would_have_read(campaign: tuple[list[Verdict], int]) -> None:
    verdicts, _ = campaign
    needless = Counter(one.code for one in verdicts if one.needless)
    assert set(needless) <= RULES | DAMAGE, needless
    wellformed = Counter(one.code for one in verdicts if one.needless and one.wellformed and one.code in RULES)
    del wellformed["IDENTIFIER_LEFT"]
    released = sum(one.released for one in verdicts)
    assert wellformed.total() < MOST_NEEDLESS * released, (wellformed, released)
    assert sum(one.unjudged for one in verdicts) < MOST_UNJUDGED * released


def faults_of(verdicts: list[Verdict]) -> str:
    """The faults by kind, with their number and the first that show it; empty where there are none."""
    shown: dict[str, list[str]] = {}
    for one in verdicts:
        for fault in one.faults[:3]:
            shown.setdefault(fault, []).append(one.name)
    lines = [f"{len(names):5} {fault}: {', '.join(names[:3])}" for fault, names in shown.items()]
    return "\n".join(sorted(lines, reverse=True)[:60])


# --- is the harness any good? ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_engine_is_noticed(
    name: str, all_profiles: dict[str, Profile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "SECONDS", 0.5)
    profile = all_profiles["basic"]
    engine = BROKEN[name](profile)
    damaged = (mutant for seed in ("everywhere", "report") for mutant in mutants(seed, hand_made()[seed], 60))
    instances = [*hand_made().items(), *((mutant.name, mutant.encoded) for mutant in damaged)]
    assert any(verdict(*instance, engine, profile).faults for instance in instances)
