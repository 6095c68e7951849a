"""The house's one direction: a test walks the imports and fails on any other edge."""

import ast
from pathlib import Path

import pytest

import dicom_assets

PACKAGE = Path(dicom_assets.__file__).parent

#: room -> rooms that it may import from (itself always)
GROUND = {"errors", "settings", "quiet"}
SIBLINGS = {"deid", "pixels", "pacs", "storage"}
ALLOWED = {
    "errors": set(),
    "quiet": set(),
    "settings": {"errors"},
    "deid": GROUND,
    "pixels": GROUND,
    "pacs": GROUND,
    "storage": GROUND,
    "batches": GROUND | SIBLINGS,
    "workflow": GROUND | SIBLINGS | {"batches"},
    "defs": GROUND | SIBLINGS | {"batches", "workflow"},
    "definitions": GROUND | {"defs", "workflow"},
    "demo": GROUND | SIBLINGS | {"batches", "workflow", "defs", "definitions", "commands"},
    "commands": GROUND | SIBLINGS | {"batches", "workflow", "defs", "definitions", "demo"},
    "cli": GROUND | {"commands", "storage"},
    "__init__": set(),
}
MAY_IMPORT = {
    "dagster": {"defs", "definitions"},
    "pynetdicom": {"pacs", "demo", "quiet"},
}
#: rooms that may use one module of a room beside them: tables of the standard
SHARED = {("pixels", "deid"): {"dictionary", "elements"}}
#: sockets, clocks and files of data are not for the pure rooms (datetime is there for the calendar, and has a test)
PURE = {"deid": {"socket", "time", "requests", "pynetdicom", "dagster", "subprocess", "os"}}

MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports_of(path: Path) -> set[tuple[str, str]]:
    """(kind, name): ("own", room) or ("other", top-level package)."""
    depth = len(path.relative_to(PACKAGE).parts)  # levels up to the package
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {("other", alias.name.split(".")[0]) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            top, _, rest = node.module.partition(".")
            if top == "dicom_assets":
                found.add(("own", rest.split(".")[0] if rest else "__init__"))
            else:
                found.add(("other", top))
        elif isinstance(node, ast.ImportFrom) and node.level == depth:
            top, _, module = (node.module or "").partition(".")
            if module in SHARED.get((room_of(path), top), ()):
                continue
            names = [top] if top else [alias.name for alias in node.names]
            found |= {("own", "__init__" if name == "__version__" else name) for name in names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_rooms_below_its_own(path: Path) -> None:
    room = room_of(path)
    own = {name for kind, name in imports_of(path) if kind == "own"}
    assert own - ALLOWED[room] - {room, "__init__"} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dagster_and_pynetdicom_stay_in_their_rooms(path: Path) -> None:
    room = room_of(path)
    other = {name for kind, name in imports_of(path) if kind == "other"}
    for library, rooms in MAY_IMPORT.items():
        assert library not in other or room in rooms
    assert not other & PURE.get(room, set())


def test_the_pure_room_asks_no_clock() -> None:
    for path in PACKAGE.glob("deid/*.py"):
        called = {node.attr for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)}
        assert not called & {"now", "today", "utcnow", "fromtimestamp"}


def test_only_settings_reads_the_environment() -> None:
    readers = {
        room_of(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    assert readers <= {"settings", "quiet"}  # quiet.py only sets


def test_the_independent_check_shares_nothing_with_the_de_identifier() -> None:
    de_identifier = {
        "deidentify",
        "walk",
        "outcomes",
        "context",
        "survey",
        "elements",
        "part10",
        "pixel_data",
        "actions",
        "profile",
        "rules",
        "dates",
    }
    de_identifier |= {"pseudonyms", "fits", "values", "identity", "descriptors", "structured_reports", "streams"}
    checks = ("validate", "validate_part", "pixel_identity", "verify", "verify_mapping", "instance_checks", "uid_pairs")
    for name in (f"workflow/{check}.py" for check in checks):
        for node in ast.walk(ast.parse((PACKAGE / name).read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("deid"):
                assert node.module.split(".")[-1] not in de_identifier
    for path in PACKAGE.glob("deid/residual*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                assert (node.module or "") not in de_identifier
