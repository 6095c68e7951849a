"""Arguments of the commands on a batch and what became of it."""

from pathlib import Path

from . import Commands


def demo(commands: Commands) -> None:
    demo = commands.add_parser("demo", help="run everything against an embedded archive of synthetic studies")
    demo.add_argument("--root", type=Path, default=Path("data/demo"), help="folder for all of its data (%(default)s)")
    demo.set_defaults(run="batch.demo")


def run(commands: Commands) -> None:
    run = commands.add_parser("run", help="materialize the five assets for one batch")
    run.add_argument("batch", metavar="BATCH", help="a key that plan printed")
    run.add_argument("--from", dest="start", metavar="ASSET", default="", help="begin with this asset")
    run.add_argument(
        "--urgent", action="store_true", help="whatever the archive's hours, and before other batches at the archive"
    )
    run.set_defaults(run="batch.run")


def ledger(commands: Commands) -> None:
    ledger = commands.add_parser("ledger", help="one row a study: what was asked for and what became of it")
    ledger.add_argument("batch", metavar="BATCH")
    ledger.add_argument("--json", action="store_true", help="a JSON list on stdout")
    ledger.set_defaults(run="batch.ledger")


def report(commands: Commands) -> None:
    report = commands.add_parser(
        "report",
        help="the verdict on a batch, and where its report lies",
        description="One line with the verdict, then the paths of the page, the JSON, the Parquet and the list for "
        "sha256sum. `dicom-assets report schema` prints the JSON Schema of the JSON.",
        epilog="exit codes: 0 complete and clean; 1 failed; 2 usage; 3 any other verdict",
    )
    report.add_argument("batch", metavar="BATCH|schema")
    report.set_defaults(run="report.report")


def pack(commands: Commands) -> None:
    pack = commands.add_parser(
        "pack",
        help="what batches have released as a folder to hand over, with all that proves it",
        description="Makes a release pack: images, manifest, what is missing and why, de-identification statement, "
        "data dictionary, reports, README, SHA256SUMS. It appears when it is whole; interrupted, run the same command "
        "again.",
        epilog="exit codes: 0 made, and what is missing in it is said on stderr; 1 failed; 2 usage",
    )
    pack.add_argument("batches", nargs="*", metavar="BATCH", help="keys of released batches")
    pack.add_argument("--cohort", default="", metavar="NAME", help="all batches that were planned under this name")
    pack.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    pack.add_argument("--zip", action="store_true", help="one file DIR.zip instead")
    pack.add_argument("--link", action="store_true", help="images as second names of the released files, no copies")
    pack.add_argument("--reason", default="", metavar="TEXT", help="for the audit log; name no patient")
    pack.add_argument("--json", action="store_true", help="one JSON object on stdout")
    pack.set_defaults(run="pack.pack")


def review(commands: Commands) -> None:
    review = commands.add_parser(
        "review",
        help="what lies in quarantine, and what a person decides of it",
        description="Every look and every decision is a line of the audit log before it happens.",
    )
    review_command = review.add_subparsers(dest="review_command", required=True, metavar="COMMAND")
    listing = review_command.add_parser("list", help="one line an original: its item, and what can be decided")
    listing.add_argument("batch", nargs="?", default="", metavar="BATCH", help="or `watched` (default: all)")
    listing.add_argument("--reason", default="", metavar="CODE", help="kept back for this reason alone")
    listing.add_argument("--json", action="store_true", help="a JSON list on stdout")
    listing.set_defaults(run="review.list_items")
    show = review_command.add_parser(
        "show", help="an original's header, and what the profile does with each element; it identifies"
    )
    show.add_argument("item", metavar="ITEM", help="as list names it")
    show.add_argument("--reason", default="", metavar="TEXT", help="why you look, for the audit log")
    show.add_argument("--png", type=Path, metavar="FILE", help="a frame of it, with what was found drawn into it")
    show.add_argument("--frame", type=int, default=0, metavar="N", help="for --png, counted from 0 (default: 0)")
    show.set_defaults(run="review.show_item")
    release = review_command.add_parser(
        "release",
        help="a person vouches: exactly this content may go on, in spite of exactly this reason",
        description="For images of which triage cannot tell whether they show text, and you have looked: it goes on, "
        "through de-identification and every check. Of a conflict: this content is the true one, and the others are "
        "DISCARDED with it. What was damaged, or still names its patient, cannot be released.",
    )
    discard = review_command.add_parser(
        "discard",
        help="the original is deleted from quarantine and used for nothing, if it comes again, too",
        description="The ledger keeps counting it as quarantined, with its reason. A batch that keeps its originals "
        "keeps this one until its retention is over, and does not offer it again.",
    )
    for one, verb in ((release, "release"), (discard, "discard")):
        one.add_argument("items", nargs="+", metavar="ITEM", help="as list names them")
        one.add_argument("--reason", default="", metavar="TEXT", help="required: for the audit log; name no patient")
        one.set_defaults(run=f"review.{verb}", blank=[])
    release.add_argument(
        "--blank",
        action="append",
        default=[],
        metavar="LEFT,TOP,RIGHT,BOTTOM[@FRAME]",
        help="pixels of the image that are blanked before it goes on, and nothing else is; of all frames, or of one, "
        "counted from 0; as often as needed (default: it goes on as it is)",
    )
