import errno
import pickle
import re
from pathlib import Path

import pytest

from dicom_assets.errors import REASONS, BadInput, Refused, RetryLater, from_os_error
from dicom_assets.pacs.archive import Archive, Timeouts, Tls
from dicom_assets.settings import DEFAULTS, Settings
from dicom_assets.storage.keys import load_or_make_key
from dicom_assets.workflow.job import archives_of

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
    (archive,) = settings.archives
    assert (archive.host, archive.port) == ("from-environment", 104)


def test_who_may_send_is_read() -> None:
    settings = Settings.from_env(
        {
            "DICOM_RECEIVER_COMMITMENT_PEERS": "CT1=192.0.2.7:104, X=Y=[::1]:4242",
            "DICOM_RECEIVER_CALLING_AE_TITLES": "CT1, MR 2",
            "DICOM_RECEIVER_PEERS": "192.0.2.7, 198.51.100.0/24",
            "DICOM_RECEIVER_FREE_MEGABYTES": "10",
        }
    ).receiver
    assert settings.commitment_peers == (("CT1", "192.0.2.7", 104), ("X=Y", "::1", 4242))
    assert settings.calling_ae_titles == {"CT1", "MR 2"}
    assert [str(network) for network in settings.networks] == ["192.0.2.7/32", "198.51.100.0/24"]
    assert settings.reserve == 10 << 20


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("DICOM_PACS_PORT", "http", "SETTING_PORT"),
        ("DICOM_PACS_PORT", "70000", "SETTING_PORT"),
        ("DICOM_PACS_AE_TITLE", "MUCH_TOO_LONG_FOR_IT", "SETTING_AE_TITLE"),
        ("DICOM_PACS_HOST", "dicom://archive", "SETTING_HOST"),
        ("DICOM_PACS_RETRIEVE", "push", "SETTING_RETRIEVE"),
        ("DICOM_PACS_DICOMWEB_URL", "archive/dicom-web", "SETTING_DICOMWEB_URL"),
        ("DICOM_PACS_DICOMWEB_URL", "https://user:word@archive/dicom-web", "SETTING_DICOMWEB_URL"),
        ("DICOM_ANONYMIZE_ON_UPLOAD", "yes", "SETTING_SWITCH"),
        ("DICOM_ARRIVAL_SETTLE_SECONDS", "-1", "SETTING_SETTLE_SECONDS"),
        ("DICOM_RECEIVER_ADDRESS", "localhost", "SETTING_RECEIVER_ADDRESS"),
        ("DICOM_RECEIVER_PEERS", "192.0.2.7/24", "SETTING_RECEIVER_PEERS"),
        ("DICOM_RECEIVER_CALLING_AE_TITLES", "CT1, MUCH_TOO_LONG_FOR_IT", "SETTING_AE_TITLE"),
        ("DICOM_RECEIVER_ASSOCIATIONS", "0", "SETTING_RECEIVER_COUNT"),
        ("DICOM_RECEIVER_COMMITMENT_PEERS", "CT1=192.0.2.7", "SETTING_COMMITMENT_PEERS"),
        ("DICOM_RECEIVER_COMMITMENT_PEERS", "=192.0.2.7:104", "SETTING_COMMITMENT_PEERS"),
        ("DICOM_RECEIVER_ASSOCIATION_SECONDS", "inf", "SETTING_RECEIVER_SECONDS"),
        ("DICOM_RECEIVER_TLS", "true", "SETTING_TLS_FILES"),
        ("DICOM_RETENTION_DAYS", "a month", "SETTING_RETENTION"),
        ("DICOM_FAILURE_WEBHOOK", "hooks.example.org", "SETTING_WEBHOOK"),
        ("DICOM_PACS_TLS", "yes", "SETTING_SWITCH"),
        ("DICOM_PACS_TLS", "true", "SETTING_TLS_FILES"),
        ("DICOM_PACS_STALL_SECONDS", "0", "SETTING_SECONDS"),
        ("DICOM_PACS_CONNECT_SECONDS", "inf", "SETTING_SECONDS"),
        ("DICOM_PACS_ACSE_SECONDS", "ten", "SETTING_SECONDS"),
        ("DICOM_PACS_INSTANCES_PER_SECOND", "-1", "SETTING_RATE"),
        ("DICOM_PACS_CHARACTER_SET", "latin1", "SETTING_CHARACTER_SET"),
        ("DICOM_PACS_QUERY_LIMIT", "many", "SETTING_QUERY_LIMIT"),
        ("DICOM_PACS_HOURS", "Mon-Fri 20-6", "SETTING_HOURS"),
        ("DICOM_PACS_HOURS", "Mo 20:00-06:00", "SETTING_HOURS"),
        ("DICOM_PACS_HOURS", "Mon 20:00-20:00", "SETTING_HOURS"),
        ("DICOM_PACS_HOURS", "Mon 24:00-06:00", "SETTING_HOURS"),
        ("DICOM_PACS_HOURS", "Mon 20:00-24:01", "SETTING_HOURS"),
        ("DICOM_PACS_HOURS", "Mon 20:00-06:00,", "SETTING_HOURS"),
        ("DICOM_SITE_TIME_ZONE", "Mitteleuropa", "SETTING_TIME_ZONE"),
        ("DICOM_SITE_TIME_ZONE", "../../etc/localtime", "SETTING_TIME_ZONE"),
        ("DICOM_RELEASED_ROOT", "data/restricted/released", "SETTING_ROOTS_OVERLAP"),
        ("DICOM_PSEUDONYM_KEY_FILE", "data/released/key", "SETTING_KEY_INSIDE_ROOT"),
        ("DICOM_MAPPING_KEY_FILE", "data/restricted/key", "SETTING_KEY_INSIDE_ROOT"),
        ("DICOM_MAPPING_KEY_FILE", "data/keys/../keys/pseudonym.key", "SETTING_ONE_KEY_FOR_BOTH"),
        ("DICOM_MAPPING_KEY_COMMAND", "vault 'read", "SETTING_KEY_COMMAND"),
    ],
)
def test_a_setting_that_cannot_be_used_has_its_code(variable: str, value: str, code: str) -> None:
    with pytest.raises(BadInput, match=code):
        Settings.from_env({variable: value})


def test_a_further_archive_takes_from_the_first_what_it_does_not_bring() -> None:
    first = {"DICOM_PACS_HOST": "one", "DICOM_PACS_PORT": "104", "DICOM_PACS_AE_TITLE": "ONE"}
    first |= {"DICOM_PACS_RETRIEVE": "move", "DICOM_PACS_STALL_SECONDS": "7.5"}
    further = {"DICOM_PACS_4_DICOMWEB_URL": "https://four/dicom-web/", "DICOM_PACS_4_STALL_SECONDS": "9"}
    further |= {"DICOM_PACS_2_HOST": "two", "DICOM_PACS_2_AE_TITLE": "TWO", "DICOM_PACS_3_PORT": "1"}
    one, two, four = archives_of(Settings.from_env(first | further))
    assert [archive.name for archive in (one, two, four)] == ["1", "2", "4"]
    assert (two.host, two.port, two.called_ae_title) == ("two", 104, "TWO")
    assert (two.retrieve, two.timeouts) == (one.retrieve, one.timeouts) == ("move", Timeouts(stall=7.5))
    assert (four.host, four.called_ae_title, four.dicomweb_url) == ("", "", "https://four/dicom-web")
    assert (four.timeouts.stall, one.dicomweb_url, two.dicomweb_url) == (9, "", "")


def test_an_archive_that_is_named_in_code_is_asked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOM_PACS_2_HOST", "of-the-environment")
    monkeypatch.setenv("DICOM_PACS_HOURS", "Mon 20:00-21:00")
    monkeypatch.setenv("DICOM_CALLING_AE_TITLE", "US")
    settings = Settings.from_env({"DICOM_PACS_HOST": "demo"})
    assert [archive.host for archive in settings.archives] == ["demo"]
    assert settings.archives[0].calling_ae_title == "US"
    assert settings.hours.windows == ()
    assert len(Settings.from_env().archives) == 2


def test_the_defaults_are_those_of_the_classes_that_they_fill() -> None:
    (archive,) = archives_of(Settings.from_env())
    assert archive == Archive("", 11112, "", "DICOM_ASSETS")


def test_the_key_of_our_certificate_is_refused_where_others_can_read_it(tmp_path: Path) -> None:
    given = {"DICOM_PACS_TLS": "true"}
    for name in ("AUTHORITIES", "CERTIFICATE", "KEY"):
        given[f"DICOM_TLS_{name}_FILE"] = str(tmp_path / name)
    with pytest.raises(BadInput, match="SETTING_SECRET_FILE"):
        archives_of(Settings.from_env(given))
    (tmp_path / "KEY").touch(mode=0o600)
    (archive,) = archives_of(Settings.from_env(given))
    assert archive.tls == Tls(tmp_path / "AUTHORITIES", tmp_path / "CERTIFICATE", tmp_path / "KEY")
    (tmp_path / "KEY").chmod(0o640)
    with pytest.raises(Refused, match="SECRET_FILE_OPEN_TO_OTHERS"):
        archives_of(Settings.from_env(given))


def test_the_authorization_file_holds_one_line_that_nobody_else_reads(tmp_path: Path) -> None:
    path = tmp_path / "authorization"
    given = {"DICOM_PACS_DICOMWEB_URL": "http://one/dicom-web", "DICOM_PACS_DICOMWEB_AUTHORIZATION_FILE": str(path)}
    path.write_text("Bearer abc\n")
    path.chmod(0o600)
    (archive,) = archives_of(Settings.from_env(given))
    assert archive.dicomweb_authorization == "Bearer abc"
    assert "abc" not in repr(archive)
    path.write_text("Bearer abc\r\nX-Other: 1\n")
    with pytest.raises(BadInput, match="SETTING_AUTHORIZATION"):
        archives_of(Settings.from_env(given))
    path.chmod(0o644)
    with pytest.raises(Refused, match="SECRET_FILE_OPEN_TO_OTHERS"):
        archives_of(Settings.from_env(given))


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
