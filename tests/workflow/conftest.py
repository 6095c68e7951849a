from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.demo.studies import small_corpus
from tests.support.orthanc import Orthanc, running_orthanc
from tests.support.packs import ReleasedSite, released_cohort
from tests.support.site import Site


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def orthanc(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """A real Orthanc that holds the corpus, filled by C-STORE."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        running.store(corpus.folder / instance.path for instance in corpus.instances)
        yield running


@pytest.fixture(scope="session")
def archive(corpus: Corpus) -> Iterator[EmbeddedArchive]:
    with EmbeddedArchive(corpus.folder) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site").mkdir()
    return Site(tmp_path / "site")


@pytest.fixture(scope="session")
def released_site(corpus: Corpus, archive: EmbeddedArchive, tmp_path_factory: pytest.TempPathFactory) -> ReleasedSite:
    """Two released batches of one cohort. Tests only read it."""
    return released_cohort(tmp_path_factory.mktemp("released_site"), corpus, archive)
