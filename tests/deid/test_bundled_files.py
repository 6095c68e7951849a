"""Quarantine is no way out: of pydicom's bundled files that dcmtk can read, nearly all come out, with their pixels.

DICOMDIRs are not counted: they are quarantined by rule. Under pixels = "unexamined": nothing is kept back by triage.
"""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_fragments
from pydicom.uid import ExplicitVRLittleEndian

from dicom_assets.deid.deidentify import Deidentifier
from dicom_assets.deid.elements import InMemory
from dicom_assets.deid.profile import load_profile
from dicom_assets.errors import BadInput, Refused
from tests.deid.agreement import KEY
from tests.deid.corpora import bundled
from tests.deid.encoding import PIXEL_DATA, parse
from tests.support.programs import needs, run

LEAST = 0.95  #: share of the readable files that come out


@needs("dcmdump")
@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, about the inputs
@pytest.mark.parametrize("base", ["basic", "research"])
def test_nearly_all_bundled_files_come_out_with_their_pixels(base: str, tmp_path: Path) -> None:
    profile = tmp_path / "unexamined.toml"
    profile.write_text(f'base = "{base}"\npixels = "unexamined"\n')
    deidentifier = Deidentifier(load_profile(str(profile)), KEY)
    readable = {name: path for name, path in bundled().items() if "DICOMDIR" not in name and _dcmtk_reads(path)}
    assert len(readable) > 150
    refused, changed = {}, []
    for name, path in readable.items():
        source = InMemory(path.read_bytes())
        try:
            output = deidentifier.deidentify(source).encoded(source)
        except (BadInput, Refused) as refusal:
            refused[name] = refusal.code
            continue
        if not _has_its_pixels(source.encoded, output):
            changed.append(name)
    assert not changed
    assert len(refused) <= (1 - LEAST) * len(readable), refused


def _dcmtk_reads(path: Path) -> bool:
    return run("dcmdump", "--quiet", path).returncode == 0


def _has_its_pixels(source: bytes, output: bytes) -> bool:
    """Encapsulated: the same fragments. Native: the same numbers, so that another byte order counts as the same."""
    before, after = (pydicom.dcmread(io.BytesIO(encoded), force=True) for encoded in (source, output))
    pixels = [next((element for element in parse(output).elements if element.tag == PIXEL_DATA), None)]
    if "PixelData" not in before:
        return "PixelData" not in after and pixels == [None]
    if after.file_meta.TransferSyntaxUID.is_encapsulated:
        fragments = list(generate_fragments(before.PixelData))
        return pixels[0].fragments[1:] == fragments[1:] and len(pixels[0].fragments) == len(fragments)
    if "TransferSyntaxUID" not in before.file_meta:
        before.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return np.array_equal(before.pixel_array, after.pixel_array)
