"""A-ASSOCIATE PDUs: pynetdicom reads what we write, and we read what peers make of the standard."""

import struct

import pytest
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

from dicom_assets.errors import BadInput
from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.contexts import GET_MODEL, UNCOMPRESSED
from dicom_assets.pacs.negotiation import accept, answered_contexts, association_request, parse

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = UNCOMPRESSED
PROPOSALS = [(GET_MODEL, UNCOMPRESSED), (CT, [EXPLICIT]), (CT, [IMPLICIT])]
ROLES = frozenset([CT])


def item(kind: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    return struct.pack(">BxH", kind, len(value)) + value


def result(context_id: int, reason: int, *syntaxes: str) -> bytes:
    return item(0x21, bytes((context_id, 0, reason, 0)), *(item(0x40, each.encode()) for each in syntaxes))


def role(sop_class: str, as_scu: int, as_scp: int) -> bytes:
    return item(0x54, len(sop_class).to_bytes(2, "big"), sop_class.encode(), bytes((as_scu, as_scp)))


FIXED = b"\x00\x01\x00\x00" + b"ARCHIVE".ljust(16) + b"DICOM_ASSETS".ljust(16) + bytes(32)
ALL = [result(1, 0, IMPLICIT), result(3, 0, EXPLICIT), result(5, 0, IMPLICIT)]
LENGTH = item(0x51, (16384).to_bytes(4, "big"))
ROLE = role(CT, 0, 1)


def answer(*items: bytes, said: bytes = LENGTH + ROLE) -> bytes:
    return FIXED + item(0x10, b"1.2.840.10008.3.1.1.1") + b"".join(items) + item(0x50, said)


@pytest.mark.parametrize(
    "body",
    [
        answer(*ALL),
        answer(*reversed(ALL)),
        answer(*ALL, result(7, 0, EXPLICIT), result(2, 0, EXPLICIT)),
        answer(result(1, 0, IMPLICIT + "\0"), result(3, 0, EXPLICIT + "\0"), result(5, 0, IMPLICIT + " ")),
        answer(*ALL, item(0x77, b"what is this")),
        answer(*ALL, said=LENGTH + ROLE + item(0x55, "Präzise Bildarchivierung GmbH".encode("latin-1"))),
        answer(*ALL, said=LENGTH + item(0x52, b"no uid") + ROLE + item(0x99, b"") + item(0x53, bytes(4))),
        answer(*ALL, said=LENGTH + ROLE + role("1.2.3", 0, 1) + role(GET_MODEL, 1, 0)),
        answer(*ALL, said=LENGTH + role(CT + "\0", 1, 1)),
        answer(*ALL) + b"\x00\x00",
    ],
    ids=[
        "plain",
        "in another order",
        "contexts that were not proposed",
        "padded",
        "an unknown item",
        "no ASCII",
        "odd user information",
        "more roles",
        "both roles",
        "more bytes",
    ],
)
def test_an_answer_is_understood(body: bytes) -> None:
    contexts = answered_contexts(parse(body), PROPOSALS, ROLES)
    assert {each.context_id: (each.transfer_syntax, each.as_scu, each.as_scp) for each in contexts.values()} == {
        1: (IMPLICIT, True, False),
        3: (EXPLICIT, False, True),
        5: (IMPLICIT, False, True),
    }


@pytest.mark.parametrize(
    "second",
    [
        [],
        [result(3, 3)],
        [result(3, 4, "")],
        [result(3, 4, "not a uid")],
        [result(3, 0)],
        [result(3, 0, "1.2.840.10008.1.2.4.50")],
        [result(3, 0, EXPLICIT), result(3, 3, EXPLICIT)],
    ],
    ids=["absent", "refused", "empty", "no uid", "no syntax", "a syntax that was not proposed", "refused after all"],
)
def test_one_context_that_is_not_accepted_spoils_no_other(second: list[bytes]) -> None:
    contexts = answered_contexts(parse(answer(ALL[0], *second, ALL[2])), PROPOSALS, ROLES)
    assert set(contexts) == {1, 5}


@pytest.mark.parametrize("said", [b"", role(CT, 0, 0), role(CT, 1, 0), role("1.2.3", 0, 1), item(0x54, b"\x00")])
def test_a_role_is_played_only_where_the_answer_grants_it(said: bytes) -> None:
    contexts = answered_contexts(parse(answer(*ALL, said=LENGTH + said)), PROPOSALS, ROLES)
    assert not any(each.as_scp for each in contexts.values())


@pytest.mark.parametrize("body", [b"", FIXED[:-1], answer(*ALL)[:-3], FIXED + b"\x21\x00\xff\xff" + bytes(40)])
def test_what_is_cut_short_is_no_dicom(body: bytes) -> None:
    with pytest.raises(BadInput, match="PACS_NOT_DICOM"):
        parse(body)


def test_pynetdicom_reads_what_we_write() -> None:
    archive = Archive("", 0, "MY OLD ARCHIVE", "DICOM ASSETS 1")
    body = association_request(archive, PROPOSALS, ROLES)
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(struct.pack(">BxI", 1, len(body)) + body)
    request = pdu.to_primitive()
    assert (request.called_ae_title, request.calling_ae_title) == ("MY OLD ARCHIVE", "DICOM ASSETS 1")
    assert [
        (each.context_id, each.abstract_syntax, each.transfer_syntax)
        for each in request.presentation_context_definition_list
    ] == [(1, GET_MODEL, UNCOMPRESSED), (3, CT, [EXPLICIT]), (5, CT, [IMPLICIT])]
    said, contexts = accept(parse(body), frozenset([CT]), [IMPLICIT])
    assert set(contexts) == {5}
    pdu = A_ASSOCIATE_AC()
    pdu.decode(struct.pack(">BxI", 2, len(said)) + said)
    answered = pdu.to_primitive()
    assert [each.result for each in answered.presentation_context_definition_results_list] == [3, 4, 0]
    assert (answered.called_ae_title, answered.maximum_length_received) == ("MY OLD ARCHIVE", 131072)
