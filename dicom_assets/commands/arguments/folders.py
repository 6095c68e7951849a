"""Arguments of the commands on folders of files and the rules for them."""

import argparse
from pathlib import Path

from . import EXIT_CODES, Commands


def deidentify(commands: Commands) -> None:
    deidentify = commands.add_parser(
        "deidentify",
        help="files or folders -> folder of de-identified files; no Dagster, no archive",
        description="De-identifies every DICOM file of IN into OUT/<patient>/<study>/<series>/<instance>.dcm. IN is "
        "read recursively and never written to; links are not followed. What cannot be made sure is quarantined: it "
        "has a reason code and no output. Interrupted and run again it completes.",
        epilog=EXIT_CODES,
    )
    deidentify.add_argument("source", type=Path, metavar="IN", help="a folder or a file")
    deidentify.add_argument("target", type=Path, metavar="OUT", help="a folder; made if it is not there")
    deidentify.add_argument(
        "--profile", default="", metavar="P", help="a name or a .toml file (default: DICOM_PROFILE)"
    )
    deidentify.add_argument(
        "--mapping",
        type=Path,
        metavar="DIR",
        help="write mapping.csv, uids.csv, patients.csv and quarantine.csv here, merged with those of earlier runs; "
        r"they identify patients. In file names \xNN stands for a byte that is not UTF-8",
    )
    deidentify.add_argument(
        "--key-file",
        type=Path,
        metavar="F",
        help="32 bytes; made if it is not there (default: DICOM_PSEUDONYM_KEY_FILE)",
    )
    deidentify.add_argument(
        "--workers", type=_count, default=0, metavar="N", help="processes (default: one a processor)"
    )
    deidentify.add_argument(
        "--json", action="store_true", help="one JSON object on stdout; its bytes are those of the files that were read"
    )
    deidentify.set_defaults(run="deidentify.deidentify")


def verify(commands: Commands) -> None:
    verify = commands.add_parser(
        "verify",
        help="the independent checks of validation_report on a folder, or of a release pack",
        description="Checks a folder of de-identified files, or a release pack, anywhere: needs no settings, and no "
        "mapping. Reads, and writes nothing.",
        epilog="exit codes: 0 every check holds; 1 one does not; 2 usage",
    )
    verify.add_argument("folder", type=Path, metavar="DIR", help="a folder of files, or what pack made")
    verify.add_argument("--mapping", type=Path, metavar="DIR", help="folder with mapping.csv, uids.csv, patients.csv")
    verify.add_argument("--digest", default="", metavar="HEX", help="of a pack, as its sender noted it: compare it")
    verify.add_argument("--json", action="store_true", help="one JSON object on stdout")
    verify.set_defaults(run="verify.verify")


def profile(commands: Commands) -> None:
    profile = commands.add_parser("profile", help="what a profile does to which element, and why")
    profile_command = profile.add_subparsers(dest="profile_command", required=True, metavar="COMMAND")
    a_profile = "a shipped profile's name, or the path of a .toml file"
    show = profile_command.add_parser("show", help="every rule of a profile: tag, name, action, why")
    show.add_argument("profile", metavar="P", help=a_profile)
    show.set_defaults(run="profile.show")
    diff = profile_command.add_parser("diff", help="every element that two profiles treat differently")
    diff.add_argument("first", metavar="A", help=a_profile)
    diff.add_argument("second", metavar="B", help=a_profile)
    diff.set_defaults(run="profile.diff")
    shipped = profile_command.add_parser("list", help="the shipped profiles")
    shipped.set_defaults(run="profile.list_shipped")
    for one in (show, diff, shipped):
        one.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1024:
        raise argparse.ArgumentTypeError("must be a number from 1 to 1024")
    return int(text)
