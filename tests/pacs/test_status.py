"""The table of statuses, and the reason codes that the client side of the archive uses."""

import re
from pathlib import Path

import pytest

import dicom_assets.pacs
from dicom_assets.errors import REASONS, BadInput, RetryLater
from dicom_assets.pacs.commands import Command
from dicom_assets.pacs.status import MEANINGS, SERVICES, meaning_of, read_status


@pytest.mark.parametrize(
    ("service", "status", "meaning", "reason"),
    [
        ("echo", 0x0000, "success", ""),
        ("find", 0x0000, "success", ""),
        ("find", 0xFF00, "pending", ""),
        ("find", 0xFF01, "pending", ""),
        ("find", 0xA700, "again_later", "PACS_OUT_OF_RESOURCES"),
        ("find", 0xA900, "refused", "PACS_IDENTIFIER_REFUSED"),
        ("find", 0xC000, "refused", "PACS_QUERY_FAILED"),
        ("find", 0xCFFF, "refused", "PACS_QUERY_FAILED"),
        ("find", 0xFE00, "refused", "PACS_QUERY_CAPPED"),
        ("find", 0xB001, "refused", "PACS_QUERY_CAPPED"),
        ("find", 0x0122, "configuration", "PACS_SERVICE_NOT_SUPPORTED"),
        ("find", 0x0124, "configuration", "PACS_NOT_AUTHORIZED"),
        ("get", 0xA701, "again_later", "PACS_OUT_OF_RESOURCES"),
        ("move", 0xA702, "again_later", "PACS_SUBOPERATIONS_REFUSED"),
        ("move", 0xA801, "configuration", "PACS_UNKNOWN_DESTINATION"),
        ("get", 0xA900, "refused", "PACS_IDENTIFIER_REFUSED"),
        ("get", 0xB000, "partial", "PACS_SUBOPERATIONS_FAILED"),
        ("get", 0xC000, "refused", "PACS_RETRIEVE_FAILED"),
        ("move", 0xC000, "refused", "PACS_MOVE_FAILED"),
        ("get", 0xFE00, "refused", "PACS_RETRIEVE_CANCELLED"),
        ("find", 0xFFFF, "refused", "PACS_UNKNOWN_STATUS"),
        ("get", 0x1234, "refused", "PACS_UNKNOWN_STATUS"),
    ],
)
def test_each_status_has_its_meaning(service: str, status: int, meaning: str, reason: str) -> None:
    found = meaning_of(service, status)
    assert (found.meaning, found.reason) == (meaning, reason)


@pytest.mark.parametrize("service", SERVICES)
def test_every_status_has_a_meaning_and_only_well_ones_have_no_reason(service: str) -> None:
    for status in range(0x10000):
        found = meaning_of(service, status)
        assert found.meaning in MEANINGS
        assert (found.reason == "") == (found.is_success or found.is_pending)
        assert found.reason == "" or found.reason in REASONS


def test_nothing_but_0000_is_success() -> None:
    for service in SERVICES:
        assert [status for status in range(0x10000) if meaning_of(service, status).is_success] == [0x0000]


def test_a_response_without_a_status_is_none_that_can_be_read() -> None:
    assert read_status("get", Command({})).reason == "PACS_UNREADABLE_ANSWER"


def test_what_may_pass_by_itself_is_to_be_retried() -> None:
    assert isinstance(meaning_of("find", 0xA700).as_error(), RetryLater)
    assert isinstance(meaning_of("find", 0x0124).as_error(), BadInput)


def test_every_reason_code_in_the_source_has_its_sentence() -> None:
    source = "".join(path.read_text() for path in Path(dicom_assets.pacs.__path__[0]).glob("*.py"))
    codes = set(re.findall(r'"((?:PACS|QUERY|RECEIVER|DISK)_[A-Z_]+)"', source))
    assert len(codes) > 20
    assert codes <= set(REASONS)
