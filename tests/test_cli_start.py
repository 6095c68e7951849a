"""A command imports what it needs: `deidentify` is called once a folder, and must start at once."""

import json
import subprocess
import sys
from pathlib import Path

HEAVY = {
    "pandas",
    "pyarrow",
    "numpy",
    "pydicom",
    "pynetdicom",
    "dagster",
    "tqdm",
    "PIL",
    "multiprocessing",
    "socket",
}  #: Small ones that take their time all the same, and that nothing needs here
SLOW = {"dotenv", "tempfile", "zipfile", "asyncio", "email"}

_AND_THEN = "import json, sys; print(json.dumps(sorted(name for name in sys.modules if '.' not in name)))"


def modules_after(code: str, folder: Path) -> set[str]:
    """Top-level modules that a new interpreter has imported after the code."""
    command = [sys.executable, "-c", f"{code}\n{_AND_THEN}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_deidentify_starts_without_the_libraries_that_other_commands_need(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no image")
    arguments = ["deidentify", "in", "out", "--mapping", "map", "--key-file", "key"]
    loaded = modules_after(f"from dicom_assets.cli import main; assert main({arguments}) == 0", tmp_path)
    assert "dicom_assets" in loaded
    assert not loaded & (HEAVY | SLOW)


def test_the_rules_of_a_profile_are_shown_without_them_too(tmp_path: Path) -> None:
    for arguments in (["list"], ["show", "research"], ["diff", "basic", "halo"]):
        loaded = modules_after(
            f"from dicom_assets.cli import main; assert main({['profile', *arguments]}) == 0", tmp_path
        )
        assert not loaded & HEAVY


def test_help_and_wrong_usage_need_no_command(tmp_path: Path) -> None:
    code = "from dicom_assets import cli\ntry: cli.main(['deidentify'])\nexcept SystemExit as end: assert end.code == 2"
    assert not modules_after(code, tmp_path) & HEAVY


def test_pynetdicom_is_silenced_wherever_it_is_used(tmp_path: Path) -> None:
    for module in ("dicom_assets.pacs.echo", "dicom_assets.demo.archive"):
        code = (
            f"import {module}\nfrom pynetdicom import _config as config\n"
            "assert config.LOG_HANDLER_LEVEL == 'none'\n"
            "assert not config.LOG_REQUEST_IDENTIFIERS and not config.LOG_RESPONSE_IDENTIFIERS"
        )
        modules_after(code, tmp_path)


def test_every_command_that_the_parser_names_is_there() -> None:
    from importlib import import_module

    from dicom_assets.cli import build_parser

    def runs(parser) -> list[str]:
        found = [parser.get_default("run")] if parser.get_default("run") else []
        for action in parser._actions:
            for below in (action.choices or {}).values() if isinstance(action.choices, dict) else ():
                found += runs(below)
        return found

    names = runs(build_parser())
    assert len(names) == len(set(names)) > 8
    for name in names:
        module, _, function = name.partition(".")
        assert callable(getattr(import_module(f"dicom_assets.commands.{module}"), function))


def test_nothing_is_said_on_stdout_instead_of_a_closed_stderr() -> None:
    command = [sys.executable, "-m", "dicom_assets.cli", "profile", "show", "nope"]
    done = subprocess.run(["sh", "-c", '"$@" 2>&-', "sh", *command], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
