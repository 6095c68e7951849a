"""C-FIND responses: which of the asked attributes an entity has, counts included."""

from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from .index import KEYWORDS, LEVELS, UNIQUE_KEYS, Entry, matches, modalities_match


def responses(entries: Iterable[Entry], identifier: Dataset, level: str, ae_title: str) -> Iterator[Dataset]:
    """One response for each matching entity of the level, in the order of storage."""
    entries = list(entries)
    found: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        if matches(entry, identifier, level):
            found.setdefault(_entity(entry, level), entry)
    groups = _grouped(entries, level)
    studies = _grouped(entries, "STUDY")
    for entity, entry in found.items():
        of_study = studies[_entity(entry, "STUDY")]
        modalities = _distinct(of_study, "Modality")
        if modalities_match(identifier, modalities):
            yield _response(entry, groups[entity], of_study, identifier, level, ae_title)


def _response(
    entry: Entry, of_entity: list[Entry], of_study: list[Entry], identifier: Dataset, level: str, ae_title: str
) -> Dataset:
    response = Dataset()
    counted = _counted(of_entity, of_study, level)
    known = {keyword for above in LEVELS[: LEVELS.index(level) + 1] for keyword in KEYWORDS[above].split()}
    for element in identifier:
        keyword = element.keyword
        if keyword in counted:
            setattr(response, keyword, counted[keyword])
        elif keyword in known:
            setattr(response, keyword, entry.header.get(keyword))
    if "SpecificCharacterSet" in entry.header:
        response.SpecificCharacterSet = entry.header.SpecificCharacterSet
    response.QueryRetrieveLevel = level
    response.RetrieveAETitle = ae_title
    if "InstanceAvailability" in identifier:
        response.InstanceAvailability = "ONLINE"
    return response


def _counted(of_entity: list[Entry], of_study: list[Entry], level: str) -> dict[str, object]:
    if level == "PATIENT":
        return {
            "NumberOfPatientRelatedStudies": len(_distinct(of_entity, "StudyInstanceUID")),
            "NumberOfPatientRelatedSeries": len(_distinct(of_entity, "SeriesInstanceUID")),
            "NumberOfPatientRelatedInstances": len(of_entity),
        }
    counts: dict[str, object] = {
        "ModalitiesInStudy": _distinct(of_study, "Modality"),
        "SOPClassesInStudy": _distinct(of_study, "SOPClassUID"),
        "NumberOfStudyRelatedSeries": len(_distinct(of_study, "SeriesInstanceUID")),
        "NumberOfStudyRelatedInstances": len(of_study),
    }
    if level != "STUDY":
        series = of_entity[0].uid_of("SERIES")
        counts["NumberOfSeriesRelatedInstances"] = sum(entry.uid_of("SERIES") == series for entry in of_study)
    return counts


def _grouped(entries: list[Entry], level: str) -> dict[tuple[str, ...], list[Entry]]:
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_entity(entry, level), []).append(entry)
    return groups


def _entity(entry: Entry, level: str) -> tuple[str, ...]:
    """What tells the level's entities apart; a study is one study whatever its patient is called."""
    if level == "PATIENT":
        return (entry.uid_of("PATIENT"),)
    return tuple(entry.uid_of(above) for above in LEVELS[1 : LEVELS.index(level) + 1])


def _distinct(entries: list[Entry], keyword: str) -> list[str]:
    return sorted({str(entry.header[keyword].value) for entry in entries if keyword in entry.header})


def selected(entries: Iterable[Entry], identifier: Dataset, level: str) -> list[Entry] | None:
    """Instances that a C-GET or C-MOVE identifier names by unique keys; None where it names none at its level."""
    asked: dict[str, set[str]] = {}
    for above in LEVELS[: LEVELS.index(level) + 1]:
        value = identifier.get(UNIQUE_KEYS[above])
        if value:
            asked[above] = set(map(str, value)) if isinstance(value, (list, MultiValue)) else {str(value)}
    if level not in asked:
        return None
    return [entry for entry in entries if all(entry.uid_of(above) in values for above, values in asked.items())]
