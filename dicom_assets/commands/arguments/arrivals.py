"""Arguments of the commands on what is pushed to us."""

import argparse
from pathlib import Path

from . import EXIT_CODES, Commands


def receive(commands: Commands) -> None:
    receive = commands.add_parser(
        "receive",
        help="Storage SCP: takes what is pushed to it, until it is told to stop",
        description="Listens for DICOM associations and keeps what is sent under the restricted root. An instance is "
        "answered with success when it is durable. SIGTERM or SIGINT (Ctrl-C) ends it in order.",
    )
    receive.add_argument("--port", type=_port, metavar="N", help="TCP port (default: DICOM_RECEIVER_PORT)")
    receive.set_defaults(run="receive.receive")


def upload(commands: Commands) -> None:
    upload = commands.add_parser(
        "upload",
        help="files, folders, ZIPs and media (DICOMDIR) into incoming, as if they had been pushed to us",
        description="Copies every DICOM instance of PATH... into incoming; the files are never changed. Folders are "
        "read to any depth, links are not followed, ZIPs are unpacked, and a ZIP within a ZIP. Interrupted and run "
        "again it completes.",
        epilog=EXIT_CODES,
    )
    upload.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, folder, ZIP, or a medium's folder")
    upload.add_argument("--json", action="store_true", help="one JSON object on stdout")
    upload.set_defaults(run="upload.upload_files")


def status(commands: Commands) -> None:
    status = commands.add_parser(
        "status",
        help="what arrives, waits, is in work, lies in quarantine; the room that is left",
        description="How it stands with what was pushed to us.",
        epilog="exit codes: 0 all is well; 1 failed; 2 usage; 3 something needs a person (said on stderr)",
    )
    status.add_argument("--json", action="store_true", help="one JSON object on stdout")
    status.set_defaults(run="status.status")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError("must be a number from 1 to 65535")
    return int(text)
