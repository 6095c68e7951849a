"""The small corpus, made once, and archives over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.demo.studies import small_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Not to be written to."""
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def archive(corpus: Corpus) -> Iterator[EmbeddedArchive]:
    with EmbeddedArchive(corpus.folder) as archive:
        yield archive


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder
