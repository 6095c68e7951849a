"""What an archive lists or counts beside what is on our disk: what is missing, and what proves that nothing is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..pacs.find import Expected, InstanceMatch
from ..storage.manifests import RawInstance

#: SOPInstanceUID -> row
Rows = Mapping[str, RawInstance]


@dataclass(frozen=True)
class Comparison:
    """expected: instances that this batch has to bring; None where the archive cannot say, or counts fewer than there
    are. missing: of them. listed: those missing by name, None where the archive only counts. proved_by: IMAGE, SERIES
    or STUDY where nothing is missing, empty where something is, or nobody knows."""

    expected: int | None
    missing: int
    listed: list[InstanceMatch] | None
    proved_by: str


def compare(expected: Expected, here: Rows, not_wanted: Rows) -> Comparison:
    """here: what this batch has verified. not_wanted: what earlier batches have of the study."""
    if expected.instances is None:
        return _by_counts(expected, here, not_wanted)
    wanted = [one for one in expected.instances if one.sop_instance_uid not in not_wanted]
    missing = [one for one in wanted if one.sop_instance_uid not in here]
    is_complete = bool(expected.instances) and not missing
    return Comparison(len(wanted), len(missing), missing, "IMAGE" if is_complete else "")


def _by_counts(expected: Expected, here: Rows, not_wanted: Rows) -> Comparison:
    if expected.count is None or expected.count < len(here) + len(not_wanted):
        return Comparison(None, 0, None, "")
    count = expected.count - len(not_wanted)
    by_series = Counter(row.series_instance_uid for row in (*here.values(), *not_wanted.values()))
    is_complete = 0 < expected.count == len(here) + len(not_wanted) and (
        expected.level != "SERIES" or by_series == expected.series
    )
    return Comparison(count, count - len(here), None, expected.level if is_complete else "")


def joined(first: Expected, last: Expected) -> Expected:
    """Two listings of one study; the last one where they cannot be joined."""
    if first.instances is None or last.instances is None:
        return last
    both = {one.sop_instance_uid: one for one in (*first.instances, *last.instances)}
    return Expected(tuple(both[uid] for uid in sorted(both)), last.series, len(both), last.level)


def with_held(listed: Expected, here: Rows) -> Expected:
    """A list of instances, and what is here: for an archive that does not list all of it any more, and may again."""
    held = tuple(InstanceMatch(uid, row.sop_class_uid, row.series_instance_uid) for uid, row in here.items())
    return joined(listed, replace(listed, instances=held))


def has_more(last: Expected, first: Expected) -> bool:
    """The last one lists, or counts, something that the first one does not."""
    if first.instances is None or last.instances is None:
        return (last.count or 0) > (first.count or 0)
    return not {one.sop_instance_uid for one in last.instances} <= {one.sop_instance_uid for one in first.instances}
