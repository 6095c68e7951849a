"""The proof itself, in its short form: every row passes, and nothing that was planted is anywhere."""

from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from benchmarks.proof.corpus import generate
from benchmarks.proof.key import Action
from benchmarks.proof.score import score
from benchmarks.proof.strict import Findings, look
from benchmarks.proof.table import Result, failures, tables
from benchmarks.proof.tools import TOOLS

INSTANCES = 60


def test_all_rows_pass_under_the_research_profile(tmp_path: Path) -> None:
    key = generate(tmp_path / "corpus", instances=INSTANCES)
    output = TOOLS[0].run(tmp_path / "corpus", key, tmp_path / "run")
    result = score(key, output)
    assert not result.failures, failures(result)
    assert look(key, output) == Findings()
    burned_in = [one for one in key.instances if one.file.startswith("burned-in/")]
    assert any(one.transfer_syntax not in (ImplicitVRLittleEndian, ExplicitVRLittleEndian) for one in burned_in)
    assert result.total[Action.PIXELS_HIDDEN] == len(burned_in)
    assert "| **all, strictly** | **100 %** |" in tables({"dicom-assets": Result(result, look(key, output))})


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    one, other = (generate(tmp_path / name, seed=7, instances=12) for name in ("one", "other"))
    assert one == other
    assert [path.read_bytes() for path in sorted((tmp_path / "one").rglob("*.dcm"))] == [
        path.read_bytes() for path in sorted((tmp_path / "other").rglob("*.dcm"))
    ]
