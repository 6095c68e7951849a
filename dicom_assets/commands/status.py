"""`status`: how it stands with what was pushed to us, and whether somebody has to do something."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ..errors import REASONS
from ..settings import Settings, dagster_home
from ..workflow.health import Health, health, unfinished_batches
from ..workflow.job import coded_file_errors, zones_of
from .output import say

_GIVEN_UP = "BATCH_GIVEN_UP"


def status(options: argparse.Namespace) -> int:
    """3 where something needs a person."""
    settings = Settings.from_env()
    state = health(settings)
    with coded_file_errors():
        given_up = _given_up(dagster_home(settings.restricted_root.parent / "dagster"), settings)
    concerns = [*state.concerns, *([_GIVEN_UP] if given_up else [])]
    if options.json:
        print(json.dumps({**asdict(state), "batches_given_up": given_up, "needs_a_person": concerns}))
    else:
        for name, value in _lines(state, given_up):
            print(f"{name:<12}{value}")
    for code in concerns:
        say(f"{code}: {REASONS.get(code, '')}")
    return 3 if concerns else 0


def _given_up(home: Path, settings: Settings) -> list[str]:
    """Keys of batches whose run failed, and that will not run again by themselves. Dagster is asked only where a batch
    has not come to its end, and where there is an instance."""
    batches = unfinished_batches(zones_of(settings))
    if not batches or not (home / "dagster.yaml").is_file():
        return []
    from ..defs.instance import open_instance
    from ..defs.runs import given_up

    with open_instance(home) as instance:
        return list(given_up(instance, batches))


def _lines(state: Health, given_up: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What it is, and how it stands."""
    yield "receiver", "running" if state.receiver_running else "not running"
    yield "arriving", _studies(state.arriving_studies, state.arriving_instances)
    for_whom = ", for an operator" if state.waits_for_operator and state.settled_studies else ""
    yield "waiting", _studies(state.settled_studies, state.settled_instances) + for_whom
    if state.arriving_studies or state.settled_studies:
        yield "", f"nothing came for {state.oldest_waiting_seconds} s for the one that waits longest"
    yield "in work", f"{state.batches_in_work} batches, {state.studies_in_work} studies"
    if given_up:
        yield "given up", ", ".join(given_up)
    yield "released", f"{state.released_today} instances, of the batches that ended today"
    yield "quarantine", _by_reason(state.quarantined, "instances")
    if state.watched_waiting or state.watched_left or state.watch_problem:
        yield "watched", f"{state.watched_waiting} files waiting; left there: {_by_reason(state.watched_left, 'files')}"
    yield "disk", f"{_gigabytes(state.restricted_free_bytes)} free for restricted data"
    yield "", f"{_gigabytes(state.released_free_bytes)} free for released data"
    yield "", f"{_gigabytes(state.reserve_bytes)} are kept free of arrivals"


def _studies(studies: int, instances: int) -> str:
    return f"{studies} studies, {instances} instances"


def _by_reason(counts: Mapping[str, int], what: str) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return f"{sum(counts.values())} {what}" + (f": {reasons}" if reasons else "")


def _gigabytes(count: int) -> str:
    return f"{count / (1 << 30):.1f} GB"
