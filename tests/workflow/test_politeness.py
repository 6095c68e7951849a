"""Hours, circuit breaker, further runs: when an archive is talked to, and when it is left alone."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.errors import BadInput, RetryLater
from dicom_assets.pacs.archive import Archive
from dicom_assets.settings.hours import Hours, read_hours
from dicom_assets.workflow.again import MOST_TIMES, pause_before
from dicom_assets.workflow.breaker import Breaker, all_left_alone
from dicom_assets.workflow.politeness import Politeness
from tests.support.ports import free_port

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = "Mon-Fri 20:00-06:00, Sat-Sun 00:00-24:00"


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ("2026-11-23 19:59", "2026-11-23 20:00"),  # a Monday
        ("2026-11-23 20:00", "2026-11-23 20:00"),
        ("2026-11-24 05:59", "2026-11-24 05:59"),
        ("2026-11-24 06:00", "2026-11-24 20:00"),
        ("2026-11-28 07:00", "2026-11-28 07:00"),  # Friday's window has ended, Saturday is open all day
        ("2026-11-30 00:00", "2026-11-30 20:00"),  # Sunday's ends at midnight, Monday's begins in the evening
    ],
)
def test_hours_open_and_close_by_the_clock_on_the_sites_wall(now: str, opening: str) -> None:
    hours = read_hours(NIGHTS, "Europe/Berlin")
    assert hours.is_open(berlin(now)) == (now == opening)
    assert hours.next_opening(berlin(now).astimezone(UTC)) == berlin(opening)
    assert hours.is_open(berlin(opening))


def test_a_night_with_another_hour_still_ends_at_six() -> None:
    hours = read_hours("20:00-06:00", "Europe/Berlin")
    for evening, length in (("2026-10-24 20:00", 11), ("2026-03-28 20:00", 9), ("2026-11-10 20:00", 10)):
        begin = berlin(evening).astimezone(UTC)
        assert not hours.is_open(begin - timedelta(seconds=1))
        assert all(hours.is_open(begin + timedelta(minutes=m)) for m in range(0, 60 * length, 15))
        assert not hours.is_open(begin + timedelta(hours=length))


def test_the_hour_that_a_clock_lives_twice_is_told_apart() -> None:
    hours = read_hours("Sun 02:30-03:30", "Europe/Berlin")
    twice = berlin("2026-10-25 02:45")
    assert hours.is_open(twice)
    assert hours.is_open(twice.replace(fold=1))
    assert not hours.is_open(berlin("2026-10-25 03:30"))


def test_days_may_run_over_the_end_of_the_week_and_no_hours_are_all_hours() -> None:
    hours = read_hours("fri-mon 22:00-23:00", "Europe/Berlin")
    days = [f"2026-11-{day} 22:30" for day in range(23, 30)]  # Monday to Sunday
    assert [hours.is_open(berlin(day)) for day in days] == [True, False, False, False, True, True, True]
    assert Hours().is_open(datetime.now(UTC))
    assert read_hours("", "").windows == ()


def test_what_it_says_names_day_time_and_zone() -> None:
    hours = read_hours(NIGHTS, "Europe/Berlin")
    assert hours.describe(datetime(2026, 11, 23, 19, tzinfo=UTC)) == "Mon 2026-11-23 20:00 CET"


def test_a_process_waits_for_the_hours_says_it_once_and_gives_its_turn_up() -> None:
    calls: list[str] = []

    class Turn:
        def take(self, hang_up: Callable[[], object]) -> None:
            calls.append("take")

        def give_up(self) -> None:
            calls.append("give up")

    in_a_moment = datetime.now().astimezone() + timedelta(seconds=2)
    hours = _Opening(in_a_moment)
    said: list[str] = []
    polite = Politeness(hours=hours, turn=Turn(), say=said.append)
    ask(polite, Archive("127.0.0.1", 1, "ANY", "US"), lambda: calls.append("hang up"))
    assert datetime.now().astimezone() >= in_a_moment
    assert calls == ["hang up", "give up", "take"]
    assert said == [f"waiting for the archive's hours: they begin {hours.describe(in_a_moment)}"]


def ask(polite: Politeness, archive: Archive, *hang_up: Callable[[], object]) -> None:
    with polite.talking_to(archive, *hang_up):
        pass


class _Opening(Hours):
    """Hours that begin at a moment which is no full minute."""

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        object.__setattr__(self, "moment", moment)

    def is_open(self, now: datetime) -> bool:
        return now >= self.moment

    def next_opening(self, now: datetime) -> datetime:
        return self.moment


@pytest.fixture
def down() -> Archive:
    """Nothing listens at its port."""
    return Archive("127.0.0.1", free_port(), "DEMO_ARCHIVE", "DICOM_ASSETS")


def up(archive: EmbeddedArchive, name: str = "1") -> Archive:
    return Archive("127.0.0.1", archive.port, "DEMO_ARCHIVE", "DICOM_ASSETS", name=name)


def fail(folder: Path, archive: Archive, times: int) -> None:
    for _ in range(times):
        with pytest.raises(RetryLater, match="PACS_PORT_CLOSED"), Politeness(folder).talking_to(archive):
            raise RetryLater("PACS_PORT_CLOSED")


def let_the_pause_pass(folder: Path) -> None:
    path = folder / "1.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"until": 1.0}))


def seconds_left(folder: Path, archive: Archive) -> float:
    return (Breaker(folder, archive).opened_until - datetime.now(UTC)).total_seconds()


def test_three_failures_in_a_row_and_the_archive_is_left_alone(tmp_path: Path, down: Archive) -> None:
    polite = Politeness(tmp_path)
    fail(tmp_path, down, 2)
    ask(polite, down)  # it answers, and the count begins anew
    fail(tmp_path, down, 3)
    with pytest.raises(RetryLater, match="PACS_BREAKER_OPEN"):
        ask(polite, down)
    assert 20 < seconds_left(tmp_path, down) < 40
    assert all_left_alone(tmp_path, (down,)) == Breaker(tmp_path, down).opened_until


def test_each_trial_that_fails_doubles_the_pause_up_to_a_quarter_of_an_hour(tmp_path: Path, down: Archive) -> None:
    fail(tmp_path, down, 3)
    for pause in (60, 120, 240, 480, 900, 900):
        let_the_pause_pass(tmp_path)
        with pytest.raises(RetryLater, match="PACS_BREAKER_OPEN"):
            ask(Politeness(tmp_path), down)
        assert 0.7 * pause < seconds_left(tmp_path, down) < 1.3 * pause


def test_after_the_pause_one_trial_that_succeeds_closes_it(tmp_path: Path, archive: EmbeddedArchive) -> None:
    one = up(archive)
    fail(tmp_path, one, 3)
    let_the_pause_pass(tmp_path)
    assert all_left_alone(tmp_path, (one,)) is None
    ask(Politeness(tmp_path), one)
    assert Breaker(tmp_path, one).opened_until is None


def test_after_the_pause_only_one_process_tries(tmp_path: Path, down: Archive) -> None:
    fail(tmp_path, down, 3)
    let_the_pause_pass(tmp_path)
    trials, others = [], threading.Barrier(3)

    def probe(_archive: Archive) -> None:
        trials.append(1)
        others.wait(timeout=60)  # it lasts until the others have been told to wait
        raise RetryLater("PACS_PORT_CLOSED")

    def come(wait_for_others: bool) -> None:
        with pytest.raises(RetryLater, match="PACS_BREAKER_OPEN"):
            Breaker(tmp_path, down, probe).admit()
        if wait_for_others:
            others.wait(timeout=60)

    first = threading.Thread(target=come, args=(False,))
    first.start()
    while not trials:
        pass
    rest = [threading.Thread(target=come, args=(True,)) for _ in range(2)]
    for thread in rest:
        thread.start()
    for thread in (first, *rest):
        thread.join(timeout=60)
    assert trials == [1]


def test_who_starts_a_run_by_hand_need_not_wait_for_the_pause(
    tmp_path: Path, archive: EmbeddedArchive, down: Archive
) -> None:
    one, two = up(archive), up(archive, name="2")
    fail(tmp_path, one, 3)
    Politeness(tmp_path).greet([one])
    ask(Politeness(tmp_path), one)
    with pytest.raises(RetryLater, match="PACS_PORT_CLOSED"):
        Politeness(tmp_path).greet([down])
    Politeness(tmp_path).greet([down, two])  # the second one does


def test_an_archive_at_another_address_is_another_archive(
    tmp_path: Path, archive: EmbeddedArchive, down: Archive
) -> None:
    fail(tmp_path, down, 3)
    ask(Politeness(tmp_path), up(archive))


def test_an_archive_that_says_what_is_wrong_is_not_down(tmp_path: Path, down: Archive) -> None:
    for _ in range(5):
        with pytest.raises(BadInput), Politeness(tmp_path).talking_to(down):
            raise BadInput("PACS_REJECTED_CALLED_AE_TITLE")
    ask(Politeness(tmp_path), down)
    assert list(tmp_path.iterdir()) == []


def test_the_state_that_is_kept_names_no_host(tmp_path: Path, down: Archive) -> None:
    fail(tmp_path, down, 3)
    text = (tmp_path / "1.json").read_text()
    assert down.host not in text
    assert str(down.port) not in json.loads(text).values()
    (tmp_path / "1.json").write_text("damaged")
    ask(Politeness(tmp_path), down)


def test_the_pauses_between_further_runs_grow_and_end() -> None:
    pauses = [pause_before(number, "nightly-20261123-001") for number in range(1, MOST_TIMES + 1)]
    assert 300 <= pauses[0] <= 375
    assert pauses[:6] == sorted(pauses[:6])
    assert max(pauses) <= 1.25 * 4 * 3600
    assert 2 * 86400 < sum(pauses) < 4 * 86400
    assert pauses[0] != pause_before(1, "nightly-20261123-002")
