import errno
import pickle
import re
from pathlib import Path

import pytest

from dicom_assets.errors import REASONS, BadInput, RetryLater, from_os_error
from dicom_assets.settings import DEFAULTS, Settings
from dicom_assets.storage.keys import load_or_make_key

REPOSITORY = Path(__file__).parent.parent


def test_the_example_names_every_variable_with_its_default() -> None:
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert example.pop("DAGSTER_HOME") == ""
    assert example == DEFAULTS


def test_the_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("DICOM_PACS_HOST=from-file\nDICOM_PACS_PORT=104\n")
    monkeypatch.setenv("DICOM_PACS_HOST", "from-environment")
    settings = Settings.from_env()
    assert (settings.pacs_host, settings.pacs_port) == ("from-environment", 104)


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("DICOM_PACS_PORT", "http", "SETTING_PORT"),
        ("DICOM_PACS_PORT", "70000", "SETTING_PORT"),
        ("DICOM_PACS_AE_TITLE", "MUCH_TOO_LONG_FOR_IT", "SETTING_AE_TITLE"),
        ("DICOM_PACS_RETRIEVE", "push", "SETTING_RETRIEVE"),
        ("DICOM_RELEASED_ROOT", "data/restricted/released", "SETTING_ROOTS_OVERLAP"),
        ("DICOM_PSEUDONYM_KEY_FILE", "data/released/key", "SETTING_KEY_INSIDE_ROOT"),
    ],
)
def test_a_setting_that_cannot_be_used_has_its_code(variable: str, value: str, code: str) -> None:
    with pytest.raises(BadInput, match=code):
        Settings.from_env({variable: value})


def test_every_code_in_the_package_has_a_sentence() -> None:
    text = "".join(path.read_text() for path in (REPOSITORY / "dicom_assets").rglob("*.py"))
    raised = set(re.findall(r'(?:BadInput|Refused|RetryLater)\(\s*"([A-Z_]+)"', text))
    assert raised
    assert raised - set(REASONS) == set()
    assert all(sentence.endswith(".") for sentence in REASONS.values())


def test_a_full_disk_is_said_as_such_and_errors_carry_no_value() -> None:
    error = from_os_error(OSError(errno.ENOSPC, "No space left", "/restricted/Quillfeather"))
    assert isinstance(error, RetryLater)
    assert str(error).startswith("DISK_FULL: ")
    assert "Quillfeather" not in str(error)
    assert pickle.loads(pickle.dumps(error)).code == "DISK_FULL"


def test_the_key_is_made_once_and_refused_where_others_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "pseudonym.key"
    key = load_or_make_key(path)
    assert len(key) == 32
    assert load_or_make_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(Exception, match="KEY_FILE_OPEN_TO_OTHERS"):
        load_or_make_key(path)


def test_another_key_than_the_mappings_is_refused(tmp_path: Path) -> None:
    from dicom_assets.storage.manifests import StagedInstance
    from dicom_assets.storage.mapping import MappedStudy, write_part
    from dicom_assets.workflow.job import job_of, zones_of

    settings = Settings.from_env()
    job = job_of(settings)
    staged = StagedInstance(
        "a", "", "", "b.dcm", "P/1/2/b.dcm", "", "", "1.2", "7", "P", (), (), (), "", job.key.key_id
    )
    write_part(zones_of(settings), "cohort-20260131-001", [MappedStudy("s", (staged,))])
    assert job_of(settings).key == job.key
    settings.pseudonym_key_file.write_bytes(bytes(32))
    with pytest.raises(Exception, match="KEY_FILE_NOT_THE_SAME"):
        job_of(settings)
    settings.pseudonym_key_file.unlink()
    with pytest.raises(Exception, match="KEY_FILE_MISSING"):
        job_of(settings)
