"""A file of our own written anew: what is named changes, all else stays byte for byte."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_assets.deid.elements import encode
from dicom_assets.errors import BadInput
from dicom_assets.pixels.splice import OwnFile
from tests.deid.encoding import parse
from tests.pixels.own_files import dataset, encapsulated, native

PIXELS = np.arange(12, dtype="<u2").reshape(3, 4)
IMPLICIT = "1.2.840.10008.1.2"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return native(tmp_path / "plain.dcm", dataset(3, 4, PatientID="pseudonym"), PIXELS)


def test_without_changes_the_file_is_the_same(plain: Path, tmp_path: Path) -> None:
    with OwnFile(plain) as file:
        file.write(tmp_path / "new.dcm", {})
    assert (tmp_path / "new.dcm").read_bytes() == plain.read_bytes()


def test_elements_are_replaced_inserted_and_removed_in_their_order(plain: Path, tmp_path: Path) -> None:
    changes = {
        0x00100020: encode(0x00100020, "LO", b"another"),
        0x00280301: iter((encode(0x00280301, "CS", b"NO")[:8], b"NO")),  # in pieces
        0x00080016: None,
        0x00280999: None,  # was not there
        0x7FE10010: encode(0x7FE10010, "LO", b"behind all"),
    }
    with OwnFile(plain) as file:
        file.write(tmp_path / "new.dcm", changes, syntax="1.2.840.10008.1.2.1")
    written = parse((tmp_path / "new.dcm").read_bytes())  # strict: order, lengths, group length
    kept = {element.tag: element.value for element in parse(plain.read_bytes()).elements}
    values = {element.tag: element.value for element in written.elements}
    del kept[0x00080016]
    assert values == kept | {0x00100020: b"another ", 0x00280301: b"NO", 0x7FE10010: b"behind all"}


def test_another_transfer_syntax_is_in_step_with_the_group_length(plain: Path, tmp_path: Path) -> None:
    longer = "1.2.840.10008.1.2.4.90"
    with OwnFile(plain) as file:
        file.write(tmp_path / "new.dcm", {}, syntax=longer)
    assert pydicom.filereader.read_file_meta_info(tmp_path / "new.dcm").TransferSyntaxUID == longer
    with OwnFile(tmp_path / "new.dcm") as written, OwnFile(plain) as before:
        assert written.syntax == longer
        assert list(written.elements) == list(before.elements)


def test_values_are_told(plain: Path) -> None:
    with OwnFile(plain) as file:
        assert file.number(0x00280010) == 3
        assert file.number(0x00280008, 1) == 1
        assert file.text(0x00100020) == "pseudonym"
        assert file.text(0x00100010) == ""
        assert file.value(0x7FE00010) == PIXELS.tobytes()


def test_a_sequence_of_undefined_length_larger_than_one_read_is_found_whole(tmp_path: Path) -> None:
    made = dataset(3, 4)
    made.DeidentificationMethodCodeSequence = list(made.DeidentificationMethodCodeSequence) * 500
    made["DeidentificationMethodCodeSequence"].is_undefined_length = True
    path = native(tmp_path / "a.dcm", made, PIXELS)
    with OwnFile(path) as file:
        assert len(file.encoded(0x00120064)) > 100_000
        assert file.value(0x7FE00010) == PIXELS.tobytes()


@pytest.mark.parametrize("cut", [1, 13, 40])
def test_a_file_that_is_cut_short_is_refused(plain: Path, cut: int) -> None:
    plain.write_bytes(plain.read_bytes()[:-cut])
    with pytest.raises(BadInput), OwnFile(plain):
        pass


def test_a_file_without_a_sequence_delimiter_is_refused(tmp_path: Path) -> None:
    path = encapsulated(tmp_path / "a.dcm", dataset(3, 4), [b"\1\2"])
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(BadInput), OwnFile(path):
        pass


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"\0" * 128 + b"DICM"])
def test_what_is_no_part_10_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.dcm").write_bytes(content)
    with pytest.raises(BadInput), OwnFile(tmp_path / "a.dcm"):
        pass
