"""`python -m benchmarks.large_instance FILE BYTES`: an instance with so many bytes of black pixels, a sparse file."""

import os
import random
import struct
import sys
from pathlib import Path

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.gen_corpus import SEED, add_file_meta, slice_of

MULTIFRAME_WORD_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.3"
FRAME = 512 * 512 * 2


def write_large(file: Path, size: int) -> None:
    """size: bytes of Pixel Data, a multiple of a frame of 512 x 512 x 16 bits."""
    ds = slice_of(4, 0, 0, 1, 1, 512, random.Random(SEED), np.random.default_rng(SEED))
    ds.SOPClassUID = MULTIFRAME_WORD_SECONDARY_CAPTURE
    ds.NumberOfFrames = size // FRAME
    del ds.PixelData
    add_file_meta(ds, ExplicitVRLittleEndian)
    file.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(file, enforce_file_format=True)
    with file.open("ab") as end:
        end.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size))
    os.truncate(file, file.stat().st_size + size)


if __name__ == "__main__":
    write_large(Path(sys.argv[1]), int(sys.argv[2]))
