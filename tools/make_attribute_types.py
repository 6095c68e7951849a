"""Writes dicom_assets/deid/profiles/attribute_types.json: `python tools/make_attribute_types.py FOLDER`.

FOLDER: highdicom/_standard of the PyPI package highdicom (MIT), which holds the module and IOD tables of PS3.3 as JSON.
Taken are the attributes whose action depends on their Type: those with a compound code in PS3.15 Table E.1-1, and those
that the table does not name and the Basic Profile would not keep.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

from dicom_assets.deid.dictionary import tag_of
from dicom_assets.deid.profile import load_profile

OUTPUT = Path(__file__).parents[1] / "dicom_assets" / "deid" / "profiles" / "attribute_types.json"
SOURCE = (
    "DICOM PS3.3 attribute types by IOD, of attributes whose action depends on them; derived from the DICOM Standard "
    "(c) NEMA by way of PyPI highdicom 0.28.2 (MIT); the strictest type of all modules of the IOD"
)
STRICTEST_FIRST = ("1", "1C", "2", "2C", "3")


def main(folder: Path) -> None:
    modules, iods, classes = (
        json.loads((folder / f"{name}.json").read_bytes())
        for name in ("module_attribute_map", "iod_module_map", "sop_class_iod_map")
    )
    basic = load_profile("basic")
    wanted = {
        attribute["keyword"]
        for attributes in modules.values()
        for attribute in attributes
        if (tag := tag_of(attribute["keyword"])) is not None and "/" in basic.explain(tag).code
    }
    maps: list[dict[str, str]] = []
    types: dict[str, dict[str, int]] = defaultdict(dict)
    for iod in sorted(set(classes.values())):
        for keyword, paths in sorted(_types_in(iod, iods, modules, wanted).items()):
            if paths not in maps:
                maps.append(paths)
            types[keyword][iod] = maps.index(paths)
    data = {"source": SOURCE, "sop_class_to_iod": classes, "maps": maps, "types": types}
    OUTPUT.write_text(json.dumps(data, separators=(",", ":"), sort_keys=True) + "\n", "utf-8")


def _types_in(iod: str, iods: dict, modules: dict, wanted: set[str]) -> dict[str, dict[str, str]]:
    """keyword -> path -> type."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for module in iods[iod]:
        for attribute in modules.get(module["key"], ()):
            keyword, path, kind = attribute["keyword"], "/".join(attribute["path"]), attribute["type"]
            if keyword in wanted and kind in STRICTEST_FIRST:
                found[keyword][path] = min(found[keyword].get(path, "3"), kind, key=STRICTEST_FIRST.index)
    return {keyword: dict(sorted(paths.items())) for keyword, paths in found.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
