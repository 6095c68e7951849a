"""How a picture is stored: bits, sign, photometric interpretation, palette, window (PS3.3 C.7.6.3, C.11.2)."""

import random

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

GREY = ("8 bit", "8 bit MONOCHROME1", "12 bit", "12 bit MONOCHROME1", "16 bit", "16 bit signed", "16 bit windowed")
COLOUR = ("RGB", "PALETTE COLOR", "YBR_FULL")
#: Where a window decides what is seen: text within a window that is a tenth of the range, and text beyond it
WINDOWS = ("within a narrow window", "outside of the window")


def stored(shown: np.ndarray, layout: str, rng: random.Random) -> tuple[np.ndarray, Dataset]:
    """shown: float32 (frames, rows, columns, 3), 0 to 1. -> the frames as stored (frames, rows, columns[, 3]), and the
    header's image pixel, VOI LUT and modality LUT elements."""
    header = Dataset()
    header.NumberOfFrames, header.Rows, header.Columns = shown.shape[:3]
    header.PixelRepresentation = 0
    if layout in COLOUR:
        return _colour(shown, layout, header), header
    grey = shown @ np.array([0.299, 0.587, 0.114], np.float32)
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    if layout.endswith("MONOCHROME1"):
        header.PhotometricInterpretation, grey = "MONOCHROME1", 1 - grey
    if layout.startswith("8"):
        return _bits(grey, 8, 255, header), header
    if layout.startswith("12"):
        return _bits(grey, 12, 4095, header), header
    if layout == "16 bit":
        return _bits(grey, 16, rng.choice([65535, 30000, 3000]), header), header
    if layout == "16 bit signed":
        return _signed(grey, header), header
    return _windowed(grey, layout, header), header


def _bits(grey: np.ndarray, bits: int, brightest: int, header: Dataset) -> np.ndarray:
    header.BitsAllocated, header.BitsStored, header.HighBit = (8 if bits == 8 else 16), bits, bits - 1
    return np.rint(grey * brightest).astype(np.uint8 if bits == 8 else np.uint16)


def _signed(grey: np.ndarray, header: Dataset) -> np.ndarray:
    """HU from -1000 to 1000, padded with -2000 in a corner, as scanners do outside of their circle."""
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
    header.RescaleSlope, header.RescaleIntercept = 1, 0
    header.WindowCenter, header.WindowWidth = 0, 2000
    return np.rint(grey * 2000 - 1000).astype(np.int16)


def _windowed(grey: np.ndarray, layout: str, header: Dataset) -> np.ndarray:
    """Within a window of 2000 values that starts at 20000, with padding of 0 where the picture is black; or so that
    only what is below a third of the brightness lies in the window; or all of it."""
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    if layout == "within a narrow window":
        header.WindowCenter, header.WindowWidth = 21000, 2000
        return np.where(grey < 0.002, 0, np.rint(20000 + grey * 2000)).astype(np.uint16)
    if layout == "outside of the window":
        header.WindowCenter, header.WindowWidth = 5000, 10000
    else:
        header.WindowCenter, header.WindowWidth = 15000, 30000
    return np.rint(grey * 30000).astype(np.uint16)


def _colour(shown: np.ndarray, layout: str, header: Dataset) -> np.ndarray:
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PlanarConfiguration = 3, layout, 0
    pictures = [Image.fromarray(frame) for frame in np.rint(shown * 255).astype(np.uint8)]
    if layout == "RGB":
        return np.stack([np.asarray(picture) for picture in pictures])
    if layout == "YBR_FULL":
        return np.stack([np.asarray(picture.convert("YCbCr")) for picture in pictures])
    first = pictures[0].quantize(256)
    entries = np.zeros((256, 3), np.uint16)
    given = np.array(first.getpalette(), np.uint16).reshape(-1, 3)
    entries[: len(given)] = given * 257
    for at, name in enumerate(("Red", "Green", "Blue")):
        setattr(header, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(header, f"{name}PaletteColorLookupTableData", entries[:, at].astype("<u2").tobytes())
    header.SamplesPerPixel = 1
    del header.PlanarConfiguration
    return np.stack([np.asarray(picture.quantize(palette=first, dither=Image.Dither.NONE)) for picture in pictures])
