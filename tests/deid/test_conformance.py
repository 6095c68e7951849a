"""The output conforms where the input did: dciodvfy finds no error in it that the input has not."""

from pathlib import Path

import pytest

from dicom_assets.deid.deidentify import Deidentifier
from dicom_assets.deid.elements import InMemory
from dicom_assets.deid.profile import load_profile
from dicom_assets.errors import BadInput, Refused
from tests.deid.agreement import KEY
from tests.deid.conformance import Pair, new_errors
from tests.deid.corpora import bundled, generated, hand_made


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All corpora as files. Not the deflated ones, which dciodvfy cannot read."""
    folder = tmp_path_factory.mktemp("corpora")
    for name, content in hand_made().items():
        (folder / name).write_bytes(content)
    made = {path.name: path for path in sorted(folder.iterdir())}
    paths = made | bundled() | generated(tmp_path_factory.mktemp("generated"))
    return {name: path for name, path in paths.items() if "deflated" not in name and "dfl" not in name}


@pytest.mark.parametrize("profile", ["basic", "hipaa-safe-harbor", "research", "halo"])
def test_de_identification_brings_no_new_error(profile: str, inputs: dict[str, Path], tmp_path: Path) -> None:
    deidentifier = Deidentifier(load_profile(profile), KEY)
    pairs = []
    for number, (name, path) in enumerate(inputs.items()):
        source = InMemory(path.read_bytes())
        try:
            output = deidentifier.deidentify(source).encoded(source)
        except (BadInput, Refused):
            continue
        target = tmp_path / f"{number}.dcm"
        target.write_bytes(output)
        pairs.append(Pair(name, path, target))
    assert len(pairs) > 150
    found = new_errors(pairs)
    assert not found, "\n".join(f"{error}: {', '.join(names[:3])}" for error, names in found.items())
