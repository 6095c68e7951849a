"""Command sets, back and forth."""

import pytest

from dicom_assets.errors import RetryLater
from dicom_assets.pacs.commands import C_GET_RQ, C_GET_RSP, Command, decode, encode, request, response


def test_a_request_and_its_response_come_back_as_they_were() -> None:
    asked = request(C_GET_RQ, 7, "1.2.840.10008.5.1.4.1.2.2.3", has_data=True)
    answered = response(asked, 0xB000, NumberOfFailedSuboperations=1)
    assert decode(encode(asked)) == asked
    assert decode(encode(answered)) == answered
    assert (answered.field, answered.status, answered.has_data) == (C_GET_RSP, 0xB000, False)


def test_what_is_appended_to_a_command_set_is_no_part_of_it() -> None:
    """As Orthanc 1.10 does with (0008,0058), the list of failed instances."""
    command = Command({"CommandField": C_GET_RSP, "Status": 0xC000})
    appended = b"\x08\x00\x58\x00\x08\x00\x00\x001.2.3.4\x00"
    assert decode(encode(command) + appended) == command


@pytest.mark.parametrize(
    "damaged",
    [b"\x08\x00\x58\x00\x00\x00\x00\x00", b"\x00\x00\x00\x01\x02", b"\x00\x00\x00\x09\x08\x00\x00\x00\x00\x00"],
)
def test_what_is_no_command_set_is_refused(damaged: bytes) -> None:
    with pytest.raises(RetryLater, match="PACS_UNREADABLE_ANSWER"):
        decode(damaged)
