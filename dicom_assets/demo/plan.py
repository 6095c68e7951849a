"""Which studies there are: the tables of the two corpora, and the slots that the generator fills."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from .identities import PERSONS, SECOND_PATIENT_ID, SITES, Person, Site

_ROOT = "1.2.826.0.1.3680043.10.1337"


@dataclass(frozen=True)
class SeriesPlan:
    kind: str  #: a key of images.BUILDERS or documents.BUILDERS, or `borrowed:<file of pydicom>`
    count: int
    syntax: str = "explicit"  #: explicit, implicit, rle, jpeg, jpeg2000


@dataclass(frozen=True)
class StudyPlan:
    person: str
    title: str  #: StudyDescription, with {name} and {id}
    series: tuple[SeriesPlan, ...]
    traits: frozenset[str] = frozenset()  #: see planting.py; also case, second-id, shared-accession


@dataclass(frozen=True)
class Visit:
    """One study of one person. number: counts all studies of a corpus from 0."""

    number: int
    person: Person
    patient_id: str
    site: Site
    study_date: str
    study_time: str
    accession_number: str
    description: str
    traits: frozenset[str]
    previous_study_uid: str | None  #: the same person's, of this corpus

    @property
    def study_uid(self) -> str:
        return f"{_ROOT}.1.{1000 + self.number}"

    def series_uid(self, series: int) -> str:
        return f"{_ROOT}.2.{1000 + self.number}.{100 + series}"

    def instance_uid(self, series: int, instance: int) -> str:
        return f"{_ROOT}.3.{1000 + self.number}.{100 + series}.{1000 + instance}"

    @property
    def frame_of_reference_uid(self) -> str:
        return f"{_ROOT}.4.{1000 + self.number}"

    def other_uid(self, number: int) -> str:
        """For steps, dimensions and whatever else has a UID."""
        return f"{_ROOT}.5.{1000 + self.number}.{100 + number}"


@dataclass(frozen=True)
class Slot:
    """One instance to make. series and number count from 1."""

    visit: Visit
    series: int
    kind: str
    number: int
    count: int  #: instances of its series
    syntax: str
    size: int  #: rows and columns of a slice
    siblings: tuple[SeriesPlan, ...]  #: all series of the study, in order

    @property
    def instance_uid(self) -> str:
        return self.visit.instance_uid(self.series, self.number)


def slots(plans: tuple[StudyPlan, ...], size: int, scale: int) -> Iterator[Slot]:
    """Every instance, in the order of writing; with scale n each study comes n times, with later dates."""
    for visit, plan in visits(plans, scale):
        for series_number, series in enumerate(plan.series, 1):
            for number in range(1, series.count + 1):
                yield Slot(visit, series_number, series.kind, number, series.count, series.syntax, size, plan.series)


def visits(plans: tuple[StudyPlan, ...], scale: int) -> Iterator[tuple[Visit, StudyPlan]]:
    last_study: dict[str, str] = {}
    accession_number = ""
    for number, plan in enumerate(plans * scale):
        person = PERSONS[plan.person]
        if "shared-accession" not in plan.traits:
            accession_number = f"ACC-{7204411 + number * 37}"
        visit = Visit(
            number=number,
            person=person,
            patient_id=SECOND_PATIENT_ID[plan.person] if "second-id" in plan.traits else person.patient_id,
            site=SITES[number % len(SITES)],
            study_date=(date(2021, 3, 11) + timedelta(days=number * 53)).strftime("%Y%m%d"),
            study_time=f"{8 + number % 10:02d}{number * 7 % 60:02d}17",
            accession_number=accession_number,
            description=plan.title.format(name=person.natural_name, id=person.patient_id),
            traits=plan.traits,
            previous_study_uid=last_study.get(plan.person),
        )
        last_study[plan.person] = visit.study_uid
        yield visit, plan


def _study(person: str, title: str, series: str, traits: str = "") -> StudyPlan:
    """series: `kind count [syntax]`, separated by commas."""
    parts = [part.split() for part in series.split(",")]
    return StudyPlan(
        person,
        title,
        tuple(SeriesPlan(kind, int(count), *syntax) for kind, count, *syntax in parts),
        frozenset(traits.split()),
    )


_BORROWED = (
    "borrowed:CT_small.dcm 1, borrowed:693_J2KI.dcm 1, borrowed:MR_small.dcm 1, borrowed:MR_small_RLE.dcm 1, "
    "borrowed:MR_small_jp2klossless.dcm 1, borrowed:MR_small_jpeg_ls_lossless.dcm 1, borrowed:examples_overlay.dcm 1, "
    "borrowed:SC_rgb_jpeg_dcmtk.dcm 1"
)

FULL: tuple[StudyPlan, ...] = (
    _study("schmidt", "CHEST CT for {name}, MRN {id}", "ct 48, rtstruct 1, sr 1", "private nested preamble meta"),
    _study("schmidt", "Thorax {name}", "cr 2, cr 1 jpeg", "shared-accession nested"),
    _study("mueller", "MRT Schädel {name}", "mr-t1 20 implicit, mr-t2 20 implicit", "private nested"),
    _study("mueller", "Hand rechts", "dx 2, sr 1", "preamble"),
    _study("yamada", "CT thorax ({name})", "ct 48", "meta"),
    _study("yamada", "Abdomen ultrasound", "us-text 4, us-cine-text 1", "nested"),
    _study("hong", "PET/CT whole body {name} {id}", "pt 36, ct 36", "private"),
    _study("hong", "MR brain", "mr-t1 28 rle", "nested"),
    _study("ivanchenko", "CT chest, {name}", "ct 32 jpeg2000", "private preamble"),
    _study("ivanchenko", "Chest PA", "cr 2 jpeg"),
    _study("zhaolin", "MR brain multi-frame {name}", "mr-enhanced 2, mr-t1 24", "nested"),
    _study("zhaolin", "Screen capture", "sc-text 3", "private"),
    _study("young", "RT planning {name}", "ct 40, rtstruct 1", "tail"),
    _study("young", "Report on {name}, {id}", "sr 2", "private nested"),
    _study("fernwright", "MR brain", "mr-t1 16, mr-t2 14", "nested"),
    _study("fernwright", "CT chest follow-up {name}", "ct 32", "second-id nested"),
    _study("lindqvist", "FDG PET {name}", "pt 30, ct 30", "meta private"),
    _study("lindqvist", "Thyroid ultrasound", "us 6, us-cine 1"),
    _study("delacroix", "IRM cérébrale {name}", "mr-t1 22, mr-t2 22", "case nested"),
    _study("delacroix", "Main", "dx 2 jpeg"),
    _study("thornbury", "CT chest {name}", "ct 44", "overlay private"),
    _study("thornbury", "Outside films of {name}", _BORROWED, "preamble nested"),
    _study("callaghan", "MR brain {name}", "mr-t2 24, mr-enhanced 1 rle", "private"),
    _study("callaghan", "Chest", "cr 2, sc-text 2"),
    _study("castellanos", "TAC de tórax {name}", "ct 32", "tail private nested"),
    _study("castellanos", "Ecografía", "us-text 3, us 2", "meta"),
    _study("ormsby", "Hand, growth plate {name}", "dx 2, mr-t1 16", "preamble private"),
    _study("lindqvist", "MR brain {name}", "mr-t2 16, mr-thin 10", "nested"),
)

SMALL: tuple[StudyPlan, ...] = (
    _study("schmidt", "CHEST CT for {name}, MRN {id}", "ct 8, rtstruct 1, sr 1", "private nested preamble meta"),
    _study("schmidt", "Thorax {name}", "cr 1, cr 1 jpeg", "shared-accession"),
    _study("mueller", "MRT Schädel {name}", "mr-t1 5 implicit, mr-t2 2 implicit", "private overlay"),
    _study("yamada", "Abdomen ultrasound {name}", "us-text 2, us-cine-text 1, us 1, us-cine 1", "nested"),
    _study("hong", "PET/CT whole body {name} {id}", "pt 4, ct 3", "private tail"),
    _study("ivanchenko", "CT chest, {name}", "ct 4 jpeg2000, dx 1, dx 1 jpeg", "private"),
    _study("zhaolin", "MR brain multi-frame {name}", "mr-enhanced 1, sc-text 2", "nested"),
    _study("young", "Outside films of {name}", _BORROWED + ", sr 1", "preamble meta"),
    _study("fernwright", "MR brain", "mr-t1 4 rle", "private nested"),
    _study("fernwright", "CT chest follow-up {name}", "ct 4", "second-id case nested"),
)
