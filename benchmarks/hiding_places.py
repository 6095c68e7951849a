"""Places where a name is easily overlooked: an instance for each, and a search of what a tool makes of them.

`python -m benchmarks.hiding_places FOLDER` writes the instances; `found_in` searches a tool's output without pydicom.
"""

import sys
from collections.abc import Callable
from pathlib import Path

PLACES = (
    "preamble",
    "file meta: AE title",
    "file meta: private information",
    "overlay label and comments",
    "retired curve",
    "text content item",
    "private element in a standard item",
    "private element without creator",
    "unknown standard element",
    "LUT explanation",
    "retrieve URL",
    "sequence written as UN",
    "text under a numeric element",
    "element after the pixels",
    "digital signature",
    "trailing padding",
)


def marker(place: str) -> str:
    """The word that stands in this place and nowhere else: 10 characters, valid as any text VR."""
    return f"NEMO{PLACES.index(place):02d}HIDE"


def found_in(folder: Path) -> list[str]:
    """The places whose word stands anywhere in a file below the folder."""
    outputs = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [place for place in PLACES if marker(place).encode() in outputs]


def write_instances(folder: Path) -> None:
    """One small CT instance for each place, named by its number."""
    import random

    import numpy as np
    from pydicom.uid import ExplicitVRLittleEndian

    from benchmarks.gen_corpus import SEED, add_file_meta, slice_of

    folder.mkdir(parents=True, exist_ok=True)
    hide = ways_to_hide()
    for number, place in enumerate(PLACES):
        ds = slice_of(4, 0, 0, 1, number + 1, 64, random.Random(SEED), np.random.default_rng(SEED))
        add_file_meta(ds, ExplicitVRLittleEndian)
        hide[place](ds, marker(place))
        file = folder / f"{number:02d}.dcm"
        ds.save_as(file, enforce_file_format=True)
        file.write_bytes(file.read_bytes().replace(b"\x08\x00\x40\x11OB", b"\x08\x00\x40\x11UN"))  # see as_un


def ways_to_hide() -> dict[str, Callable]:
    """place -> function of data set and word that puts the word there."""
    from benchmarks.gen_corpus import code, dataset

    def preamble(ds, word):
        ds.preamble = b"MZ" + word.encode().ljust(126, b"\0")

    def station(ds, word):
        ds.file_meta.SourceApplicationEntityTitle = word

    def private_information(ds, word):
        ds.file_meta.PrivateInformationCreatorUID = "1.2.3"
        ds.file_meta.PrivateInformation = word.encode()

    def overlay(ds, word):
        ds.add_new(0x60001500, "LO", word)
        ds.add_new(0x60004000, "LT", word)

    def curve(ds, word):
        ds.add_new(0x50002500, "LO", word)

    def content_item(ds, word):
        name = code("121106", "DCM", "Comment")
        ds.ContentSequence = [dataset(ValueType="TEXT", ConceptNameCodeSequence=name, TextValue=word)]

    def nested_private(ds, word):
        ds.RequestAttributesSequence[0].private_block(0x0009, "ACME", create=True).add_new(1, "LO", word)

    def orphan(ds, word):
        ds.add_new(0x00111001, "LO", word)

    def unknown(ds, word):
        ds.add_new(0x00089FF0, "LO", word)

    def lut(ds, word):
        ds.VOILUTSequence = [dataset(LUTDescriptor=[1, 0, 16], LUTExplanation=word)]
        ds.VOILUTSequence[0].add_new(0x00283006, "OW", b"\0\0")

    def url(ds, word):
        ds.RetrieveURL = f"http://archive.example/{word}"

    def as_un(ds, word):
        name = b"\x10\x00\x10\x00" + len(word).to_bytes(4, "little") + word.encode()
        # pydicom would write UN as SQ: written as OB, and renamed in the file
        items = b"\xfe\xff\x00\xe0" + len(name).to_bytes(4, "little") + name
        ds.add_new(0x00081140, "OB", items)

    def under_numeric(ds, word):
        ds.add_new(0x00180060, "LO", word)

    def after_pixels(ds, word):
        ds.private_block(0x7FE1, "ACME", create=True).add_new(1, "LO", word)

    def signature(ds, word):
        ds.add_new(0xFFFAFFFA, "SQ", [dataset(MACIDNumber=1, CertificateOfSigner=word.encode())])

    def padding(ds, word):
        ds.add_new(0xFFFCFFFC, "OB", word.encode())

    ways = (preamble, station, private_information, overlay, curve, content_item, nested_private, orphan, unknown, lut)
    ways += (url, as_un, under_numeric, after_pixels, signature, padding)
    return dict(zip(PLACES, ways, strict=True))


if __name__ == "__main__":
    write_instances(Path(sys.argv[1]))
