import contextlib
import random
from collections.abc import Iterator

import pytest

from dicom_assets.pacs.multipart import BodyEnded, Multipart

CONTENTS = [b"one", b"", b"\r\n--edg", b"--edge\r\n", b"\r\n--edgewise\r\n\r\n", b"\r\n" * 40, b"last\r\n"]


def body_of(contents: list[bytes], preamble: bytes = b"") -> bytes:
    parts = b"".join(b"\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n" + each for each in contents)
    whole = preamble + parts + b"\r\n--edge--\r\n"
    return whole if preamble else whole[2:]


def multipart(body: bytes, piece: int = 1 << 30, boundary: str = "edge") -> Multipart:
    """Of a body that comes in pieces of so many bytes."""
    at = 0

    def read_into(buffer: memoryview) -> int:
        nonlocal at
        count = min(piece, len(buffer), len(body) - at)
        buffer[:count] = body[at : at + count]
        at += count
        return count

    return Multipart(boundary, read_into)


def contents_of(parts: Multipart) -> Iterator[bytes]:
    return (b"".join(map(bytes, part.pieces)) for part in parts.parts())


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 7, 11, 64, 1 << 20])
def test_parts_come_out_whole_however_the_body_is_cut_into_pieces(piece: int) -> None:
    assert list(contents_of(multipart(body_of(CONTENTS), piece))) == CONTENTS
    assert list(contents_of(multipart(body_of(CONTENTS, b"a preamble"), piece))) == CONTENTS


def test_parts_larger_than_the_buffer_come_out_whole() -> None:
    noise = random.Random(1).randbytes((5 << 20) // 2)
    contents = [noise, noise[:-1] + b"\r", noise + b"\r\n--edg"]
    assert list(contents_of(multipart(body_of(contents)))) == contents


def test_of_a_body_that_is_cut_anywhere_only_whole_parts_come_out() -> None:
    contents = [b"one", b"two"]
    body = body_of(contents)
    for length in range(len(body) - len(b"\r\n")):
        with pytest.raises(BodyEnded):
            list(contents_of(multipart(body[:length])))
        seen = list(until_it_ends(contents_of(multipart(body[:length]))))
        whole = [each for each in contents if each + b"\r\n--edge" in body[: max(length - 2, 0)]]
        assert seen == whole


def until_it_ends(parts: Iterator[bytes]) -> Iterator[bytes]:
    with contextlib.suppress(BodyEnded):
        yield from parts


def test_a_part_that_is_not_read_is_passed_over() -> None:
    assert sum(1 for _ in multipart(body_of(CONTENTS), 5).parts()) == len(CONTENTS)


def test_the_stated_length_of_a_part_is_handed_on() -> None:
    body = b"--edge\r\ncontent-LENGTH: 3\r\nX: y\r\n\r\none\r\n--edge \t\r\n\r\ntwo\r\n--edge--"
    assert [part.length for part in multipart(body).parts()] == [3, None]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no delimiter at all",
        b"--edge\r\n" + b"X: y\r\n" * 1000 + b"\r\n\r\n--edge--",
        b"--edge\r\nX: " + b"y" * 100_000,
        b"--edge\r\n\r\ncontent without an end",
    ],
)
def test_what_is_no_multipart_body_ends_early(body: bytes) -> None:
    with pytest.raises(BodyEnded):
        list(contents_of(multipart(body)))


@pytest.mark.parametrize("boundary", ["", "x" * 300, "ümlaut"])
def test_a_boundary_that_cannot_be_one_is_refused(boundary: str) -> None:
    with pytest.raises(BodyEnded):
        list(contents_of(multipart(body_of(CONTENTS), boundary=boundary)))
