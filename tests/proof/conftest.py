"""A small corpus, its key, and what a tool that has the key makes of it: made once, never written to."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.proof.corpus import generate
from benchmarks.proof.key import AnswerKey
from tests.proof.ideal import write_ideal


@dataclass(frozen=True)
class Case:
    """files: SOP Instance UID of the original -> file below output."""

    key: AnswerKey
    corpus: Path
    output: Path
    mapping: Path
    files: dict[str, Path]


@pytest.fixture(scope="package")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("proof")
    key = generate(folder / "corpus", seed=8, instances=24)
    output, mapping = folder / "output", folder / "mapping"
    return Case(key, folder / "corpus", output, mapping, write_ideal(key, folder / "corpus", output, mapping))
