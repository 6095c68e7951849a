"""Which patient has which pseudonym by now, be it only on paper: what the mapping says, what the site's file gave, and
what batches have settled that are not mapped yet. Whoever settles more holds the lock until it is written down, so that
two batches cannot give one pseudonym to two patients, or a patient two, before either is mapped."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..batches.request import list_batches
from ..deid.pseudonyms import PseudonymKey
from ..storage.atomic import exclusive_lock
from ..storage.given import read_given
from ..storage.manifests import ResolvedStudy
from ..storage.mapping import mapped_batches, pseudonyms_in_use
from ..storage.tables import read_sealed
from ..storage.zones import Zones
from .pseudonym_conflicts import pseudonym_of

_WHY = "one pseudonym a patient"


@contextmanager
def settling(zones: Zones) -> Iterator[None]:
    """One process at a time."""
    with exclusive_lock(zones.lock("mapping"), wait=True):
        yield


def mapped_and_given(zones: Zones, but_not: str = "") -> dict[str, str]:
    """Original patient ID -> pseudonym. but_not: a batch whose part of the mapping is left out."""
    return read_given(zones, _WHY) | pseudonyms_in_use(zones, but_not=but_not)


def settled_pseudonyms(zones: Zones, key: PseudonymKey, but_not: str = "") -> dict[str, str]:
    """As mapped_and_given(), and of batches that know their studies and are not mapped yet. The caller is
    settling()."""
    settled = mapped_and_given(zones, but_not)
    for batch in sorted(set(list_batches(zones)) - set(mapped_batches(zones)) - {but_not}):
        for study in read_sealed(zones.resolved_studies(batch), ResolvedStudy):
            pseudonym = pseudonym_of(key, study)
            if study.state == "found" and study.patient_id and pseudonym:
                settled.setdefault(study.patient_id, pseudonym)
    return settled
